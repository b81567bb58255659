use fast_image_resize::images::Image as Surface;
use fast_image_resize::{ImageError, MulDiv, PixelType, pixels};
use mediaflow_core::Result;

use super::across::side;
use crate::pixels::resize::refused;

/// Multiplies the colours of rows by their alpha: pixels that can not be seen weigh nothing then.
pub(super) fn multiply(rows: &mut [u8], width: usize, kind: PixelType) -> Result<()> {
    let height = rows.len() / (width * kind.size()).max(1);
    let mut rows =
        Surface::from_slice_u8(side(width), side(height), rows, kind).map_err(refused)?;
    let done = match rows.typed_image_mut::<pixels::U8x4>() {
        Some(mut rows) => MulDiv::new().multiply_alpha_inplace_typed(&mut rows),
        None => match rows.typed_image_mut::<pixels::U16x4>() {
            Some(mut rows) => MulDiv::new().multiply_alpha_inplace_typed(&mut rows),
            None => Err(ImageError::UnsupportedPixelType),
        },
    };
    done.map_err(refused)
}

/// Divides them again.
pub(super) fn divide(rows: &mut Surface<'_>) -> Result<()> {
    let done = match rows.typed_image_mut::<pixels::U8x4>() {
        Some(mut rows) => MulDiv::new().divide_alpha_inplace_typed(&mut rows),
        None => match rows.typed_image_mut::<pixels::U16x4>() {
            Some(mut rows) => MulDiv::new().divide_alpha_inplace_typed(&mut rows),
            None => Err(ImageError::UnsupportedPixelType),
        },
    };
    done.map_err(refused)
}
