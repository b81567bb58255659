use mediaflow_core::media::{Image, Metadata};
use mediaflow_core::{Result, RunContext};

use crate::pixels::Shape;

/// Takes a picture row by row, from the top.
pub(crate) trait Rows {
    /// Comes before the first row, and again if the picture begins anew.
    ///
    /// # Errors
    /// If there is no use for such a picture.
    fn begin(&mut self, shape: Shape, metadata: Metadata) -> Result<()>;

    /// The next rows, whole ones.
    ///
    /// # Errors
    /// Above all what [`RunContext::check`] gives.
    fn rows(&mut self, rows: &[u8]) -> Result<()>;
}

/// Takes rows and makes nothing of them.
pub(crate) struct Nothing;

impl Rows for Nothing {
    fn begin(&mut self, _shape: Shape, _metadata: Metadata) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, _rows: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Takes rows and makes a picture of them.
#[derive(Default)]
pub(crate) struct Whole {
    begun: Option<(Shape, Metadata)>,
    pixels: Vec<u8>,
}

impl Whole {
    /// The picture, if all of it came.
    ///
    /// # Errors
    /// `image.shape`.
    pub(crate) fn into_image(self) -> Result<Image> {
        let (shape, metadata) = self.begun.unwrap_or_default();
        let image = Image::new(shape.width, shape.height, shape.channels, self.pixels)?;
        Ok(image.with_metadata(metadata))
    }
}

impl Rows for Whole {
    fn begin(&mut self, shape: Shape, metadata: Metadata) -> Result<()> {
        self.pixels = Vec::with_capacity(usize::try_from(shape.bytes()).unwrap_or_default());
        self.begun = Some((shape, metadata));
        Ok(())
    }

    fn rows(&mut self, rows: &[u8]) -> Result<()> {
        self.pixels.extend_from_slice(rows);
        Ok(())
    }
}

#[cfg(feature = "bitmaps")]
/// Hands on each row of a picture of which nothing comes in another order, as `row` makes it: whether it is there. What becomes of
/// those that are not is as the job wants damage to be taken; if none is there, or all have to be, it is this error.
pub(crate) fn each_row(
    shape: Shape,
    to: &mut dyn Rows,
    reading: &super::Reading<'_>,
    lacking: mediaflow_core::Error,
    mut row: impl FnMut(usize, &mut [u8]) -> bool,
) -> Result<()> {
    let (stride, height) = (shape.row_bytes(), shape.height as usize);
    let together = block(stride).min(height);
    let mut pixels = vec![0; stride * together];
    let mut missing = 0;
    for top in (0..height).step_by(together.max(1)) {
        reading.cx.check()?;
        let rows = together.min(height - top);
        for (y, pixels) in (top..).zip(pixels.chunks_exact_mut(stride).take(rows)) {
            if !row(y, pixels) {
                if !reading.accepts_damage() {
                    return Err(lacking);
                }
                pixels.fill(0);
                missing += 1;
            }
        }
        to.rows(&pixels[..rows * stride])?;
    }
    match missing {
        0 => Ok(()),
        all if all == height => Err(lacking),
        some => {
            reading.missing(some as u64, height as u64, "row");
            Ok(())
        }
    }
}

/// Bytes of rows that are handed on together: they stay in the cache of the core.
const BLOCK: usize = 1 << 19;

/// How many rows are handed on together, each of so many bytes. Even: the kernels take two at a time.
pub(crate) fn block(row: usize) -> usize {
    (BLOCK / row.max(1)).clamp(2, 64) & !1
}

/// Hands on the rows of a picture that is there as a whole.
pub(crate) fn hand_on(image: &Image, to: &mut dyn Rows, cx: &RunContext) -> Result<()> {
    let shape = Shape { width: image.width(), height: image.height(), channels: image.channels() };
    to.begin(shape, image.metadata().clone())?;
    for rows in image.pixels().chunks(image.row_bytes() * block(image.row_bytes())) {
        cx.check()?;
        to.rows(rows)?;
    }
    Ok(())
}
