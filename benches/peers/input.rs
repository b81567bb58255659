//! What everyone gets: a photo of 4000 x 3000, JPEG, 4:2:0, quality 92; the same as a progressive file; one of 6000 x 4000 as
//! PNG; and the small photos themselves.
//!
//! A repository has no room for camera files, so this one is made from its small photos: four of them fill the
//! quarters, enlarged, and the grain of a sensor is laid over. Without grain the enlarged photos would be smooth, and
//! Huffman decoding, most of a thumbnail's cost, would be measured on a file several times smaller than a camera's.
//!
//! The large PNG, 12,000 x 9,000, has each of its pixels three times across and down: a thumbnail of it is compared with
//! the same reference.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use mediaflow_jpeg::Control;

use super::Result;
use super::pixels::Rgb;

pub(crate) const WIDTH: usize = 4000;
pub(crate) const HEIGHT: usize = 3000;
const QUALITY: u8 = 92;
/// Standard deviation of the grain in mid-grey: luma, and each channel apart from it.
const GRAIN: (f32, f32) = (3.2, 1.4);

/// Width and height of the PNG that is not the large one.
pub(crate) const PNG: (usize, usize) = (6000, 4000);

/// How often the large PNG has each pixel of the photo, across and down.
pub(crate) const TIMES: usize = 3;

/// What everyone gets.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) photo: [PathBuf; 1],
    pub(crate) progressive: [PathBuf; 1],
    pub(crate) png: [PathBuf; 1],
    pub(crate) large: [PathBuf; 1],
    /// The small photos.
    pub(crate) demo: Vec<PathBuf>,
    /// All of these but the largest, several times, in a folder of their own.
    pub(crate) many: Vec<PathBuf>,
}

impl Sources {
    /// All of them, made where they are not there yet, and kept in `cache` by what they are made of.
    pub(crate) fn of(photos: &Path, cache: &Path) -> Result<Self> {
        let demo = largest_four(photos)?;
        let mut key = DefaultHasher::new();
        for source in &demo {
            std::fs::read(source)?.hash(&mut key);
        }
        include_str!("input.rs").hash(&mut key);
        let name = |what: &str| cache.join(format!("{what}-{:016x}", key.finish()));
        std::fs::create_dir_all(cache)?;
        let photo = name("photo").with_extension("jpg");
        let progressive = name("progressive").with_extension("jpg");
        let png = name("photo-24").with_extension("png");
        let large = name("photo-108").with_extension("png");
        if !progressive.exists() {
            let baseline = jpeg(&compose(&demo, (WIDTH, HEIGHT))?)?;
            written(&photo, &baseline)?;
            let control = Control::new(1 << 30);
            let coefficients = mediaflow_jpeg::Jpeg::parse(&baseline)?.coefficients(&control)?;
            // In the scans of libjpeg, which most programs write.
            written(&progressive, &coefficients.write(true, &control)?)?;
        }
        if !png.exists() {
            written(&png, &plain_png(&compose(&demo, PNG)?, PNG)?)?;
        }
        if !large.exists() {
            let unfinished = large.with_extension("part");
            enlarge(&photo, &unfinished)?;
            std::fs::rename(unfinished, &large)?;
        }
        let many = mixed(&photo, &progressive, &png, &demo, &name("many"))?;
        let [photo, progressive, png, large] = [photo, progressive, png, large].map(|one| [one]);
        Ok(Self { photo, progressive, png, large, demo, many })
    }
}

/// How often each of the pictures that are done at the same time is there.
const COPIES: usize = 4;

/// How many different ones there are.
pub(crate) const DIFFERENT: usize = 10;

/// Ten pictures, of which three are the photo and two the progressive one, again and again.
fn mixed(
    photo: &Path,
    progressive: &Path,
    png: &Path,
    demo: &[PathBuf],
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    let often = [photo, progressive, photo, progressive, photo, png];
    let sources: Vec<_> = often.into_iter().chain(demo.iter().map(PathBuf::as_path)).collect();
    std::fs::create_dir_all(folder)?;
    let copy = |(number, source): (usize, &&Path)| {
        let ending = source.extension().unwrap_or_default();
        let copy = folder.join(number.to_string()).with_extension(ending);
        if !copy.exists() {
            std::fs::copy(source, &copy)?;
        }
        Ok(copy)
    };
    sources.iter().cycle().take(DIFFERENT * COPIES).enumerate().map(copy).collect()
}

