use bytes::Bytes;
use mediaflow_core::media::{Image, Metadata};
use mediaflow_core::{Error, Limits, Result, RunContext};

use super::read::Cancellable;
use crate::error::{corrupt, truncated};
use crate::probe::{Header, inflate};

pub(super) fn decode(bytes: &Bytes, header: &Header, cx: &RunContext) -> Result<Image> {
    let failed = |error| error_of(error, header);
    // Above the pixels, which the decoder does not count, it needs a row or two; a palette; and at worst a deflate
    // window for each row pass.
    let limits =
        png::Limits { bytes: usize::try_from(cx.limits().image_bytes).unwrap_or(usize::MAX) };
    let mut decoder = png::Decoder::new_with_limits(Cancellable::new(bytes, cx), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(failed)?;
    let len =
        reader.output_buffer_size().ok_or_else(|| corrupt(&header.format, "the size is absurd"))?;
    let mut pixels = vec![0; len];
    let info = reader.next_frame(&mut pixels).map_err(failed)?;
    if header.frames == 1 {
        // Without the closing chunk the file was cut, even if all rows came out.
        reader.finish().map_err(failed)?;
    }
    let channels = match info.color_type {
        png::ColorType::Grayscale => 1,
        png::ColorType::GrayscaleAlpha => 2,
        png::ColorType::Rgb | png::ColorType::Indexed => 3,
        png::ColorType::Rgba => 4,
    };
    Ok(Image::new(info.width, info.height, channels, pixels)?
        .with_metadata(metadata(bytes, cx.limits())?))
}

fn metadata(bytes: &Bytes, limits: &Limits) -> Result<Metadata> {
    let mut metadata = Metadata::default();
    for (kind, data) in chunks(bytes) {
        match kind {
            b"eXIf" => metadata.exif = Some(bytes.slice_ref(data)),
            b"iCCP" => metadata.icc = Some(inflate(data, limits)?.into()),
            b"iTXt" => {
                // Not compressed, no language, no translated keyword.
                if let Some(packet) = data.strip_prefix(b"XML:com.adobe.xmp\0\0\0\0\0") {
                    metadata.xmp = Some(bytes.slice_ref(packet));
                }
            }
            _ => {}
        }
    }
    Ok(metadata)
}

fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        let data = after.get(..len)?;
        rest = after.get(len.checked_add(4)?..)?;
        Some((kind, data))
    })
}

fn error_of(error: png::DecodingError, header: &Header) -> Error {
    match error {
        png::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(&header.format)
        }
        png::DecodingError::LimitsExceeded => {
            Error::limit("limit.image_bytes", "the PNG takes more memory to decode than is allowed")
                .with("limit", "image_bytes")
                .help("send a smaller file, or raise `Limits::image_bytes`")
        }
        error => corrupt(&header.format, "the picture can not be decoded").because(error),
    }
}
