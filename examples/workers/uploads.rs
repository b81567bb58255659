//! What is submitted: photos by themselves, a batch, and one job so large that it is split into parts.

use mediaflow::prelude::*;
use mediaflow::{BatchId, JobId};

use crate::Anyhow;

const PHOTOS: [&str; 3] = ["spaniels.jpg", "fig.jpg", "coffee.png"];
const SINGLE: u32 = 200;
const BATCH: u32 = 40;
const SHEET: u32 = 300;

/// The names under which everything can be found again.
pub(crate) struct Submitted {
    pub(crate) jobs: Vec<JobId>,
    batch: BatchId,
}

pub(crate) async fn submit(media: &Mediaflow) -> Anyhow<Submitted> {
    let mut jobs = Vec::new();
    for number in 0..SINGLE / 2 {
        jobs.push(media.submit(photo(number)?).await?.id());
    }
    // Its parts go before everything that waits.
    jobs.push(media.job(sheet()?).priority(1).submit().await?.id());
    let pictures = (SINGLE..SINGLE + BATCH).map(photo).collect::<mediaflow::Result<Vec<_>>>()?;
    let batch = media.eager(pictures).await?;
    jobs.extend(batch.jobs().map(|job| job.id()));
    for number in SINGLE / 2..SINGLE {
        jobs.push(media.submit(photo(number)?).await?.id());
    }
    Ok(Submitted { jobs, batch: batch.id() })
}

impl Submitted {
    /// Waits until every job has ended, however it ended.
    pub(crate) async fn ended(&self, media: &Mediaflow) -> Anyhow<()> {
        for job in &self.jobs {
            media.handle(*job).ended().await?;
        }
        Ok(())
    }

    /// One for each job, and one for the batch.
    pub(crate) fn webhooks(&self) -> usize {
        self.jobs.len() + 1
    }

    /// The names of jobs and batch, as they are stored.
    pub(crate) fn names(&self) -> Vec<String> {
        let jobs = self.jobs.iter().map(ToString::to_string);
        jobs.chain([self.batch.to_string()]).collect()
    }
}

/// Three renditions from one decode. No two jobs wish for the same, so that every one is made.
fn photo(number: u32) -> mediaflow::Result<Pipeline> {
    let (size, place) = (60 + number, format!("public/{number:03}"));
    let name = PHOTOS[number as usize % PHOTOS.len()];
    Pipeline::from(format!("uploads/{name}"))
        .output(format!("{place}/large.webp"), |photo| {
            photo.resize((2 * size, 2 * size, Fit::Inside)).webp(80)
        })
        .output(format!("{place}/card.jpg"), |photo| {
            photo.resize((size + size / 2, size, Fit::Cover)).jpeg(80)
        })
        .output(format!("{place}/thumb.png"), |photo| photo.resize((size, size, Fit::Cover)).png())
        .build()
}

/// One photo in 300 sizes.
fn sheet() -> mediaflow::Result<Pipeline> {
    let whole = Pipeline::from("uploads/fig.jpg");
    (0..SHEET)
        .fold(whole, |sheet, number| {
            sheet.output(format!("public/sheet/{number:03}.jpg"), |photo| {
                photo.resize((20 + number, 20 + number, Fit::Cover)).jpeg(75)
            })
        })
        .build()
}
