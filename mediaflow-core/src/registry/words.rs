use super::Registry;
use crate::ops;

impl Registry {
    /// Makes the [vocabulary](crate::ops) known: a line for each word.
    pub(super) fn enter_words(&mut self) {
        self.operation::<ops::Checksum>()
            .word::<ops::AutoOrient>()
            .word::<ops::Blur>()
            .word::<ops::Border>()
            .word::<ops::Brightness>()
            .word::<ops::Clahe>()
            .word::<ops::Compose>()
            .word::<ops::Contrast>()
            .word::<ops::Crop>()
            .word::<ops::Duotone>()
            .word::<ops::Extend>()
            .word::<ops::Flatten>()
            .word::<ops::Flip>()
            .word::<ops::Flop>()
            .word::<ops::Fps>()
            .word::<ops::Gamma>()
            .word::<ops::Grayscale>()
            .word::<ops::Hue>()
            .word::<ops::Lut>()
            .word::<ops::Median>()
            .word::<ops::Negate>()
            .word::<ops::Normalize>()
            .word::<ops::Pixelate>()
            .word::<ops::Poster>()
            .word::<ops::Posterize>()
            .word::<ops::Radius>()
            .word::<ops::Resize>()
            .word::<ops::Rotate>()
            .word::<ops::Saturation>()
            .word::<ops::Sepia>()
            .word::<ops::Shadow>()
            .word::<ops::Sharpen>()
            .word::<ops::Text>()
            .word::<ops::Threshold>()
            .word::<ops::Tint>()
            .word::<ops::Trim>()
            .word::<ops::TrimBorders>()
            .word::<ops::Vibrance>()
            .word::<ops::Vignette>()
            .word::<ops::Watermark>()
            .word::<ops::WhiteBalance>();
    }
}
