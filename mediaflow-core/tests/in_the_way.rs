//! What is not needed now is in nobody's way: jobs of one class do not hold up those of another, and what nobody takes any more is
//! not kept.
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mediaflow_core::media::{Depth, Format, Image, Layout, MediaInfo};
use mediaflow_core::plan::CostClass;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobOptions, JobSpec, Pipeline};
use mediaflow_core::testing::{Behaviour, FakeBackend, FakeWork, dot, soon};
use mediaflow_core::{
    Inputs, Mediaflow, OpContext, Operation, Outputs, Result, Run, Takes, async_trait,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// Lets so many films end.
static ENDS: Semaphore = Semaphore::const_new(0);

/// Takes hours.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Film {}

impl Operation for Film {
    const KIND: &'static str = "test.film";
}

#[async_trait]
impl Run for Film {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        ENDS.acquire().await.expect("open").forget();
        Ok(Outputs::one(inputs.into_first()?))
    }

    fn class() -> CostClass {
        CostClass::Video
    }
}

#[tokio::test]
async fn films_that_wait_for_the_one_place_for_them_hold_up_no_thumbnail() {
    let fake = FakeBackend::new();
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        .with(fake.operations())
        .with(|registry| {
            registry.operation::<Film>();
        })
        .start()
        .await
        .unwrap();
    let film = |n: usize| {
        let film = Pipeline::from(dot())
            .output(format!("public/film-{n}.gif"), |dot| dot.then(Film {}))
            .build()
            .unwrap();
        // Time that is spent waiting for a place is none of it.
        let options = JobOptions::new().deadline(Duration::from_secs(3600));
        JobSpec::new(&film).unwrap().with_options(options)
    };
    // More than there are places for thumbnails.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = 4 * cores + 3;
    let mut films = Vec::new();
    for n in 0..count {
        films.push(media.submit(film(n)).await.unwrap());
    }
    for n in 0..5 {
        let small = Pipeline::from(dot())
            .output(format!("public/{n}.gif"), |dot| dot.then(FakeWork::new("small")))
            .build()
            .unwrap();
        soon("a thumbnail", media.submit(small).await.unwrap().done()).await.unwrap();
    }
    let mut begun = 0;
    for film in &films {
        let status = film.status().await.unwrap();
        begun += status.attempts;
        assert!(matches!(status.state, JobState::Queued | JobState::Running), "{status:?}");
    }
    assert_eq!(begun, 1, "the others have not begun, and no deadline runs");
    ENDS.add_permits(count);
    for film in films {
        let report = soon("a film", film.done()).await.unwrap();
        assert_eq!(report.attempts, 1);
    }
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Pictures that are there.
static PICTURES: AtomicUsize = AtomicUsize::new(0);

struct Counted(Vec<u8>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        PICTURES.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A new picture, whatever it is given.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Anew {
    n: u8,
}

impl Operation for Anew {
    const KIND: &'static str = "test.anew";

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(MediaInfo::still(Format::RAW, 8, 8).with_channels(1))
    }
}

#[async_trait]
impl Run for Anew {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        PICTURES.fetch_add(1, Ordering::SeqCst);
        let pixels = Bytes::from_owner(Counted(vec![self.n; 64]));
        Ok(Outputs::one(Image::typed(8, 8, Layout::Gray, Depth::Eight, pixels)?))
    }
}

#[tokio::test]
async fn a_result_that_nobody_takes_any_more_is_dropped_at_once() {
    let fake = FakeBackend::new();
    fake.script("last", [Behaviour::Block]);
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        .with(fake.operations())
        .with(|registry| {
            registry.operation::<Anew>();
        })
        .start()
        .await
        .unwrap();
    let job = Pipeline::from(dot())
        .output("public/last.gif", |dot| {
            let pictures = (0..20).fold(dot, |picture, n| picture.then(Anew { n }));
            pictures.then(FakeWork::new("last"))
        })
        .build()
        .unwrap();
    let job = media.submit(job).await.unwrap();
    fake.begun("last", 1).await;
    let left = PICTURES.load(Ordering::SeqCst);
    assert!(left <= 1, "{left} pictures are there, and one step works");
    fake.release();
    soon("the end", job.done()).await.unwrap();
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}
