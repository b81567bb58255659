use mediaflow::media::{Format, Image, Media, MediaFile, MediaInfo};
use mediaflow::plan::Demand;
use mediaflow::prelude::*;
use mediaflow::spi::RunContext;
use mediaflow::spi::reader::{FormatSpec, Reader};

/// The name of a format that nobody else knows: `RAWF`, width and height as little-endian 32-bit numbers, RGB rows.
pub const RAWF: &str = "rawf";

const MAGIC: &[u8] = b"RAWF";
const HEADER: u64 = 12;

/// Writes a file of it.
pub fn rawf(image: &Image) -> Vec<u8> {
    assert_eq!(image.channels(), 3);
    [MAGIC, &image.width().to_le_bytes(), &image.height().to_le_bytes(), image.pixels()].concat()
}

/// Reads it.
#[derive(Clone, Copy, Debug)]
pub struct RawfReader;

impl RawfReader {
    fn header(file: &MediaFile, cx: &RunContext) -> mediaflow::Result<MediaInfo> {
        let head = file.blob().head(HEADER as usize)?;
        let number = |at: usize| head.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let size = head.strip_prefix(MAGIC).and_then(|_| Some((number(4)?, number(8)?)));
        let (width, height) = size
            .ok_or_else(|| Error::input("rawf.header", "the file has no header of this format"))?;
        cx.limits().check_pixels(width, height, 1)?;
        let expected = HEADER + u64::from(width) * u64::from(height) * 3;
        if file.blob().len() != expected {
            return Err(Error::input("rawf.truncated", "the file has too few or too many bytes")
                .with("expected", expected)
                .with("found", file.blob().len()));
        }
        let info = MediaInfo::still(Format::named(RAWF), width, height);
        Ok(info.with_channels(3).with_bytes(expected))
    }
}

#[async_trait]
impl Reader for RawfReader {
    fn name(&self) -> &str {
        "rawf"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        let spec = FormatSpec::new(Format::named(RAWF)).mime("image/x-acme-rawf");
        vec![spec.sniffed(|head| head.starts_with(MAGIC))]
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> mediaflow::Result<MediaInfo> {
        Self::header(file, cx)
    }

    async fn decode(
        &self,
        file: &MediaFile,
        _wanted: Demand,
        cx: &RunContext,
    ) -> mediaflow::Result<Media> {
        let file = file.clone();
        cx.cpu(move |cx| {
            let info = Self::header(&file, cx)?;
            let bytes = file.blob().read(cx.limits().image_bytes)?;
            Image::new(info.width, info.height, 3, bytes[HEADER as usize..].to_vec())
                .map(Media::from)
        })
        .await
    }

    async fn verify(
        &self,
        made: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> mediaflow::Result<MediaInfo> {
        let found = Self::header(made, cx)?;
        let wanted = (expected.width, expected.height);
        if wanted == (0, 0) || wanted == (found.width, found.height) {
            return Ok(found);
        }
        Err(Error::internal("verify.size", "the result has another size than planned"))
    }
}
