//! PBM, PGM, PPM and PAM: numbers as they are, behind a few words.

use bytes::Bytes;
use mediaflow_core::media::{Format, MediaInfo, Metadata};
use mediaflow_core::reader::FormatSpec;
use mediaflow_core::{Limits, Result};

use crate::codec::{Codec, Header, Reading, Rows, Walk, each_row};
use crate::error::{corrupt, truncated};
use crate::pixels::Shape;

#[derive(Debug)]
pub(super) struct PnmCodec;

const NAME: Format = Format::PNM;

/// Bytes of words in front of the numbers that are looked through: comments can be long.
const HEAD: usize = 1 << 16;

impl Codec for PnmCodec {
    fn format(&self) -> Format {
        NAME
    }

    fn spec(&self) -> FormatSpec {
        FormatSpec::new(NAME).sniffed(|head| {
            matches!(head, [b'P', b'1'..=b'7', next, ..] if next.is_ascii_whitespace() || *next == b'#')
        })
    }

    fn probe(&self, walk: &mut Walk, _limits: &Limits) -> Result<Header> {
        let len = usize::try_from(walk.left()).unwrap_or(HEAD).min(HEAD);
        let words = Words::read(&walk.bytes(len)?)?;
        let mut header = Header::new(NAME);
        (header.width, header.height) = (words.width, words.height);
        header.channels = words.channels;
        header.depth = if words.most > 255 { 16 } else { 8 };
        Ok(header)
    }

    fn by_rows(&self, _info: &MediaInfo) -> bool {
        true
    }

    fn rows(
        &self,
        bytes: &Bytes,
        _header: &Header,
        to: &mut dyn Rows,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let words = Words::read(&bytes[..bytes.len().min(HEAD)])?;
        let (width, height, channels) = (words.width, words.height, words.channels);
        let shape = Shape { width, height, channels };
        to.begin(shape, Metadata::default())?;
        let mut rest = bytes.get(words.end..).unwrap_or_default();
        each_row(shape, to, reading, truncated(&NAME), |_, row| match words.form {
            Form::Digits => texts(&mut rest, &words, row),
            Form::Bits => bits(&mut rest, row),
            Form::Bytes => numbers(&mut rest, &words, row),
        })
    }

    /// A few rows.
    fn memory(&self, _bytes: u64, _pixels: u64, _eighths: u32) -> u64 {
        0
    }
}

/// How the numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Digits,
    /// Eight to a byte, of which ones are black; each row begins with a byte.
    Bits,
    /// One byte each, or two, the higher one first.
    Bytes,
}

/// What stands in front of the numbers.
#[derive(Debug)]
struct Words {
    width: u32,
    height: u32,
    channels: u8,
    /// The number that is full light.
    most: u32,
    /// Whether ones are black.
    inverted: bool,
    form: Form,
    /// Where the numbers begin.
    end: usize,
}

impl Words {
    fn read(head: &[u8]) -> Result<Self> {
        let mut rest = head.get(2..).unwrap_or_default();
        let kind = head.get(1).copied().unwrap_or_default();
        if head.first() != Some(&b'P') || !(b'1'..=b'7').contains(&kind) {
            return Err(corrupt(&NAME, "the signature is damaged"));
        }
        let (width, height, channels, most) = if kind == b'7' {
            named(&mut rest)?
        } else {
            let mut next = || number(&mut rest).ok_or_else(|| truncated(&NAME));
            let (width, height) = (next()?, next()?);
            let most = if matches!(kind, b'1' | b'4') { 1 } else { next()? };
            (width, height, if matches!(kind, b'3' | b'6') { 3 } else { 1 }, most)
        };
        if !(1..=65_535).contains(&most) {
            return Err(corrupt(&NAME, "the largest number is none between 1 and 65535"));
        }
        let form = match kind {
            b'1'..=b'3' => Form::Digits,
            b'4' => Form::Bits,
            _ => Form::Bytes,
        };
        // One blank is between the words and the numbers; of a PAM it was the end of a line.
        let end = head.len() - rest.len() + usize::from(kind != b'7');
        let inverted = matches!(kind, b'1' | b'4');
        Ok(Self { width, height, channels, most, inverted, form, end })
    }

    /// A number as a byte.
    fn byte(&self, number: u32) -> u8 {
        let number = number.min(self.most);
        let light = (number * 255 + self.most / 2) / self.most;
        let light = u8::try_from(light).unwrap_or(u8::MAX);
        if self.inverted { 255 - light } else { light }
    }
}

/// The lines of a PAM, each a name and what it says.
fn named(rest: &mut &[u8]) -> Result<(u32, u32, u8, u32)> {
    let (mut width, mut height, mut channels, mut most) = (0, 0, 0, 0);
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| truncated(&NAME))?;
        let (line, after) = rest.split_at(end);
        *rest = &after[1..];
        let line = line.trim_ascii();
        let (name, mut said) =
            line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
        let mut said =
            || number(&mut said).ok_or_else(|| corrupt(&NAME, "a line of its head has no number"));
        match name {
            b"WIDTH" => width = said()?,
            b"HEIGHT" => height = said()?,
            b"DEPTH" => channels = u8::try_from(said()?).unwrap_or(u8::MAX),
            b"MAXVAL" => most = said()?,
            b"ENDHDR" => break,
            _ => {}
        }
    }
    if !(1..=4).contains(&channels) {
        return Err(corrupt(&NAME, "a pixel has none of 1 to 4 numbers"));
    }
    Ok((width, height, channels, most))
}

/// The next number in a text, behind blanks and comments.
fn number(rest: &mut &[u8]) -> Option<u32> {
    blanks(rest);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(digits);
    if digits.is_empty() {
        return None;
    }
    *rest = after;
    let add =
        |number: u32, digit: &u8| number.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}

fn blanks(rest: &mut &[u8]) {
    while let Some(first) = rest.first() {
        let skipped = match first {
            b'#' => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            blank if blank.is_ascii_whitespace() => 1,
            _ => return,
        };
        *rest = &rest[skipped..];
    }
}

fn texts(rest: &mut &[u8], words: &Words, row: &mut [u8]) -> bool {
    row.iter_mut().all(|to| {
        let found = if words.inverted {
            // Ones and zeros need no blanks between them.
            blanks(rest);
            let (digit, after) = rest.split_first().unwrap_or((&0, &[]));
            *rest = after;
            digit.is_ascii_digit().then(|| u32::from(digit - b'0'))
        } else {
            number(rest)
        };
        let Some(number) = found else { return false };
        *to = words.byte(number);
        true
    })
}

fn bits(rest: &mut &[u8], row: &mut [u8]) -> bool {
    let Some((bytes, after)) = rest.split_at_checked(row.len().div_ceil(8)) else {
        *rest = &[];
        return false;
    };
    *rest = after;
    for (at, to) in row.iter_mut().enumerate() {
        *to = if bytes[at / 8] & 0x80 >> (at % 8) == 0 { 255 } else { 0 };
    }
    true
}

fn numbers(rest: &mut &[u8], words: &Words, row: &mut [u8]) -> bool {
    let size = if words.most > 255 { 2 } else { 1 };
    let Some((bytes, after)) = rest.split_at_checked(row.len() * size) else {
        *rest = &[];
        return false;
    };
    *rest = after;
    if words.most == 255 {
        row.copy_from_slice(bytes);
        return true;
    }
    for (to, number) in row.iter_mut().zip(bytes.chunks_exact(size)) {
        *to = words.byte(number.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)));
    }
    true
}
