use super::MediaInfo;

/// Which channels a pixel has, and in which order they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// Grey.
    Gray,
    /// Grey and alpha.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and alpha.
    Rgba,
}

/// Bits of one channel of a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Depth {
    /// 8 bits, one byte.
    #[default]
    Eight,
    /// 16 bits, two bytes in the order of the machine.
    Sixteen,
}

/// What the numbers of pixels stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColorSpace {
    /// sRGB, with its curve.
    #[default]
    Srgb,
    /// The primaries of sRGB, in proportion to light.
    LinearSrgb,
    /// The primaries of Display P3, with sRGB's curve.
    DisplayP3,
    /// That of the profile in [`Metadata::icc`](super::Metadata::icc).
    Profile,
}

impl Layout {
    /// The layout of so many channels, from 1 to 4.
    #[must_use]
    pub fn of_channels(channels: u8) -> Option<Self> {
        Some(match channels {
            1 => Self::Gray,
            2 => Self::GrayAlpha,
            3 => Self::Rgb,
            4 => Self::Rgba,
            _ => return None,
        })
    }

    /// How many channels it has.
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// Whether one of them is alpha.
    #[must_use]
    pub const fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

impl Depth {
    /// Bits of one channel.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Eight => 8,
            Self::Sixteen => 16,
        }
    }

    /// Bytes of one channel.
    #[must_use]
    pub const fn bytes(self) -> u8 {
        self.bits() / 8
    }
}

impl MediaInfo {
    /// Of this layout and depth.
    #[must_use]
    pub fn with_pixels(mut self, layout: Layout, depth: Depth) -> Self {
        self.depth = depth.bits();
        self.with_channels(layout.channels())
    }
}
