//! Files, and what libjpeg-turbo makes of them.

use std::path::Path;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use mediaflow_jpeg::{Control, Failure, Jpeg, Planes};
use turbojpeg::{Compressor, Decompressor, Image, PixelFormat, ScalingFactor, Subsamp, YuvImage};

pub(crate) const EIGHTH: ScalingFactor = ScalingFactor::ONE_EIGHTH;

pub(crate) fn photo(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/media");
    std::fs::read(folder.join(name)).unwrap()
}

pub(crate) fn eighth(bytes: &[u8]) -> Result<Planes, Failure> {
    Jpeg::parse(bytes)?.eighth(&Control::new(1 << 30))
}

pub(crate) fn quarter(bytes: &[u8]) -> Result<Planes, Failure> {
    Jpeg::parse(bytes)?.quarter(&Control::new(1 << 30))
}

/// From means alone.
pub(crate) fn coarse(bytes: &[u8]) -> Result<Planes, Failure> {
    Jpeg::parse(bytes)?.eighth(&Control::new(1 << 30).coarse())
}

/// Something like a photo: slopes, edges, and noise where it is rough.
pub(crate) fn picture(width: usize, height: usize, channels: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut pixels = Vec::with_capacity(width * height * channels);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..channels {
                let slope = (x * (3 + channel) + y * 2) / 7;
                let edge = if (x / 23 + y / 17) % 3 == channel % 3 { 90 } else { 0 };
                let rough = if (x / 64 + y / 64) % 2 == 0 { random.usize(0..60) } else { 0 };
                pixels.push(u8::try_from((slope + edge + rough) % 256).unwrap());
            }
        }
    }
    pixels
}

/// By libjpeg-turbo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) size: (usize, usize),
    pub(crate) subsamp: Subsamp,
    pub(crate) quality: i32,
    pub(crate) optimize: bool,
    pub(crate) progressive: bool,
}

impl Made {
    pub(crate) fn file(self, seed: u64) -> Vec<u8> {
        let (width, height) = self.size;
        let grey = self.subsamp == Subsamp::Gray;
        let channels = if grey { 1 } else { 3 };
        let pixels = picture(width, height, channels, seed);
        let mut encoder = Compressor::new().unwrap();
        encoder.set_quality(self.quality).unwrap();
        encoder.set_subsamp(self.subsamp).unwrap();
        encoder.set_optimize(self.optimize).unwrap();
        encoder.set_progressive(self.progressive).unwrap();
        let format = if grey { PixelFormat::GRAY } else { PixelFormat::RGB };
        let image = Image { pixels: &pixels[..], width, pitch: width * channels, height, format };
        encoder.compress_to_vec(image).unwrap()
    }
}

/// By an encoder that writes restarts.
pub(crate) fn with_restarts(
    (width, height): (u16, u16),
    sampling: Option<SamplingFactor>,
    every: u16,
    progressive: bool,
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 85);
    encoder.set_restart_interval(every);
    encoder.set_progressive(progressive);
    let (channels, kind) = match sampling {
        Some(sampling) => {
            encoder.set_sampling_factor(sampling);
            (3, ColorType::Rgb)
        }
        None => (1, ColorType::Luma),
    };
    let pixels = picture(width.into(), height.into(), channels, u64::from(every));
    encoder.encode(&pixels, width, height, kind).unwrap();
    file
}

/// By an encoder that writes a scan for each component; with restarts, after 0 there are none, of some samplings only.
pub(crate) fn in_scans(
    (width, height): (u16, u16),
    sampling: SamplingFactor,
    every: u16,
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 85);
    match every {
        0 => encoder.set_optimized_huffman_tables(true),
        // Its optimised codes take no notice of them.
        _ => encoder.set_restart_interval(every),
    }
    encoder.set_sampling_factor(sampling);
    let pixels = picture(width.into(), height.into(), 3, u64::from(every));
    encoder.encode(&pixels, width, height, ColorType::Rgb).unwrap();
    file
}

