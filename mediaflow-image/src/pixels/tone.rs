use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use mediaflow_core::media::Image;
use mediaflow_core::{Result, RunContext};

use super::recolour::{Recolour, each, luma_of};
use super::{bands, owned, widen};

/// What happens to each pixel by itself. Alpha stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tone {
    /// The operations that it does, for people.
    names: Vec<&'static str>,
    what: What,
    /// Whether it may be done after pixels were mixed as well as before: it gives of a weighted mean the mean of what it gives.
    commutes: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// Only the luma is left, in one channel.
    Luma,
    /// Each channel by itself.
    Curve(Box<[u8; 256]>),
    /// Each channel out of all three, in parts of 2^16.
    Mix { matrix: [[i32; 3]; 3], colours: bool },
    /// Red, green and blue for each luma.
    Gradient(Box<[[u8; 3]; 256]>),
    /// All channels out of all three.
    Recolour(Arc<dyn Recolour>),
}

impl Tone {
    /// Rec. 709 luma, as CSS `grayscale()` has it. A picture without colours stays as it is.
    pub(crate) fn luma(name: &'static str) -> Self {
        Self { names: vec![name], what: What::Luma, commutes: true }
    }

    /// What becomes of each value from 0 to 255; the result is rounded, and kept between these. It commutes if it is affine,
    /// and none of its results is cut off.
    pub(crate) fn curve(name: &'static str, commutes: bool, curve: impl Fn(f64) -> f64) -> Self {
        let mut table = Box::new([0; 256]);
        for (to, value) in table.iter_mut().zip(0..=u8::MAX) {
            *to = byte(curve(f64::from(value)));
        }
        Self { names: vec![name], what: What::Curve(table), commutes }
    }

    /// What becomes of red, green and blue: a row for each. It commutes if none of its results is cut off.
    pub(crate) fn mix(name: &'static str, commutes: bool, matrix: [[f64; 3]; 3]) -> Self {
        // Grey stays grey where all rows have the same sum, 1.
        let colours = matrix.iter().any(|row| (row.iter().sum::<f64>() - 1.0).abs() > 1e-6);
        let matrix = matrix.map(|row| row.map(fixed));
        Self { names: vec![name], what: What::Mix { matrix, colours }, commutes }
    }

    /// What becomes of each luma from 0 to 255; results are rounded, and kept between these. It commutes if it is affine, and
    /// none of its results is cut off.
    pub(crate) fn gradient(
        name: &'static str,
        commutes: bool,
        gradient: impl Fn(f64) -> [f64; 3],
    ) -> Self {
        let mut table = Box::new([[0; 3]; 256]);
        for (to, luma) in table.iter_mut().zip(0..=u8::MAX) {
            *to = gradient(f64::from(luma)).map(byte);
        }
        Self { names: vec![name], what: What::Gradient(table), commutes }
    }

    /// What becomes of a colour; mixing before it and after it are not the same.
    pub(crate) fn recolour(name: &'static str, how: impl Recolour) -> Self {
        Self { names: vec![name], what: What::Recolour(Arc::new(how)), commutes: false }
    }

    /// Whether a grey picture is given colours.
    fn gives_colours(&self) -> bool {
        match &self.what {
            What::Mix { colours, .. } => *colours,
            What::Gradient(_) => true,
            What::Recolour(how) => how.gives_colours(),
            What::Luma | What::Curve(_) => false,
        }
    }

    fn is_nothing(&self) -> bool {
        match &self.what {
            What::Luma | What::Gradient(_) | What::Recolour(_) => false,
            What::Curve(table) => table.iter().zip(0..=u8::MAX).all(|(to, from)| *to == from),
            What::Mix { matrix, .. } => *matrix == [[65_536, 0, 0], [0, 65_536, 0], [0, 0, 65_536]],
        }
    }
}

/// Tones, one after the other, done in one pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tones(Vec<Tone>);

impl Tones {
    /// These, then another: it joins the last one if both are curves.
    pub(crate) fn then(mut self, next: Tone) -> Self {
        if next.is_nothing() {
            return self;
        }
        if next.what == What::Luma && self.is_grey() {
            return self;
        }
        if next.what == What::Luma && self.0.iter().all(Tone::is_affine_curve) {
            // Fewer channels are left for the others.
            self.0.insert(0, next);
            return self;
        }
        if let (What::Curve(after), Some(last)) = (&next.what, self.0.last_mut())
            && let What::Curve(table) = &mut last.what
        {
            table.iter_mut().for_each(|value| *value = after[usize::from(*value)]);
            last.names.extend(next.names);
            last.commutes &= next.commutes;
            if last.is_nothing() {
                self.0.pop();
            }
            return self;
        }
        self.0.push(next);
        self
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they may be done after a resize that came after them.
    pub(crate) fn commute(&self) -> bool {
        self.0.iter().all(|tone| tone.commutes)
    }

    pub(crate) fn names(&self) -> Cow<'static, str> {
        let names: Vec<_> = self.0.iter().flat_map(|tone| tone.names.iter().copied()).collect();
        match &names[..] {
            [] => "nothing".into(),
            [name] => (*name).into(),
            [names @ .., last] => format!("{} and {last}", names.join(", ")).into(),
        }
    }

