//! The photo that everyone gets: 4000 x 3000, JPEG, 4:2:0, quality 92.
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

use super::Result;
use super::pixels::Rgb;

pub(crate) const WIDTH: usize = 4000;
pub(crate) const HEIGHT: usize = 3000;
const QUALITY: u8 = 92;
/// Standard deviation of the grain in mid-grey: luma, and each channel apart from it.
const GRAIN: (f32, f32) = (3.2, 1.4);

/// How often the large PNG has each pixel of the photo, across and down.
pub(crate) const TIMES: usize = 3;

/// What everyone gets.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) photo: PathBuf,
    pub(crate) large: PathBuf,
}

impl Sources {
    /// Both, made where they are not there yet.
    pub(crate) fn of(photos: &Path, cache: &Path) -> Result<Self> {
        let photo = photo(photos, cache)?;
        let large = photo.with_extension("png");
        if !large.exists() {
            let unfinished = large.with_extension("part");
            enlarge(&photo, &unfinished)?;
            std::fs::rename(unfinished, &large)?;
        }
        Ok(Self { photo, large })
    }
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

/// The path of the photo; it is made once per set of source photos and kept in `cache`.
fn photo(photos: &Path, cache: &Path) -> Result<PathBuf> {
    let sources = largest_four(photos)?;
    let mut key = DefaultHasher::new();
    for source in &sources {
        std::fs::read(source)?.hash(&mut key);
    }
    include_str!("input.rs").hash(&mut key);
    let path = cache.join(format!("photo-{:016x}.jpg", key.finish()));
    if !path.exists() {
        std::fs::create_dir_all(cache)?;
        let unfinished = path.with_extension("part");
        std::fs::write(&unfinished, encode(&compose(&sources)?)?)?;
        std::fs::rename(unfinished, &path)?;
    }
    Ok(path)
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

fn compose(sources: &[PathBuf]) -> Result<Vec<u8>> {
    let (width, height) = (WIDTH / 2, HEIGHT / 2);
    let mut canvas = vec![0.0; WIDTH * HEIGHT * 3];
    for (quarter, source) in sources.iter().enumerate() {
        let photo = cover(&Rgb::decode(source)?, width, height);
        let (left, top) = (quarter % 2 * width, quarter / 2 * height);
        for (row, line) in photo.samples.chunks_exact(width * 3).enumerate() {
            let start = ((top + row) * WIDTH + left) * 3;
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

fn encode(pixels: &[u8]) -> Result<Vec<u8>> {
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
