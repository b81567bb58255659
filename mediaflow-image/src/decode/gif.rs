use std::num::NonZeroU64;

use bytes::Bytes;
use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use mediaflow_core::media::Image;
use mediaflow_core::{Error, Result, RunContext};

use super::read::Cancellable;
use crate::error::{corrupt, truncated};
use crate::probe::Header;

/// The first frame, on its canvas.
pub(super) fn decode(bytes: &Bytes, header: &Header, cx: &RunContext) -> Result<Image> {
    let failed = |error| error_of(error, header);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.set_memory_limit(
        NonZeroU64::new(cx.limits().pixels * 4).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes),
    );
    let mut decoder = options.read_info(Cancellable::new(bytes, cx)).map_err(failed)?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    let Some(frame) = decoder.read_next_frame().map_err(failed)? else {
        return Err(corrupt(&header.format, "there is no frame"));
    };
    let (width_px, height_px) = (width as usize, height as usize);
    let channels = usize::from(header.channels);
    let mut canvas = vec![0; width_px * height_px * channels];
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let across = usize::from(frame.width).min(width_px.saturating_sub(left));
    if across > 0 {
        let frame_rows = frame.buffer.chunks_exact(usize::from(frame.width) * 4);
        let canvas_rows = canvas.chunks_exact_mut(width_px * channels).skip(top);
        for (from, to) in frame_rows.zip(canvas_rows) {
            let to = to[left * channels..].chunks_exact_mut(channels);
            for (from, to) in from.chunks_exact(4).zip(to).take(across) {
                to.copy_from_slice(&from[..channels]);
            }
        }
    }
    Image::new(width, height, header.channels, canvas)
}

fn error_of(error: DecodingError, header: &Header) -> Error {
    match error {
        DecodingError::UnexpectedEof => truncated(&header.format),
        DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(&header.format)
        }
        error => corrupt(&header.format, "the picture can not be decoded").because(error),
    }
}