/// The planes that libjpeg-turbo gives, cut to what belongs to the picture.
pub(crate) fn turbo_planes(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = Decompressor::new().unwrap();
    let header = decoder.read_header(bytes).unwrap();
    decoder.set_scaling_factor(EIGHTH).unwrap();
    let (width, height) = (EIGHTH.scale(header.width), EIGHTH.scale(header.height));
    let len = turbojpeg::yuv_pixels_len(width, 1, height, header.subsamp).unwrap();
    let pixels = vec![0; len];
    let mut image = YuvImage { pixels, width, align: 1, height, subsamp: header.subsamp };
    decoder.decompress_to_yuv(bytes, image.as_deref_mut()).unwrap();
    let grey = header.subsamp == Subsamp::Gray;
    let (across, down) = if grey { (1, 1) } else { header.subsamp.size() };
    let luma = (image.y_size(), (width, height));
    let chroma = (image.uv_size(), (width.div_ceil(across), height.div_ceil(down)));
    let mut planes = Vec::new();
    let mut at = 0;
    for ((stride, rows), (width, height)) in
        [luma, chroma, chroma].into_iter().take(if grey { 1 } else { 3 })
    {
        let plane = image.pixels[at..at + stride * rows].chunks_exact(stride).take(height);
        planes.push(plane.flat_map(|row| &row[..width]).copied().collect());
        at += stride * rows;
    }
    planes
}

/// The pixels that libjpeg-turbo gives at this scale.
pub(crate) fn turbo_pixels(bytes: &[u8], scale: ScalingFactor) -> Vec<u8> {
    let mut decoder = Decompressor::new().unwrap();
    let header = decoder.read_header(bytes).unwrap();
    decoder.set_scaling_factor(scale).unwrap();
    let (width, height) = (scale.scale(header.width), scale.scale(header.height));
    let (channels, format) = match header.subsamp {
        Subsamp::Gray => (1, PixelFormat::GRAY),
        _ => (3, PixelFormat::RGB),
    };
    let mut pixels = vec![0; width * height * channels];
    let pitch = width * channels;
    let image = Image { pixels: &mut pixels[..], width, pitch, height, format };
    decoder.decompress(bytes, image).unwrap();
    pixels
}

/// How alike pixels are, in dB.
pub(crate) fn psnr(ours: &[u8], theirs: &[u8]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
    let sum: u64 = ours.iter().zip(theirs).map(square).sum();
    let count = u32::try_from(ours.len()).unwrap();
    10.0 * (255.0 * 255.0 * f64::from(count) / f64::from(u32::try_from(sum).unwrap())).log10()
}

pub(crate) fn our_planes(planes: &Planes) -> Vec<Vec<u8>> {
    let rows = |plane: &mediaflow_jpeg::Plane| {
        (0..plane.height()).flat_map(|y| plane.row(y)).copied().collect()
    };
    planes.planes().iter().map(rows).collect()
}

/// Warnings of libjpeg-turbo after which every pixel is what it was.
const HARMLESS: [&str; 3] =
    ["extraneous bytes before marker", "Adobe color transform code", "JFIF revision number"];

pub(crate) fn is_harmless(said: &str) -> bool {
    HARMLESS.iter().any(|known| said.contains(known))
}

/// What libjpeg-turbo says of a file, if it says anything.
pub(crate) fn turbo_verdict(bytes: &[u8]) -> Result<(), String> {
    let mut decoder = Decompressor::new().unwrap();
    let header = decoder.read_header(bytes).map_err(|e| e.to_string())?;
    decoder.set_scaling_factor(EIGHTH).unwrap();
    let (width, height) = (EIGHTH.scale(header.width), EIGHTH.scale(header.height));
    let mut pixels = vec![0; width * height * 3];
    let format = PixelFormat::RGB;
    let image = Image { pixels: &mut pixels[..], width, pitch: width * 3, height, format };
    decoder.decompress(bytes, image).map_err(|e| e.to_string())
}

/// Where the first marker of this name begins.
pub(crate) fn place(jpeg: &[u8], marker: u8) -> usize {
    jpeg.windows(2).position(|pair| pair == [0xFF, marker]).unwrap()
}
