//! Whatever works on pixels looks whether to stop, often enough: shown by counting looks, without a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mediaflow_core::geometry::Gravity;
use mediaflow_core::media::{Image, MediaFile, Scratch};
use mediaflow_core::ops::{
    Blur, Border, Brightness, Clahe, Duotone, Entropy, Extend, Flatten, Grayscale, Median,
    Normalize, Pixelate, Posterize, Radius, Resize, Rotate, Saturation, Sepia, Shadow, Sharpen,
    Sharpness, Threshold, Tint, TrimBorders, Vignette, Watermark,
};
use mediaflow_core::{
    AnyOperation, CancellationToken, Clock, Color, CpuPool, ErrorKind, Inputs, RunContext,
    Timestamp, async_trait,
};
use mediaflow_image::{Jpeg, Png, Webp};

use crate::support::{Branches, as_png, noise, photo, run_in};

/// A clock that counts how often it is read, and cancels a job at one of these times: whoever looks whether to stop reads it.
#[derive(Debug)]
struct Looks {
    count: AtomicUsize,
    last: usize,
    cancel: CancellationToken,
}

#[async_trait]
impl Clock for Looks {
    fn now(&self) -> Timestamp {
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.last {
            self.cancel.cancel();
        }
        Timestamp::from_millis(0)
    }

    async fn sleep_until(&self, _when: Timestamp) {
        std::future::pending::<()>().await;
    }
}

fn counting(last: usize) -> (Arc<Looks>, RunContext) {
    let cancel = CancellationToken::new();
    let looks = Arc::new(Looks { count: AtomicUsize::new(0), last, cancel: cancel.clone() });
    let cx = RunContext::builder(CpuPool::new(1), Scratch::in_folder(std::env::temp_dir()))
        .clock(Arc::clone(&looks) as _)
        .cancellation(cancel)
        .build(None);
    (looks, cx)
}

/// How often it was looked in all, and whether the job was stopped, which is cancelled at that look.
async fn looks(operation: &AnyOperation, inputs: Inputs, last: usize) -> (usize, bool) {
    let (looks, cx) = counting(last);
    let stopped = match run_in(operation.clone(), inputs, &cx).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{operation:?}: {error}");
            true
        }
    };
    (looks.count.load(Ordering::Relaxed), stopped)
}

/// Between two looks there are no more bytes than these: a thousandth of 80 megapixels.
const BAND: usize = 1 << 18;

/// Runs it to its end, and again with a stop in the middle.
pub(crate) async fn stops(operation: AnyOperation, inputs: Inputs, bytes: usize) {
    let (all, stopped) = looks(&operation, inputs.clone(), usize::MAX).await;
    assert!(!stopped);
    assert!(all >= bytes / BAND, "{operation:?}: {all} looks at {bytes} bytes");
    let middle = all / 2;
    let (until, stopped) = looks(&operation, inputs, middle).await;
    // The one that sees it, those on the way out, and one for each that waits.
    assert!(stopped && until <= middle + 12, "{operation:?}: {until} looks, stopped at {middle}");
}

#[tokio::test]
async fn every_kernel_looks_band_by_band() {
    for channels in [1, 3, 4] {
        let picture = noise(700, 1500, channels);
        let bytes = picture.pixels().len();
        for operation in [
            AnyOperation::new(Blur::by(0.5)),
            AnyOperation::new(Brightness::by(1.2)),
            AnyOperation::new(Extend::all(2).background(Color::rgb(1, 2, 3))),
            AnyOperation::new(Tint::with(Color::rgb(32, 64, 192))),
            AnyOperation::new(Duotone::new(Color::BLACK, Color::rgb(255, 204, 0))),
            AnyOperation::new(Posterize::to(4)),
            AnyOperation::new(Threshold::default()),
            AnyOperation::new(Normalize::default()),
            AnyOperation::new(Median::of(3)),
            AnyOperation::new(Pixelate::by(8)),
            AnyOperation::new(Vignette::default()),
            AnyOperation::new(Clahe::default()),
            AnyOperation::new(Radius::by(30.0)),
            AnyOperation::new(Border::new(3, Color::rgb(1, 2, 3))),
            AnyOperation::new(Shadow::new(2, 3, 0.5)),
            AnyOperation::new(Rotate::by(90.0)),
            AnyOperation::new(Rotate::by(33.0)),
            AnyOperation::new(Sepia::default()),
            AnyOperation::new(Sharpen::default()),
            AnyOperation::new(Sharpness::at(4096)),
            AnyOperation::new(Entropy::at(4096)),
            AnyOperation::new(TrimBorders::new().background(Color::rgb(1, 2, 3))),
            AnyOperation::new(Resize::cover(350, 1500).gravity(Gravity::Entropy)),
        ] {
            stops(operation, Inputs::one(picture.clone()), bytes).await;
        }
        let logo = Watermark::new().tiled();
        let inputs = Inputs::one(picture.clone()).and("logo", noise(350, 750, 4));
        stops(AnyOperation::new(logo), inputs, bytes).await;
        if channels > 1 {
            stops(AnyOperation::new(Saturation::by(2.0)), Inputs::one(picture.clone()), bytes)
                .await;
            stops(AnyOperation::new(Grayscale::default()), Inputs::one(picture.clone()), bytes)
                .await;
        }
        if channels == 4 {
            stops(AnyOperation::new(Flatten::on(Color::WHITE)), Inputs::one(picture), bytes).await;
        }
    }
}

