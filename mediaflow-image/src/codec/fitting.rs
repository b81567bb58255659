use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Error, Result, RunContext, codes};

/// Encodes at `quality`, or at the highest quality below it that fits into `max_bytes`: a bisection, so at most seven
/// more encodings.
pub(crate) fn fitting(
    max_bytes: Option<u64>,
    quality: u8,
    cx: &RunContext,
    encode: impl Fn(u8) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let first = encode(quality)?;
    let Some(max) = max_bytes.filter(|max| first.len() as u64 > *max) else { return Ok(first) };
    let mut smallest = first.len();
    drop(first);
    let mut best = None;
    let (mut low, mut high) = (1, quality.saturating_sub(1));
    while low <= high {
        cx.check()?;
        let middle = low.midpoint(high);
        let encoded = encode(middle)?;
        smallest = smallest.min(encoded.len());
        if encoded.len() as u64 <= max {
            best = Some(encoded);
            low = middle + 1;
        } else {
            high = middle - 1;
        }
    }
    best.ok_or_else(|| too_large(smallest, max))
}

pub(crate) fn too_large(smallest: usize, max: u64) -> Error {
    Error::input(
        codes::IMAGE_MAX_BYTES,
        "the picture does not fit into that many bytes at any quality",
    )
    .with("max_bytes", max)
    .with("smallest", smallest)
    .help("allow more bytes, or resize to fewer pixels")
}

/// A format has no more than this many pixels on a side.
pub(crate) fn check_side(image: &Image, format: &Format, side: u32) -> Result<()> {
    if image.width().max(image.height()) <= side {
        return Ok(());
    }
    Err(Error::input(
        codes::IMAGE_TOO_LARGE,
        format!("a {format} has at most {side} pixels on a side"),
    )
    .with("size", format_args!("{}x{}", image.width(), image.height()))
    .help("resize it, or choose another format"))
}
