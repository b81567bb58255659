use bytes::Bytes;
use mediaflow_core::media::{Image, Metadata};
use mediaflow_core::{Error, Result, RunContext};

use super::read::Cancellable;
use crate::error::{corrupt, truncated, unsupported};
use crate::probe::{Header, chunks};

pub(super) fn decode(bytes: &Bytes, header: &Header, cx: &RunContext) -> Result<Image> {
    let failed = |error| error_of(error, header);
    let mut decoder = image_webp::WebPDecoder::new(Cancellable::new(bytes, cx)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    // A canvas can be declared smaller here and larger in the frame.
    cx.limits().check_pixels(width, height, 1)?;
    let len = decoder
        .output_buffer_size()
        .ok_or_else(|| corrupt(&header.format, "the size is absurd"))?;
    let mut pixels = vec![0; len];
    decoder.read_image(&mut pixels).map_err(failed)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata(bytes)))
}

fn metadata(bytes: &Bytes) -> Metadata {
    let mut metadata = Metadata::default();
    for (kind, data) in chunks(bytes) {
        match kind {
            b"EXIF" => {
                let tiff = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
                metadata.exif = Some(bytes.slice_ref(tiff));
            }
            b"ICCP" => metadata.icc = Some(bytes.slice_ref(data)),
            b"XMP " => metadata.xmp = Some(bytes.slice_ref(data)),
            _ => {}
        }
    }
    metadata
}

fn error_of(error: image_webp::DecodingError, header: &Header) -> Error {
    use image_webp::DecodingError as Webp;
    match error {
        Webp::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(&header.format)
        }
        Webp::NotEnoughInitData => truncated(&header.format),
        Webp::UnsupportedFeature(what) => unsupported(&header.format, what),
        error => corrupt(&header.format, "the picture can not be decoded").because(error),
    }
}
