//! A job that is too large for one worker: split into parts, interrupted half-way, and finished by others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use mediaflow::prelude::*;
use mediaflow::report::{JobState, OutputState, Report};
use mediaflow::testing::soon;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

const OUTPUTS: usize = 300;
/// A part has 8 outputs.
const PARTS: usize = OUTPUTS.div_ceil(8);
/// How many parts one worker has in hand at once.
const HANDS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_300_outputs_outlives_the_worker_that_took_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = worker(folder.path()).await;
    let second = worker(folder.path()).await;
    let rows = read(folder.path()).await;

    let mut events = first.events();
    let job = first.submit(sheet()).await.unwrap().id();
    let half = async {
        while done(&rows).await.len() < PARTS / 2 {
            events.next().await.expect("a worker hears of its job").expect("an event");
        }
    };
    soon("half of the job", half).await;
    first.shutdown(Duration::ZERO).await.unwrap();
    let before = done(&rows).await;
    assert!(before.len() < PARTS, "the job was over before it was interrupted");

    let third = worker(folder.path()).await;
    let report = soon("end of the job", third.handle(job).done()).await.unwrap();
    verify(folder.path(), &third, &report).await;

    let after = done(&rows).await;
    assert_eq!(after.len(), PARTS);
    for (part, token) in &before {
        assert_eq!(after[part], *token, "part {part} was done, and was begun again");
    }
    // Each beginning takes the next token.
    let begun = usize::try_from(after.values().sum::<i64>()).unwrap();
    assert!(begun <= PARTS + HANDS, "{begun} parts were begun: more than were interrupted");
    assert_eq!(
        number(&rows, "SELECT count(*) FROM mediaflow_events WHERE kind = 'output.ready'").await,
        300
    );
    assert_eq!(
        number(&rows, "SELECT count(*) FROM mediaflow_events WHERE kind = 'job.completed'").await,
        1
    );
    assert!(number(&rows, WORKERS).await >= 2, "one worker made all parts");

    second.shutdown(Duration::from_secs(5)).await.unwrap();
    third.shutdown(Duration::from_secs(5)).await.unwrap();
    let staged = fs::read_dir(folder.path().join("public/.mediaflow")).map_or(0, Iterator::count);
    assert_eq!(staged, 0, "results of attempts that did not count were left behind");
}

/// River writes down to whom it gave a part.
const WORKERS: &str = "SELECT count(DISTINCT json_extract(attempted_by, '$[#-1]')) FROM river_job
    WHERE kind = 'mediaflow.part' AND state = 'completed'";

async fn worker(folder: &Path) -> Mediaflow {
    Mediaflow::builder()
        .engine(Sqlite::open(folder.join("jobs.db")))
        .storage("uploads", concat!("file:", env!("CARGO_MANIFEST_DIR"), "/examples/media"))
        .storage("public", &format!("file:{}", folder.join("public").display()))
        .with(image::operations)
        .places("image", HANDS)
        .start()
        .await
        .unwrap()
}

/// One photo, 300 times: JPEG, PNG and WebP, from 16 to 64 pixels wide.
fn sheet() -> Pipeline {
    let sheet = (0..OUTPUTS).fold(Pipeline::from("uploads/spaniels.jpg"), |sheet, index| {
        let (width, height, format) = look(index);
        sheet.output(format!("public/{index:03}.{format}"), |photo| {
            let small = photo.resize((width, height, Fit::Cover));
            match format {
                "jpg" => small.jpeg(70),
                "png" => small.png(),
                _ => small.webp(70),
            }
        })
    });
    sheet.build().unwrap()
}

fn look(index: usize) -> (u32, u32, &'static str) {
    let index = u32::try_from(index).unwrap();
    (16 + index % 49, 16 + index / 7, ["jpg", "png", "webp"][index as usize % 3])
}

/// Every output is in its place, of the right kind and size, and as long as the report says.
async fn verify(folder: &Path, media: &Mediaflow, report: &Report) {
    assert_eq!((report.state, report.outputs.len()), (JobState::Succeeded, OUTPUTS));
    for (index, output) in report.outputs.iter().enumerate() {
        let (width, height, format) = look(index);
        assert_eq!(output.output, format!("public/{index:03}.{format}"));
        assert_eq!(output.state, OutputState::Published);
        let found = media.probe(output.output.as_str()).await.unwrap();
        assert_eq!((found.width, found.height), (width, height), "{}", output.output);
        assert_eq!(Some(found.format), output.format);
        let bytes = fs::metadata(folder.join(&output.output)).unwrap().len();
        assert_eq!(bytes, output.bytes, "{}", output.output);
    }
}

async fn read(folder: &Path) -> SqlitePool {
    let file = SqliteConnectOptions::new().filename(folder.join("jobs.db")).read_only(true);
    SqlitePoolOptions::new().max_connections(1).connect_with(file).await.unwrap()
}

/// The parts that are done, each with the token of the attempt that did it.
async fn done(rows: &SqlitePool) -> BTreeMap<i64, i64> {
    let find = "SELECT number, fence FROM mediaflow_parts WHERE state = 'done'";
    sqlx::query_as::<_, (i64, i64)>(find).fetch_all(rows).await.unwrap().into_iter().collect()
}

async fn number(rows: &SqlitePool, count: &'static str) -> i64 {
    sqlx::query_scalar(count).fetch_one(rows).await.unwrap()
}
