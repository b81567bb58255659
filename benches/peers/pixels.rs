//! Pixels of the benchmark's own: decode, an exact Lanczos3, PSNR. Slow and plain on purpose; it judges the kernels
//! that mediaflow uses, so it shares none with them.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::Result;

/// Interleaved RGB samples of 0 to 255.
#[derive(Debug)]
pub(crate) struct Rgb {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) samples: Vec<f32>,
}

impl Rgb {
    pub(crate) fn decode(path: &Path) -> Result<Self> {
        let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(File::open(path)?));
        let bytes = decoder.decode().map_err(|error| format!("{}: {error}", path.display()))?;
        let info = decoder.info().ok_or("a decoded JPEG without a header")?;
        if info.pixel_format != jpeg_decoder::PixelFormat::RGB24 {
            return Err(format!("{} is not an RGB picture", path.display()).into());
        }
        Ok(Self {
            width: usize::from(info.width),
            height: usize::from(info.height),
            samples: bytes.into_iter().map(f32::from).collect(),
        })
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

/// The source, fully decoded, and its exact resizes so far.
#[derive(Debug)]
pub(crate) struct Reference {
    source: Rgb,
    resized: BTreeMap<(usize, usize), Rgb>,
}

impl Reference {
    pub(crate) fn of(source: &Path) -> Result<Self> {
        Ok(Self { source: Rgb::decode(source)?, resized: BTreeMap::new() })
    }

    pub(crate) fn measure(&mut self, path: &Path) -> Result<Measured> {
        let picture = Rgb::decode(path)?;
        let size = (picture.width, picture.height);
        let exact =
            self.resized.entry(size).or_insert_with(|| self.source.lanczos3(size.0, size.1));
        Ok(Measured { size, bytes: path.metadata()?.len(), psnr: picture.psnr(exact) })
    }
}
