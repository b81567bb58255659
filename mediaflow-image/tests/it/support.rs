//! Pictures to test with, and short ways to run a pipeline.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mediaflow_core::backend::{Backend, Group};
use mediaflow_core::media::{Blob, Format, Image, Media, MediaFile, MediaInfo};
use mediaflow_core::plan::{Demand, Explanation};
use mediaflow_core::{
    AnyOperation, Inputs, Operation, Reader as _, Registry, Result, RunContext, testing,
};
use mediaflow_image::{ImageBackend, ImageReader};
use mediaflow_image::{Jpeg, MetadataPolicy, Png, Webp};

/// A photo that the repository carries.
pub(crate) fn photo(name: &str) -> MediaFile {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/media").join(name);
    sniffed(name, Blob::file(path).unwrap())
}

/// A file that another program has written, or a damaged one, for a test.
pub(crate) fn sample(name: &str) -> MediaFile {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    sniffed(name, Blob::file(path).unwrap())
}

pub(crate) fn file(name: &str, bytes: impl Into<Vec<u8>>) -> MediaFile {
    sniffed(name, Blob::bytes(bytes.into()))
}

/// A file of the format that an engine recognises, also of one that only its reader knows.
fn sniffed(name: &str, blob: Blob) -> MediaFile {
    let mut registry = Registry::new();
    registry.reader(ImageReader::new());
    let format = registry.sniff(&blob.head(Format::SNIFF_BYTES).unwrap());
    MediaFile::new(name, format.unwrap_or_else(|| panic!("{name} is not recognised")), blob)
}

pub(crate) fn bytes(file: &MediaFile) -> Vec<u8> {
    file.blob().read(u64::MAX).unwrap().to_vec()
}

/// A smooth picture in which no two corners are alike.
pub(crate) fn gradient(width: u32, height: u32, channels: u8) -> Image {
    let byte = |value: u32, of: u32| u8::try_from(value * 255 / of.max(1)).unwrap();
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (right, down) = (byte(x, width - 1), byte(y, height - 1));
            match channels {
                1 => pixels.push(right / 2 + down / 2),
                3 => pixels.extend([right, down, 128]),
                _ => pixels.extend([right, down, 128, 255 - right / 2]),
            }
        }
    }
    Image::new(width, height, channels, pixels).unwrap()
}

/// A picture without any order.
pub(crate) fn noise(width: u32, height: u32, channels: u8) -> Image {
    let mut seed = 7_u32;
    let mut byte = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    };
    let count = width * height * u32::from(channels);
    Image::new(width, height, channels, (0..count).map(|_| byte()).collect()).unwrap()
}

/// Runs one step by itself.
pub(crate) async fn run(operation: impl Operation, input: impl Into<Media>) -> Result<Media> {
    run_on(operation, Inputs::one(input)).await
}

pub(crate) async fn run_on(operation: impl Operation, inputs: Inputs) -> Result<Media> {
    run_any(AnyOperation::new(operation), inputs).await
}

pub(crate) async fn run_any(operation: AnyOperation, inputs: Inputs) -> Result<Media> {
    run_in(operation, inputs, &testing::context()).await
}

pub(crate) async fn run_in(
    operation: AnyOperation,
    inputs: Inputs,
    cx: &RunContext,
) -> Result<Media> {
    let names: Vec<_> = (0..inputs.len()).map(|index| format!("in-{index}")).collect();
    let (mut group, mut given) = (Group::new(cx.limits().clone()), Inputs::new());
    for (index, name) in names.iter().enumerate() {
        let input = inputs.get(index)?.clone();
        group = group.with_input(name, input.info(), Demand::FULL);
        given = given.and(name, input);
    }
    let from: Vec<_> = names.iter().map(String::as_str).collect();
    let group = group.with_step("step", operation, &from)?.with_exit("step");
    ImageBackend::new().plan(&group)?.run(given, cx).await?.into_outputs()?.take("step")
}

pub(crate) async fn image(operation: impl Operation, input: impl Into<Media>) -> Image {
    run(operation, input).await.unwrap().into_image().unwrap()
}

pub(crate) async fn as_jpeg(image: Image, quality: u8) -> MediaFile {
    let how = Jpeg::quality(quality).metadata(MetadataPolicy::Keep);
    run(how, image).await.unwrap().into_file().unwrap()
}

pub(crate) async fn as_png(image: Image) -> MediaFile {
    run(Png::new().metadata(MetadataPolicy::Keep), image).await.unwrap().into_file().unwrap()
}

pub(crate) async fn as_webp(image: Image) -> MediaFile {
    run(Webp::lossless(), image).await.unwrap().into_file().unwrap()
}

pub(crate) async fn probe(file: &MediaFile) -> Result<MediaInfo> {
    ImageReader::new().probe(file, &testing::context()).await
}

pub(crate) async fn decode(file: &MediaFile) -> Result<Image> {
    decode_in(file, &testing::context()).await
}

