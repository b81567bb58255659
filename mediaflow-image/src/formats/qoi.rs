//! QOI: pixels by what is near them, without loss; quick to write and to read.

use bytes::Bytes;
use mediaflow_core::media::{Format, Image, MediaInfo, Medium, Metadata};
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::FormatSpec;
use mediaflow_core::{Limits, Operation, Result, RunContext, schema_of};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::codec::{Codec, Header, PICTURES, Reading, Rows, Walk, each_row, encoded};
use crate::error::truncated;
use crate::pixels::{Shape, widen};
use crate::word::{Compile, Encoder, View, Word};

/// `qoi`: encodes as QOI, without loss, quickly, behind the feature `bitmaps`. There is no place for metadata in such a file, so it is
/// for steps between programs of one's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Qoi {}

impl Qoi {
    /// It has no settings.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

#[derive(Debug)]
pub(super) struct QoiCodec;

const NAME: Format = Format::QOI;
const SIGNATURE: &[u8; 4] = b"qoif";
const HEAD: usize = 14;
const END: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

/// What a byte says alone: this pixel as it stands, or one from the list, or a difference.
const RGB: u8 = 0xFE;
const RGBA: u8 = 0xFF;
const LISTED: u8 = 0x00;
const NEAR: u8 = 0x40;
const BY_LUMA: u8 = 0x80;
const RUN: u8 = 0xC0;

impl Codec for QoiCodec {
    fn format(&self) -> Format {
        NAME
    }

    fn spec(&self) -> FormatSpec {
        FormatSpec::new(NAME).sniffed(|head| head.starts_with(SIGNATURE))
    }

    fn probe(&self, walk: &mut Walk, _limits: &Limits) -> Result<Header> {
        if walk.array::<4>()? != *SIGNATURE {
            return Err(walk.corrupt("the signature is damaged"));
        }
        let mut header = Header::new(NAME);
        (header.width, header.height) = (walk.u32_be()?, walk.u32_be()?);
        header.channels = walk.u8()?;
        if !matches!(header.channels, 3 | 4) {
            return Err(walk.corrupt("it has neither three channels nor four"));
        }
        walk.u8()?;
        Ok(header)
    }

    fn by_rows(&self, _info: &MediaInfo) -> bool {
        true
    }

    fn rows(
        &self,
        bytes: &Bytes,
        header: &Header,
        to: &mut dyn Rows,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let (width, height, channels) = (header.width, header.height, header.channels);
        let shape = Shape { width, height, channels };
        to.begin(shape, Metadata::default())?;
        let mut pixels = Pixels::new(bytes.get(HEAD..).unwrap_or_default());
        let channels = usize::from(channels);
        each_row(shape, to, reading, truncated(&NAME), |_, row| {
            row.chunks_exact_mut(channels).all(|to| match pixels.next() {
                Some(pixel) => {
                    to.copy_from_slice(&pixel[..channels]);
                    true
                }
                None => false,
            })
        })?;
        if pixels.bytes.len() < END.len() {
            reading.warn("the end of the file is missing");
        }
        Ok(())
    }

    /// The list of the last pixels.
    fn memory(&self, _bytes: u64, _pixels: u64, _eighths: u32) -> u64 {
        0
    }

    fn word(&self) -> Option<Word> {
        Some(Word::of::<Qoi>())
    }
}

/// The place of a pixel in the list of the last ones.
fn place(pixel: [u8; 4]) -> usize {
    let weights = [3, 5, 7, 11];
    let sum: usize = pixel.iter().zip(weights).map(|(byte, by)| usize::from(*byte) * by).sum();
    sum % 64
}

/// The pixels of a file, until it ends.
struct Pixels<'a> {
    bytes: &'a [u8],
    list: [[u8; 4]; 64],
    last: [u8; 4],
    /// How often the last one comes again.
    again: u8,
}