    /// The channels of what becomes of a picture with so many.
    pub(crate) fn channels(&self, channels: u8) -> u8 {
        self.0.iter().fold(channels, |channels, tone| match tone.what {
            What::Luma if channels > 2 => channels - 2,
            _ if tone.gives_colours() && (1..=2).contains(&channels) => channels + 2,
            _ => channels,
        })
    }

    /// Whether it makes a picture grey, and leaves it so.
    fn is_grey(&self) -> bool {
        self.channels(4) == 2
    }

    /// In place, but for a grey picture that is given colours.
    pub(crate) fn apply(&self, mut image: Image, cx: &RunContext) -> Result<Image> {
        let mut rest = &self.0[..];
        while !rest.is_empty() {
            let grey = image.channels() <= 2;
            if grey && rest[0].gives_colours() {
                let channels = image.channels() + 2;
                image = widen(image, channels, cx)?;
            }
            // A grey picture is given colours at the beginning of a pass only.
            let mut is_grey = image.channels() <= 2;
            let same = rest.iter().position(|tone| {
                let ends = is_grey && tone.gives_colours();
                is_grey |= tone.what == What::Luma;
                ends
            });
            let (now, later) = rest.split_at(same.unwrap_or(rest.len()));
            image = pass(now, image, cx)?;
            rest = later;
        }
        Ok(image)
    }
}

impl Tone {
    /// It commutes with a mean of channels as well.
    fn is_affine_curve(&self) -> bool {
        self.commutes && matches!(self.what, What::Curve(_))
    }
}

/// One pass over the picture: each band through all tones while it is in the cache.
fn pass(tones: &[Tone], image: Image, cx: &RunContext) -> Result<Image> {
    let (width, height, metadata) = (image.width(), image.height(), image.metadata().clone());
    let from = image.channels();
    let mut pixels = owned(image, cx)?;
    let row = width as usize;
    let grey = from > 2 && tones.iter().any(|tone| tone.what == What::Luma);
    let to = if grey { from - 2 } else { from };
    bands(height as usize, row * usize::from(from), cx, |rows| {
        let (mut part, mut channels) = (rows.start * row..rows.end * row, from);
        part = scaled(&part, channels);
        for tone in tones {
            match &tone.what {
                What::Luma if channels > 2 => {
                    let moved = scaled(&(rows.start * row..rows.end * row), channels - 2);
                    match channels {
                        3 => luma::<3, 1>(&mut pixels, part.start, moved.clone()),
                        _ => luma::<4, 2>(&mut pixels, part.start, moved.clone()),
                    }
                    (part, channels) = (moved, channels - 2);
                }
                What::Luma => {}
                What::Curve(table) => match channels {
                    2 => curve::<2>(&mut pixels[part.clone()], table),
                    4 => curve::<4>(&mut pixels[part.clone()], table),
                    _ => pixels[part.clone()]
                        .iter_mut()
                        .for_each(|value| *value = table[usize::from(*value)]),
                },
                What::Mix { matrix, .. } => match channels {
                    3 => mix::<3>(&mut pixels[part.clone()], matrix),
                    4 => mix::<4>(&mut pixels[part.clone()], matrix),
                    // Grey stays grey.
                    _ => {}
                },
                What::Gradient(table) => {
                    let of = |rgb| table[usize::from(luma_of(rgb))];
                    match channels {
                        3 => each::<3>(&mut pixels[part.clone()], of),
                        _ => each::<4>(&mut pixels[part.clone()], of),
                    }
                }
                What::Recolour(how) if channels > 2 => {
                    how.band(&mut pixels[part.clone()], channels == 4);
                }
                What::Recolour(_) => {}
            }
        }
    })?;
    pixels.truncate(row * height as usize * usize::from(to));
    Ok(Image::new(width, height, to, pixels)?.with_metadata(metadata))
}

/// Pixels as bytes.
fn scaled(pixels: &Range<usize>, channels: u8) -> Range<usize> {
    pixels.start * usize::from(channels)..pixels.end * usize::from(channels)
}

/// All channels but the last, which is alpha.
fn curve<const N: usize>(pixels: &mut [u8], table: &[u8; 256]) {
    for pixel in pixels.as_chunks_mut::<N>().0 {
        for value in &mut pixel[..N - 1] {
            *value = table[usize::from(*value)];
        }
    }
}

#[expect(clippy::cast_sign_loss, reason = "kept between 0 and 255")]
fn mix<const N: usize>(pixels: &mut [u8], matrix: &[[i32; 3]; 3]) {
    for pixel in pixels.as_chunks_mut::<N>().0 {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
        for (value, row) in pixel.iter_mut().zip(matrix) {
            let sum = row[0] * r + row[1] * g + row[2] * b + (1 << 15);
            *value = (sum >> 16).clamp(0, 255) as u8;
        }
    }
}

/// From the pixels that begin at `at` into a place that lies before them, or begins with them.
fn luma<const FROM: usize, const TO: usize>(pixels: &mut [u8], mut at: usize, to: Range<usize>) {
    for to in to.step_by(TO) {
        pixels[to] = luma_of([pixels[at], pixels[at + 1], pixels[at + 2]]);
        if TO == 2 {
            pixels[to + 1] = pixels[at + 3];
        }
        at += FROM;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn byte(value: f64) -> u8 {
    value.round() as u8
}

#[expect(clippy::cast_possible_truncation, reason = "a factor of a few tens at most")]
fn fixed(value: f64) -> i32 {
    (value * 65_536.0).round() as i32
}
