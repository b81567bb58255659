//! What every reader and every backend keeps to.

use mediaflow_core::testing::{exercise_backend, exercise_reader};
use mediaflow_video::{VideoBackend, VideoReader};

use crate::common::{Bench, clip, file, variant};

#[tokio::test]
async fn the_reader_and_the_backend() {
    let bench = Bench::new();
    let front = variant(&bench, "front.mov", &["-t", "1", "-c", "copy", "-movflags", "+faststart"]);
    let samples = [file(&clip()).unwrap(), file(&front).unwrap()];
    exercise_reader(&VideoReader::new(), &samples).await;
    let known = [
        (samples[0].clone(), bench.probe(&clip()).await.unwrap()),
        (samples[1].clone(), bench.probe(&front).await.unwrap()),
    ];
    exercise_backend(&VideoBackend::new(), &known).await;
}