impl<'a> Pixels<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, list: [[0; 4]; 64], last: [0, 0, 0, 255], again: 0 }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn next(&mut self) -> Option<[u8; 4]> {
        if self.again > 0 {
            self.again -= 1;
            return Some(self.last);
        }
        let [head] = self.take()?;
        let [r, g, b, a] = self.last;
        // A difference from -2 on, or as far as its bits go.
        let near = |shift: u8, value: u8| value.wrapping_add(head >> shift & 3).wrapping_sub(2);
        let low = head & 0x3F;
        self.last = match head {
            RGB => {
                let [r, g, b] = self.take()?;
                [r, g, b, a]
            }
            RGBA => self.take()?,
            _ if head & RUN == LISTED => self.list[usize::from(low)],
            _ if head & RUN == NEAR => [near(4, r), near(2, g), near(0, b), a],
            _ if head & RUN == BY_LUMA => {
                let [rest] = self.take()?;
                let luma = low.wrapping_sub(32);
                let add = |value: u8, more: u8| {
                    value.wrapping_add(luma).wrapping_add(more).wrapping_sub(8)
                };
                [add(r, rest >> 4), g.wrapping_add(luma), add(b, rest & 15), a]
            }
            _ => {
                self.again = low;
                return Some(self.last);
            }
        };
        self.list[place(self.last)] = self.last;
        Some(self.last)
    }
}

impl Operation for Qoi {
    const KIND: &'static str = "qoi";
    const MEDIA: &'static [Medium] = PICTURES;

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
    }

    fn writes(&self) -> Option<Format> {
        Some(NAME)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = encoded(inputs, NAME)?;
        let channels = info.channels;
        Ok(info.with_channels(if channels < 3 { channels + 2 } else { channels }))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Compile for Qoi {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::file(*self)]
    }
}

impl Encoder for Qoi {
    fn format(&self) -> Format {
        NAME
    }

    fn explain(&self) -> String {
        "qoi".to_owned()
    }

    /// The picture in colour, and the file, which may double while it grows.
    fn memory(&self, pixels: u64) -> u64 {
        pixels * 8
    }

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>> {
        let image = widen(image, 3, cx)?;
        let mut file = SIGNATURE.to_vec();
        file.extend(image.width().to_be_bytes());
        file.extend(image.height().to_be_bytes());
        // Alpha is no light; the colours are sRGB.
        file.extend([image.channels(), 0]);
        let mut writer = Writer { list: [[0; 4]; 64], last: [0, 0, 0, 255], again: 0 };
        for row in image.rows() {
            cx.check()?;
            for pixel in row.chunks_exact(usize::from(image.channels())) {
                match *pixel {
                    [r, g, b, a] => writer.put([r, g, b, a], &mut file),
                    [r, g, b] => writer.put([r, g, b, 255], &mut file),
                    _ => {}
                }
            }
        }
        writer.end_run(&mut file);
        file.extend(END);
        Ok(file)
    }
}

struct Writer {
    list: [[u8; 4]; 64],
    last: [u8; 4],
    again: u8,
}

impl Writer {
    fn end_run(&mut self, file: &mut Vec<u8>) {
        if self.again > 0 {
            file.push(RUN | (self.again - 1));
            self.again = 0;
        }
    }

    fn put(&mut self, pixel: [u8; 4], file: &mut Vec<u8>) {
        // The two longest would be the heads of whole pixels.
        const LONGEST: u8 = 62;
        if pixel == self.last {
            self.again += 1;
            if self.again == LONGEST {
                self.end_run(file);
            }
            return;
        }
        self.end_run(file);
        let place = place(pixel);
        let [r, g, b, a] = pixel;
        let less = |channel: usize, from: u8| from.wrapping_sub(self.last[channel]);
        let (dr, dg, db) = (less(0, r), less(1, g), less(2, b));
        // From the least difference on, none is less than zero.
        let fits = |difference: u8, least: u8| {
            let up = difference.wrapping_add(least);
            (up < 2 * least).then_some(up)
        };
        let by_luma = (fits(dr.wrapping_sub(dg), 8), fits(dg, 32), fits(db.wrapping_sub(dg), 8));
        if self.list[place] == pixel {
            file.push(LISTED | place.to_le_bytes()[0]);
        } else if a != self.last[3] {
            file.extend([RGBA, r, g, b, a]);
        } else if let (Some(r), Some(g), Some(b)) = (fits(dr, 2), fits(dg, 2), fits(db, 2)) {
            file.push(NEAR | r << 4 | g << 2 | b);
        } else if let (Some(r), Some(luma), Some(b)) = by_luma {
            file.extend([BY_LUMA | luma, r << 4 | b]);
        } else {
            file.extend([RGB, r, g, b]);
        }
        self.list[place] = pixel;
        self.last = pixel;
    }
}