pub(crate) async fn decode_in(file: &MediaFile, cx: &RunContext) -> Result<Image> {
    let group = Group::new(cx.limits().clone())
        .with_input("source", ImageReader::new().probe(file, cx).await?, Demand::FULL)
        .with_exit("source");
    let plan = ImageBackend::new().plan(&group)?;
    plan.run(Inputs::one(file.clone()), cx).await?.into_outputs()?.take("source")?.into_image()
}

/// Several chains of steps on one source, run as one plan: what each chain gives, by its name.
pub(crate) struct Branches {
    source: MediaFile,
    chains: Vec<(String, Vec<AnyOperation>)>,
}

pub(crate) struct Ran {
    pub(crate) results: BTreeMap<String, Result<Media>>,
    pub(crate) explanation: Explanation,
    pub(crate) decodes: u32,
}

impl Branches {
    pub(crate) fn of(source: MediaFile) -> Self {
        Self { source, chains: Vec::new() }
    }

    pub(crate) fn chain(mut self, name: &str, steps: Vec<AnyOperation>) -> Self {
        self.chains.push((name.to_owned(), steps));
        self
    }

    pub(crate) async fn run(self) -> Result<Ran> {
        self.run_in(&testing::context()).await
    }

    pub(crate) async fn run_in(self, cx: &RunContext) -> Result<Ran> {
        let backend = ImageBackend::new();
        let info = ImageReader::new().probe(&self.source, cx).await?;
        let demand = self.chains.iter().try_fold(Demand::NONE, |all, (_, steps)| {
            Ok::<_, mediaflow_core::Error>(all.or(demand(steps, &info)?))
        })?;
        let mut group = Group::new(cx.limits().clone()).with_input("source", info, demand);
        for (name, steps) in &self.chains {
            let mut from = "source".to_owned();
            for (index, step) in steps.iter().enumerate() {
                let last = index + 1 == steps.len();
                let step_name = if last { name.clone() } else { format!("{name}-{index}") };
                group = group.with_step(&step_name, step.clone(), &[&from])?;
                from = step_name;
            }
            group = group.with_exit(name);
        }
        let plan = backend.plan(&group)?;
        let explanation = plan.explain();
        let mut outputs = plan.run(Inputs::one(self.source), cx).await?.into_outputs()?;
        let results =
            self.chains.iter().map(|(name, _)| (name.clone(), outputs.take(name))).collect();
        Ok(Ran { results, explanation, decodes: cx.decodes() })
    }
}

impl Ran {
    pub(crate) fn image(&mut self, name: &str) -> Image {
        self.results.remove(name).unwrap().unwrap().into_image().unwrap()
    }

    pub(crate) fn file(&mut self, name: &str) -> MediaFile {
        self.results.remove(name).unwrap().unwrap().into_file().unwrap()
    }
}

fn demand(steps: &[AnyOperation], info: &MediaInfo) -> Result<Demand> {
    let mut infos = vec![info.clone().decoded()];
    for step in steps {
        infos.push(step.describe(&infos[infos.len() - 1..])?);
    }
    Ok(steps.iter().zip(&infos).rev().fold(Demand::FULL, |wanted, (step, input)| {
        step.demand(wanted, std::slice::from_ref(input))[0]
    }))
}

/// Peak signal-to-noise ratio in decibels; infinite for equal pictures.
pub(crate) fn psnr(a: &Image, b: &Image) -> f64 {
    assert_eq!((a.width(), a.height(), a.channels()), (b.width(), b.height(), b.channels()));
    let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
    #[allow(clippy::cast_precision_loss, reason = "a count")]
    let mean = a.pixels().iter().zip(b.pixels()).map(square).sum::<f64>() / a.pixels().len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

/// Files of other programs in a folder of `tests/data`, each with the picture that it is to show: that of its name before the hyphen.
#[cfg(any(feature = "avif", feature = "bitmaps", feature = "tiff"))]
pub(crate) fn beside(folder: &str) -> Vec<(MediaFile, MediaFile)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    let files = names.iter().filter(|name| !name.ends_with(".png"));
    let shown = |name: &str| format!("{folder}/{}.png", name.split_once('-').unwrap().0);
    files.map(|name| (sample(&format!("{folder}/{name}")), sample(&shown(name)))).collect()
}

/// The same picture: to the bit, but for photos within, whose decoders differ, and for numbers of few bits, which others round down.
#[cfg(any(feature = "bitmaps", feature = "tiff"))]
pub(crate) fn assert_same(found: &Image, wanted: &Image, name: &str) {
    assert_eq!(found.info(), wanted.info(), "{name}");
    let most = found.pixels().iter().zip(wanted.pixels()).map(|(a, b)| a.abs_diff(*b)).max();
    let allowed = if name.contains("photo") { 4 } else { u8::from(name.contains("deep5")) };
    assert!(most.unwrap() <= allowed, "{name}: {} dB", psnr(found, wanted));
}