#[tokio::test]
async fn encoders_that_take_their_time_look_row_by_row() {
    let picture = noise(64, 3000, 3);
    let bytes = picture.pixels().len();
    for operation in [
        AnyOperation::new(Png::new().effort(10)),
        AnyOperation::new(Png::new().effort(6)),
        AnyOperation::new(Webp::quality(50)),
    ] {
        stops(operation, Inputs::one(picture.clone()), 16 * bytes).await;
    }
}

/// What is quick to encode is encoded in one go, unless it is very large.
#[tokio::test]
async fn files_of_many_megapixels_are_encoded_in_strips() {
    let (width, height) = (3000, 3000);
    let rows =
        (0..height).flat_map(|y| (0..width * 3).map(move |x| ((x * 7 + y * 13) % 251) as u8));
    let picture = Image::new(width, height, 3, rows.collect()).unwrap();
    let bytes = picture.pixels().len();
    for how in [
        AnyOperation::new(Jpeg::quality(80)),
        AnyOperation::new(Jpeg::quality(80).progressive()),
        AnyOperation::new(Png::new()),
    ] {
        stops(how, Inputs::one(picture.clone()), bytes).await;
    }
}

/// The pixels of a picture that others hold, too, are copied first.
#[tokio::test]
async fn a_copy_looks_band_by_band() {
    let picture = noise(700, 1500, 4);
    let tint = AnyOperation::new(Tint::with(Color::rgb(32, 64, 192)));
    let (all, _) = looks(&tint, Inputs::one(picture.clone()), usize::MAX).await;
    assert!(all >= 2 * (picture.pixels().len() / BAND), "{all} looks");
}

/// Enough for each band to be multiplied by alpha on its own.
#[tokio::test]
async fn a_resize_with_alpha_sees_what_it_needs_of_each_band() {
    let picture = noise(6000, 4500, 4);
    let small = AnyOperation::new(Resize::width(1500));
    let (_, cx) = counting(usize::MAX);
    let banded = run_in(small.clone(), Inputs::one(picture.clone()), &cx).await.unwrap();
    let banded = banded.into_image().unwrap();
    let (looks, _) = looks(&small, Inputs::one(picture.clone()), usize::MAX).await;
    assert!(looks > 16, "{looks} looks");
    // A strip of it, which is one band, is the same but at its edges.
    let strip = picture.pixels()[..6000 * 4 * 400].to_vec();
    let strip = Image::new(6000, 400, 4, strip).unwrap();
    let strip = run_in(small, Inputs::one(strip), &cx).await.unwrap();
    let (strip, row) = (strip.into_image().unwrap(), 1500 * 4);
    assert!(banded.pixels()[..90 * row] == strip.pixels()[..90 * row]);
}

/// A flat picture is a few kilobytes as a file: its decoder would look hardly ever.
#[tokio::test]
async fn a_pass_over_rows_looks_block_by_block() {
    let picture = Image::new(3000, 4000, 3, vec![9; 3000 * 4000 * 3]).unwrap();
    let bytes = picture.pixels().len();
    let file = as_png(picture).await;
    pauses(file, vec![AnyOperation::new(Resize::width(100))], bytes / (2 * BAND)).await;
}

/// Coefficients are laid down row by row; data that is copied as it stands is looked through before.
#[tokio::test]
async fn a_copy_without_a_loss_looks_row_by_row() {
    let turn = vec![AnyOperation::new(Rotate::by(90.0))];
    for (steps, least) in [(vec![], 40), (turn, 200)] {
        let steps = [steps, vec![AnyOperation::new(Jpeg::default())]].concat();
        pauses(photo("mountains.jpg"), steps, least).await;
    }
}

/// Runs steps on a file to their end, which takes so many looks, and again with a stop in the middle.
async fn pauses(file: MediaFile, steps: Vec<AnyOperation>, least: usize) {
    let ran = |last: usize| {
        let branches = Branches::of(file.clone()).chain("out", steps.clone());
        async move {
            let (looks, cx) = counting(last);
            let done = branches.run_in(&cx).await;
            (looks.count.load(Ordering::Relaxed), done.err().map(|error| error.kind()))
        }
    };
    let (all, error) = ran(usize::MAX).await;
    assert!(error.is_none() && all >= least, "{all} looks, of {least}");
    let (until, error) = ran(all / 2).await;
    assert_eq!(error, Some(ErrorKind::Cancelled));
    assert!(until <= all / 2 + 12, "{until} looks, stopped at {}", all / 2);
}

/// The resampler is so fast that only a picture of many megapixels takes longer than a moment. It is one call for smaller ones.
#[tokio::test]
async fn a_resize_of_many_megapixels_is_done_in_bands_that_fit() {
    let (width, height) = (9000, 6000);
    let rows = (0..height).flat_map(|y| (0..width).map(move |x| ((x * 7 + y * 13) % 251) as u8));
    let picture = Image::new(width, height, 1, rows.collect()).unwrap();
    let small = AnyOperation::new(Resize::width(700));
    stops(small.clone(), Inputs::one(picture.clone()), 16 * BAND).await;
}