fn written(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("part");
    std::fs::write(&unfinished, bytes)?;
    Ok(std::fs::rename(unfinished, path)?)
}

fn plain_png(pixels: &[u8], (width, height): (usize, usize)) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}

fn enlarge(photo: &Path, to: &Path) -> Result<()> {
    let mut decoder = jpeg_decoder::Decoder::new(std::fs::File::open(photo)?);
    let pixels = decoder.decode()?;
    let file = BufWriter::new(std::fs::File::create(to)?);
    let (width, height) = (u32::try_from(WIDTH * TIMES)?, u32::try_from(HEIGHT * TIMES)?);
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    let mut rows = writer.stream_writer()?;
    for row in pixels.chunks_exact(WIDTH * 3) {
        let wide: Vec<u8> = row.chunks_exact(3).flat_map(|pixel| pixel.repeat(TIMES)).collect();
        for _ in 0..TIMES {
            rows.write_all(&wide)?;
        }
    }
    rows.finish()?;
    Ok(writer.finish()?)
}

fn largest_four(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut photos = Vec::new();
    for entry in
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?
    {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "jpg") {
            photos.push((entry.metadata()?.len(), path));
        }
    }
    photos.sort_by(|a, b| b.cmp(a));
    if photos.is_empty() {
        return Err(format!("{} has no .jpg to make the input from", folder.display()).into());
    }
    Ok(photos.into_iter().cycle().take(4).map(|(_, path)| path).collect())
}

fn compose(sources: &[PathBuf], (whole, rows): (usize, usize)) -> Result<Vec<u8>> {
    let (width, height) = (whole / 2, rows / 2);
    let mut canvas = vec![0.0; whole * rows * 3];
    for (quarter, source) in sources.iter().enumerate() {
        let photo = cover(&Rgb::decode(source)?, width, height);
        let (left, top) = (quarter % 2 * width, quarter / 2 * height);
        for (row, line) in photo.samples.chunks_exact(width * 3).enumerate() {
            let start = ((top + row) * whole + left) * 3;
            canvas[start..start + line.len()].copy_from_slice(line);
        }
    }
    Ok(grain(&canvas))
}

/// The middle of the photo in the shape of the box, stretched to it.
fn cover(photo: &Rgb, width: usize, height: usize) -> Rgb {
    let inner_width = photo.width.min(photo.height * width / height);
    let inner_height = photo.height.min(photo.width * height / width);
    let (left, top) = ((photo.width - inner_width) / 2, (photo.height - inner_height) / 2);
    photo.crop(left, top, inner_width, inner_height).lanczos3(width, height)
}

/// Shot noise grows with the square root of the light; a part of it is common to the channels, as after demosaicing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn grain(canvas: &[f32]) -> Vec<u8> {
    let mut noise = Noise(0x5eed_0012_1e57_ab1e);
    let mut bytes = Vec::with_capacity(canvas.len());
    for pixel in canvas.chunks_exact(3) {
        let luma = noise.normal() * GRAIN.0;
        for sample in pixel {
            let strength = (0.25 + sample / 170.0).sqrt();
            let grained = sample + (luma + noise.normal() * GRAIN.1) * strength;
            bytes.push(grained.round().clamp(0.0, 255.0) as u8);
        }
    }
    bytes
}

fn jpeg(pixels: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.encode(pixels, u16::try_from(WIDTH)?, u16::try_from(HEIGHT)?, ColorType::Rgb)?;
    Ok(bytes)
}

/// `SplitMix64`, which gives the same picture everywhere.
struct Noise(u64);

impl Noise {
    /// Near enough to normal, mean 0, deviation 1: the sum of four uniform 16-bit numbers.
    fn normal(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let parts = bits.to_le_bytes();
        let parts = parts.chunks_exact(2).map(|part| u16::from_le_bytes([part[0], part[1]]));
        let sum: f32 = parts.map(f32::from).sum();
        (sum / 65535.0 - 2.0) * 3.0_f32.sqrt()
    }
}
