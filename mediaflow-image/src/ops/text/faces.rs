use mediaflow_core::ops::Font;
use mediaflow_core::{Error, Result, codes};
use rustybuzz::Face;
use rustybuzz::ttf_parser::GlyphId;

/// Noto Sans: Latin, Greek and Cyrillic letters (`fonts/README.md`).
const BUNDLED: &[u8] = include_bytes!("../../../fonts/NotoSans-Regular.ttf");

/// Fonts, the most wanted first. The last one is the one that comes along.
pub(super) struct Faces<'a>(Vec<Face<'a>>);

impl<'a> Faces<'a> {
    /// # Errors
    /// `font.broken`, with the number of the font.
    pub(super) fn of(fonts: &'a [Font]) -> Result<Self> {
        let files = fonts.iter().map(Font::bytes).chain([BUNDLED]);
        let faces = files.zip(1..).map(|(bytes, number)| {
            Face::from_slice(bytes, 0).ok_or_else(|| {
                Error::input(codes::FONT_BROKEN, "a font can not be read").with("font", number)
            })
        });
        Ok(Self(faces.collect::<Result<_>>()?))
    }

    pub(super) fn get(&self, index: usize) -> &Face<'a> {
        &self.0[index]
    }

    /// The first one that has a letter, but rather this one if it does.
    pub(super) fn with(&self, letter: char, rather: Option<usize>) -> Option<usize> {
        let has = |index: &usize| {
            self.0[*index].glyph_index(letter).is_some_and(|glyph| glyph != GlyphId(0))
        };
        rather.filter(has).or_else(|| (0..self.0.len()).find(has))
    }

    /// How far letters reach above and below their line, in sizes: of the most wanted font.
    pub(super) fn reach(&self) -> (f32, f32) {
        let face = &self.0[0];
        let unit = f32::from(u16::try_from(face.units_per_em()).unwrap_or(1000)).max(1.0);
        (f32::from(face.ascender()) / unit, -f32::from(face.descender()) / unit)
    }
}
