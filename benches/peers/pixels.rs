//! Pixels of the benchmark's own: decode, an exact Lanczos3, PSNR. Slow and plain on purpose; it judges the kernels
//! that mediaflow uses, so it shares none with them.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::Result;

/// Interleaved RGB samples of 0 to 255.
#[derive(Debug)]
pub(crate) struct Rgb {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) samples: Vec<f32>,
}

impl Rgb {
    /// Of a JPEG, PNG or WebP; turned by a quarter, if a JPEG says that it is to be.
    pub(crate) fn decode(path: &Path) -> Result<Self> {
        let failed = |error: Box<dyn std::error::Error>| format!("{}: {error}", path.display());
        let file = BufReader::new(File::open(path)?);
        let picture = match path.extension().and_then(|ending| ending.to_str()) {
            Some("png") => png(file),
            Some("webp") => webp(file),
            _ => jpeg(file),
        };
        Ok(picture.map_err(failed)?)
    }

    fn new((width, height): (usize, usize), bytes: Vec<u8>) -> Result<Self> {
        if bytes.len() != width * height * 3 {
            return Err("not an RGB picture".into());
        }
        Ok(Self { width, height, samples: bytes.into_iter().map(f32::from).collect() })
    }

    /// Turned by a quarter, clockwise.
    fn turned(&self) -> Self {
        let mut samples = Vec::with_capacity(self.samples.len());
        for x in 0..self.width {
            for y in (0..self.height).rev() {
                let at = (y * self.width + x) * 3;
                samples.extend_from_slice(&self.samples[at..at + 3]);
            }
        }
        Self { width: self.height, height: self.width, samples }
    }

    pub(crate) fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let rows = self.samples.chunks_exact(self.width * 3).skip(top).take(height);
        let samples = rows.flat_map(|row| &row[left * 3..(left + width) * 3]).copied().collect();
        Self { width, height, samples }
    }

    /// Stretches to `width` x `height` with Lanczos3, widened when it shrinks.
    pub(crate) fn lanczos3(&self, width: usize, height: usize) -> Self {
        let across = Kernel::all(self.width, width);
        let mut narrow = Vec::with_capacity(self.height * width * 3);
        for row in self.samples.chunks_exact(self.width * 3) {
            for kernel in &across {
                let mut sum = [0.0_f64; 3];
                for (pixel, weight) in row[kernel.first * 3..].chunks_exact(3).zip(&kernel.weights)
                {
                    for (sum, sample) in sum.iter_mut().zip(pixel) {
                        *sum += f64::from(*sample) * weight;
                    }
                }
                narrow.extend(sum);
            }
        }
        let mut samples = Vec::with_capacity(width * height * 3);
        let mut sums = vec![0.0_f64; width * 3];
        for kernel in Kernel::all(self.height, height) {
            sums.fill(0.0);
            let rows = narrow.chunks_exact(width * 3).skip(kernel.first);
            for (row, weight) in rows.zip(&kernel.weights) {
                for (sum, sample) in sums.iter_mut().zip(row) {
                    *sum += sample * weight;
                }
            }
            samples.extend(sums.iter().map(|sum| to_sample(*sum)));
        }
        Self { width, height, samples }
    }

    /// Peak signal-to-noise ratio against a picture of the same size, in dB, over all three channels.
    pub(crate) fn psnr(&self, other: &Self) -> f64 {
        let squares =
            self.samples.iter().zip(&other.samples).map(|(a, b)| f64::from(a - b).powi(2));
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52 samples")]
        let mean = squares.sum::<f64>() / self.samples.len() as f64;
        10.0 * (255.0_f64.powi(2) / mean).log10()
    }
}

fn jpeg(file: BufReader<File>) -> Result<Rgb> {
    let mut decoder = jpeg_decoder::Decoder::new(file);
    let bytes = decoder.decode()?;
    let info = decoder.info().ok_or("a decoded JPEG without a header")?;
    let picture = Rgb::new((usize::from(info.width), usize::from(info.height)), bytes)?;
    // The tag of the orientation, a number of 16 bits, in either order of bytes.
    let is_turned = decoder.exif_data().is_some_and(|exif| {
        let tag = |entry: &[u8]| {
            [b"\x12\x01\x03\0\x01\0\0\0\x06\0", b"\x01\x12\0\x03\0\0\0\x01\0\x06"]
                .iter()
                .any(|turned| entry == turned.as_slice())
        };
        exif.windows(10).any(tag)
    });
    Ok(if is_turned { picture.turned() } else { picture })
}

fn png(file: BufReader<File>) -> Result<Rgb> {
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("a PNG that is too large")?];
    let info = reader.next_frame(&mut bytes)?;
    Rgb::new((info.width as usize, info.height as usize), bytes)
}

fn webp(file: BufReader<File>) -> Result<Rgb> {
    let mut decoder = image_webp::WebPDecoder::new(file)?;
    let (width, height) = decoder.dimensions();
    let mut bytes = vec![0; decoder.output_buffer_size().ok_or("a WebP that is too large")?];
    decoder.read_image(&mut bytes)?;
    Rgb::new((width as usize, height as usize), bytes)
}

/// The source samples of one target sample: the first's index and a weight each, which sum to 1.
struct Kernel {
    first: usize,
    weights: Vec<f64>,
}

impl Kernel {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "positions within a picture, clamped to it"
    )]
    fn all(from: usize, to: usize) -> Vec<Self> {
        let ratio = from as f64 / to as f64;
        let scale = ratio.max(1.0);
        let one = |target: usize| {
            let centre = (target as f64 + 0.5) * ratio;
            let first = (centre - 3.0 * scale).round().max(0.0) as usize;
            let end = ((centre + 3.0 * scale).round() as usize).min(from);
            let weight = |at: usize| lanczos((at as f64 + 0.5 - centre) / scale);
            let mut weights: Vec<f64> = (first..end).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            Self { first, weights }
        };
        (0..to).map(one).collect()
    }
}

fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

#[allow(clippy::cast_possible_truncation, reason = "clamped to 0..=255")]
fn to_sample(value: f64) -> f32 {
    value.clamp(0.0, 255.0) as f32
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) size: (usize, usize),
    pub(crate) bytes: u64,
    /// Against the reference of this size, in dB.
    pub(crate) psnr: f64,
}

/// Pictures, and what each of them is compared with: the exact resize of its source.
#[derive(Debug, Default)]
pub(crate) struct References {
    sources: BTreeMap<PathBuf, Rgb>,
    resized: BTreeMap<(PathBuf, (usize, usize)), Rgb>,
}

impl References {
    pub(crate) fn measure(&mut self, source: &Path, path: &Path) -> Result<Measured> {
        let picture = Rgb::decode(path)?;
        let size = (picture.width, picture.height);
        let key = (source.to_owned(), size);
        if !self.resized.contains_key(&key) {
            if !self.sources.contains_key(source) {
                self.sources.insert(source.to_owned(), Rgb::decode(source)?);
            }
            self.resized.insert(key.clone(), self.sources[source].lanczos3(size.0, size.1));
        }
        let psnr = picture.psnr(&self.resized[&key]);
        Ok(Measured { size, bytes: path.metadata()?.len(), psnr })
    }
}
