use mediaflow_core::Result;
use mediaflow_core::media::Image;

/// What happens to each pixel by itself. Any order of them comes to one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Points {
    pub(crate) grayscale: bool,
    pub(crate) negate: bool,
}

impl Points {
    pub(crate) const NEGATE: Self = Self { grayscale: false, negate: true };
    pub(crate) const GRAYSCALE: Self = Self { grayscale: true, negate: false };

    /// These, then others. Negating commutes with a weighted mean, and twice is none.
    pub(crate) fn then(self, next: Self) -> Self {
        Self { grayscale: self.grayscale || next.grayscale, negate: self.negate != next.negate }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn names(self) -> &'static str {
        match (self.grayscale, self.negate) {
            (true, true) => "grayscale and negate",
            (true, false) => "grayscale",
            (false, true) => "negate",
            (false, false) => "nothing",
        }
    }

    /// In place; alpha stays as it is. A grey picture has one channel less for each colour.
    pub(crate) fn apply(self, image: Image) -> Result<Image> {
        if self.is_none() {
            return Ok(image);
        }
        let (width, height, metadata) = (image.width(), image.height(), image.metadata().clone());
        let channels = image.channels();
        let mut pixels = image.into_pixels();
        let channels = match channels {
            3 if self.grayscale => grey::<3, 1>(&mut pixels),
            4 if self.grayscale => grey::<4, 2>(&mut pixels),
            _ => channels,
        };
        if self.negate {
            match channels {
                2 => negate_but_last::<2>(&mut pixels),
                4 => negate_but_last::<4>(&mut pixels),
                _ => pixels.iter_mut().for_each(|value| *value = !*value),
            }
        }
        Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
    }
}

fn negate_but_last<const N: usize>(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<N>().0 {
        for value in &mut pixel[..N - 1] {
            *value = !*value;
        }
    }
}

/// Rec. 709 luma, as CSS `grayscale()` has it.
#[expect(clippy::cast_possible_truncation, reason = "the weights sum to 2^16")]
fn grey<const FROM: usize, const TO: usize>(pixels: &mut Vec<u8>) -> u8 {
    let count = pixels.len() / FROM;
    for i in 0..count {
        let at = i * FROM;
        let sum = 13_933 * u32::from(pixels[at])
            + 46_871 * u32::from(pixels[at + 1])
            + 4_732 * u32::from(pixels[at + 2]);
        pixels[i * TO] = ((sum + (1 << 15)) >> 16) as u8;
        if TO == 2 {
            pixels[i * TO + 1] = pixels[at + 3];
        }
    }
    pixels.truncate(count * TO);
    TO as u8
}
