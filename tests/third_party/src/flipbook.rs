use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use mediaflow::Takes;
use mediaflow::media::{
    Format, Frame, FrameReader, FrameSource, Frames, Image, Layout, Loops, Media, MediaFile,
    MediaInfo, Medium, Stop,
};
use mediaflow::plan::{CostClass, Demand, Estimate};
use mediaflow::prelude::*;
use mediaflow::spi::RunContext;
use mediaflow::spi::reader::{FormatSpec, Reader};
use serde::{Deserialize, Serialize};

/// The name of a format of animations that nobody else knows: `FLIP`; width, height, loops (0 for ever) and the number of
/// frames as little-endian 32-bit numbers; then of each frame its milliseconds, and RGB rows.
pub const FLIP: &str = "flip";

const MAGIC: &[u8] = b"FLIP";
const HEADER: usize = 20;

/// Writes a file of it.
pub fn flip(width: u32, height: u32, loops: u32, frames: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = header(width, height, loops, frames.len() as u32);
    for (time, pixels) in frames {
        file.extend(time.to_le_bytes());
        file.extend(pixels);
    }
    file
}

fn header(width: u32, height: u32, loops: u32, count: u32) -> Vec<u8> {
    let numbers = [width, height, loops, count].map(u32::to_le_bytes);
    [MAGIC, numbers.as_flattened()].concat()
}

/// What stands at the head of a file.
#[derive(Clone, Copy, Debug)]
struct Head {
    width: u32,
    height: u32,
    loops: u32,
    count: u32,
}

impl Head {
    fn read(file: &MediaFile, cx: &RunContext) -> mediaflow::Result<Self> {
        let head = file.blob().head(HEADER)?;
        let wrong = || Error::input("flip.header", "the file has no header of this format");
        let numbers = head.strip_prefix(MAGIC).filter(|rest| rest.len() == HEADER - 4);
        let (numbers, _) = numbers.ok_or_else(wrong)?.as_chunks::<4>();
        let number = |at: usize| u32::from_le_bytes(numbers[at]);
        let head = Self { width: number(0), height: number(1), loops: number(2), count: number(3) };
        cx.limits().check_pixels(head.width, head.height, head.count.into())?;
        let expected = HEADER as u64 + u64::from(head.count) * head.frame_bytes();
        if head.width == 0 || head.height == 0 || file.blob().len() != expected {
            return Err(Error::input("flip.truncated", "the file has too few or too many bytes")
                .with("expected", expected)
                .with("found", file.blob().len()));
        }
        Ok(head)
    }

    fn frame_bytes(self) -> u64 {
        4 + u64::from(self.width) * u64::from(self.height) * 3
    }
}

/// Reads it, frame by frame.
#[derive(Clone, Copy, Debug)]
pub struct FlipReader;

#[derive(Debug)]
struct Opened {
    file: MediaFile,
    head: Head,
}

impl FrameSource for Opened {
    fn open(&self) -> mediaflow::Result<Box<dyn FrameReader>> {
        let mut bytes = self.file.blob().reader()?;
        bytes.seek(SeekFrom::Start(HEADER as u64)).map_err(unreadable)?;
        Ok(Box::new(Pass { bytes, head: self.head, left: self.head.count, at: Duration::ZERO }))
    }
}

struct Pass {
    bytes: Box<dyn mediaflow::media::ReadSeek>,
    head: Head,
    left: u32,
    at: Duration,
}

impl FrameReader for Pass {
    fn next(&mut self, _stop: &dyn Stop) -> mediaflow::Result<Option<Frame>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut frame = vec![0; self.head.frame_bytes() as usize];
        self.bytes.read_exact(&mut frame).map_err(unreadable)?;
        let pixels = frame.split_off(4);
        let time = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
        let image = Image::new(self.head.width, self.head.height, 3, pixels)?;
        let frame = Frame::new(image, self.at, Duration::from_millis(time.into()));
        self.at += frame.duration;
        self.left -= 1;
        Ok(Some(frame))
    }
}

fn unreadable(cause: std::io::Error) -> Error {
    Error::input("flip.read", "a frame can not be read").because(cause)
}

#[async_trait]
impl Reader for FlipReader {
    fn name(&self) -> &str {
        "flip"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        let spec = FormatSpec::new(Format::named(FLIP)).mime("image/x-acme-flip");
        vec![spec.sniffed(|head| head.starts_with(MAGIC))]
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> mediaflow::Result<MediaInfo> {
        let head = Head::read(file, cx)?;
        let mut info = MediaInfo::still(Format::named(FLIP), head.width, head.height)
            .with_medium(Medium::Animation)
            .with_channels(3)
            .with_bytes(file.blob().len());
        info.frames = head.count.into();
        Ok(info)
    }

    async fn decode(
        &self,
        file: &MediaFile,
        wanted: Demand,
        cx: &RunContext,
    ) -> mediaflow::Result<Media> {
        cx.check()?;
        let head = Head::read(file, cx)?;
        let loops = if head.loops == 0 { Loops::Forever } else { Loops::Times(head.loops) };
        let source = Opened { file: file.clone(), head };
        let frames = Frames::new(head.width, head.height, Layout::Rgb, source)
            .with_count(head.count.into())
            .with_loops(loops);
        if wanted.wants_all() {
            return Ok(frames.into());
        }
        cx.cpu(move |cx| frames.first(cx.limits(), cx).map(Media::from)).await
    }

    async fn verify(
        &self,
        made: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> mediaflow::Result<MediaInfo> {
        let found = self.probe(made, cx).await?;
        let frames = expected.frames.max(1);
        if expected.width != 0 && (expected.width, frames) != (found.width, found.frames) {
            return Err(Error::internal("verify.size", "the result is not what was planned")
                .with("frames", found.frames)
                .with("expected", frames));
        }
        Ok(found)
    }
}

/// Writes frames as a file of the format.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flipbook {}

impl Operation for Flipbook {
    const KIND: &'static str = "acme.flipbook";

    fn writes(&self) -> Option<Format> {
        Some(Format::named(FLIP))
    }

    fn formats() -> Vec<Format> {
        vec![Format::named(FLIP)]
    }

    fn describe(&self, inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        Ok(inputs[0].clone().with_format(Format::named(FLIP)))
    }
}

#[async_trait]
impl Run for Flipbook {
    const TAKES: Takes = Takes::Frames;

    /// The whole file is there twice, for a moment, and a frame.
    fn estimate(&self, inputs: &[MediaInfo]) -> Estimate {
        let (frame, frames) = (inputs[0].decoded_bytes(), inputs[0].frames.max(1));
        let file = (inputs[0].pixels() * 3 + 4) * frames;
        Estimate::of(CostClass::Image, frame + 2 * file)
    }

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        let frames = Arc::new(inputs.into_first()?.into_frames()?);
        let file = cx
            .cpu(move |cx| {
                let loops = match frames.loops() {
                    Loops::Times(times) => times,
                    _ => 0,
                };
                let (mut pass, mut count, mut body) = (frames.open(cx.limits())?, 0, Vec::new());
                while let Some(frame) = pass.next(cx)? {
                    body.extend((frame.duration.as_millis() as u32).to_le_bytes());
                    body.extend(frame.image.to_8_bit().pixels());
                    count += 1;
                }
                let mut file = header(frames.width(), frames.height(), loops, count);
                file.append(&mut body);
                Ok(file)
            })
            .await?;
        Ok(Outputs::one(MediaFile::new("flipbook", Format::named(FLIP), file.into())))
    }
}
