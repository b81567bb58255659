use mediaflow_core::geometry::Rect;
use mediaflow_core::media::Image;
use mediaflow_core::{Result, RunContext};

use super::bands;

/// One of the eight ways to lay a rectangle down: swap the axes first, then mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) transpose: bool,
    pub(crate) mirror_x: bool,
    pub(crate) mirror_y: bool,
}

impl Turn {
    pub(crate) const NONE: Self = Self { transpose: false, mirror_x: false, mirror_y: false };
    /// Left becomes right.
    pub(crate) const LEFT_RIGHT: Self = Self { transpose: false, mirror_x: true, mirror_y: false };
    /// Top becomes bottom.
    pub(crate) const TOP_DOWN: Self = Self { transpose: false, mirror_x: false, mirror_y: true };

    /// What makes a picture with this EXIF orientation upright.
    pub(crate) fn exif(orientation: u8) -> Self {
        let (transpose, mirror_x, mirror_y) = match orientation {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { transpose, mirror_x, mirror_y }
    }

    /// Clockwise by this many quarters.
    pub(crate) fn quarters(count: u8) -> Self {
        Self::exif(match count % 4 {
            1 => 6,
            2 => 3,
            3 => 8,
            _ => 1,
        })
    }

    /// This turn, then another.
    pub(crate) fn then(self, next: Self) -> Self {
        let (x, y) = if next.transpose {
            (self.mirror_y, self.mirror_x)
        } else {
            (self.mirror_x, self.mirror_y)
        };
        Self {
            transpose: self.transpose != next.transpose,
            mirror_x: x != next.mirror_x,
            mirror_y: y != next.mirror_y,
        }
    }

    pub(crate) fn size<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// Where a part of the turned picture lies in the picture before the turn, whose size is `before`.
    pub(crate) fn undo(self, part: Rect, before: (f64, f64)) -> Rect {
        let (width, height) = self.size(before);
        let x = if self.mirror_x { width - part.x - part.width } else { part.x };
        let y = if self.mirror_y { height - part.y - part.height } else { part.y };
        if self.transpose {
            Rect { x: y, y: x, width: part.height, height: part.width }
        } else {
            Rect { x, y, width: part.width, height: part.height }
        }
    }

    pub(crate) fn apply(self, image: Image, cx: &RunContext) -> Result<Image> {
        if self == Self::NONE {
            return Ok(image);
        }
        let (width, height) = self.size((image.width(), image.height()));
        let pixels = match image.channels() {
            1 => self.lay::<1>(&image, cx)?,
            2 => self.lay::<2>(&image, cx)?,
            3 => self.lay::<3>(&image, cx)?,
            _ => self.lay::<4>(&image, cx)?,
        };
        Ok(Image::new(width, height, image.channels(), pixels)?
            .with_metadata(image.metadata().clone()))
    }

    fn lay<const N: usize>(self, image: &Image, cx: &RunContext) -> Result<Vec<u8>> {
        /// Columns and rows that are read together, so that a transposed picture stays in the cache.
        const TILE: usize = 32;
        let (from, _) = image.pixels().as_chunks::<N>();
        let stride = image.width() as usize;
        let (width, height) = self.size((image.width() as usize, image.height() as usize));
        let mut bytes = vec![0; from.len() * N];
        let (to, _) = bytes.as_chunks_mut::<N>();
        let source = |x: usize, y: usize| {
            let x = if self.mirror_x { width - 1 - x } else { x };
            let y = if self.mirror_y { height - 1 - y } else { y };
            if self.transpose { x * stride + y } else { y * stride + x }
        };
        bands(height.div_ceil(TILE), TILE * width * N, cx, |tiles| {
            for top in tiles.map(|tile| tile * TILE) {
                for left in (0..width).step_by(TILE) {
                    for y in top..(top + TILE).min(height) {
                        for x in left..(left + TILE).min(width) {
                            to[y * width + x] = from[source(x, y)];
                        }
                    }
                }
            }
        })?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(turn: Turn, image: Image) -> Image {
        turn.apply(image, &mediaflow_core::testing::context()).unwrap()
    }

    fn all() -> impl Iterator<Item = Turn> {
        (1..=8).map(Turn::exif)
    }

    fn letters() -> Image {
        Image::new(3, 2, 1, b"abcdef".to_vec()).unwrap()
    }

    #[test]
    fn each_exif_orientation_has_its_known_answer() {
        // What a viewer shows of `abc / def`, by the tables of the EXIF standard.
        let shown =
            ["abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"];
        for (turn, shown) in all().zip(shown) {
            let image = turned(turn, letters());
            assert_eq!(std::str::from_utf8(image.pixels()).unwrap(), shown, "{turn:?}");
        }
    }

    #[test]
    fn turns_compose_as_they_apply() {
        for a in all() {
            for b in all() {
                let twice = turned(b, turned(a, letters()));
                let once = turned(a.then(b), letters());
                assert_eq!(
                    (once.width(), once.pixels()),
                    (twice.width(), twice.pixels()),
                    "{a:?} then {b:?}"
                );
            }
        }
    }

    #[test]
    fn a_part_of_the_turned_picture_is_found_in_the_original() {
        for turn in all() {
            let shown = turned(turn, letters());
            let part = Rect { x: 1.0, y: 0.0, width: 1.0, height: 1.0 };
            let original = turn.undo(part, (3.0, 2.0));
            let at =
                letters().pixels().iter().position(|letter| *letter == shown.pixels()[1]).unwrap();
            assert_eq!(
                (original.x, original.y),
                ([0.0, 1.0, 2.0][at % 3], [0.0, 1.0][at / 3]),
                "{turn:?}"
            );
        }
    }
}
