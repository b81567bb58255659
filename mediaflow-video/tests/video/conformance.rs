//! What every backend and every operation keeps to.

use mediaflow_core::Inputs;
use mediaflow_core::testing::{exercise_backend, exercise_operation};
use mediaflow_video::{Mp4, Preset, VideoBackend};

use crate::common::{Bench, clip, file, variant};

#[tokio::test]
async fn the_backend() {
    let bench = Bench::new();
    let front = variant(&bench, "front.mov", &["-t", "1", "-c", "copy", "-movflags", "+faststart"]);
    exercise_backend(&VideoBackend::new(), &[file(&clip()).unwrap(), file(&front).unwrap()]).await;
}

#[tokio::test]
async fn the_encoder() {
    let bench = Bench::new();
    let short = variant(&bench, "short.mp4", &["-t", "0.5", "-c", "copy"]);
    let encoder = Mp4::crf(30).preset(Preset::Ultrafast);
    exercise_operation(encoder, Inputs::one(file(&short).unwrap())).await;
}
