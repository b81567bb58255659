use mediaflow_core::Result;
use mediaflow_jpeg::{Control, Damage, Failure, Jpeg};

use super::frame::Read;
use crate::codec::{Header, Reading};
use crate::error::{corrupt, truncated};

/// Whether it is for so many eighths.
pub(super) fn is_for(eighths: u32) -> bool {
    matches!(eighths, 1 | 2)
}

/// Bytes that it holds beside the pixels, for so many bytes of them: what is known of all blocks, and what it reads with.
pub(super) fn memory(bytes: u64) -> u64 {
    4 * bytes + (1 << 19)
}

/// Decodes a whole file at one or two eighths of its size. `None` if it is one for a decoder of everything.
///
/// # Errors
/// `image.truncated`, `image.corrupt`, and what [`RunContext::check`](mediaflow_core::RunContext::check) gives.
pub(super) fn read(
    bytes: &[u8],
    header: &Header,
    eighths: u32,
    reading: &Reading<'_>,
) -> Result<Option<Read>> {
    let stop = || reading.cx.check().is_err();
    let control = Control::new(reading.cx.limits().image_bytes).stopped_by(&stop);
    let decoded = Jpeg::parse(bytes).map_err(Failure::from).and_then(|jpeg| match eighths {
        1 => jpeg.eighth(&control),
        _ => jpeg.quarter(&control),
    });
    match decoded {
        Ok(planes) => {
            let pixels = planes.to_pixels();
            Ok(Some((planes.width(), planes.height(), planes.channels(), pixels)))
        }
        Err(Failure::Damaged(damage @ (Damage::Cut | Damage::Ended { .. }))) => {
            Err(truncated(&header.format).because(damage))
        }
        Err(Failure::Damaged(damage)) => {
            Err(corrupt(&header.format, "the picture can not be decoded").because(damage))
        }
        Err(_) => reading.cx.check().map(|()| None),
    }
}
