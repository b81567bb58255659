//! Looks: the status of a job, pages of lists, and counts, as calls of a host that works on nothing.

use std::time::Instant;

use mediaflow::inspect::{EventFilter, JobFilter, MessageFilter, Paging};
use mediaflow::report::JobState;
use mediaflow::{JobId, Mediaflow};

use super::prepare::Pair;
use super::report::{Report, median};
use super::site::Site;
use super::sql::Database;
use super::{Costs, Result, host};

/// Calls of one round on each side.
const CALLS: usize = 40;
const PAGE: usize = 50;

const LOOKS: [&str; 8] = [
    "status",
    "page-jobs",
    "page-jobs-behind",
    "page-state",
    "page-events",
    "page-job",
    "page-messages",
    "counts",
];

/// A host on one of the databases, and jobs in it.
struct Looker {
    media: Mediaflow,
    jobs: Vec<JobId>,
    behind: Option<mediaflow::inspect::Cursor>,
}

impl Looker {
    async fn new(database: &Database) -> Result<Self> {
        let media = host::submitter(&database.place).await?;
        // Some from the whole of the table.
        let every = database.int("SELECT count(*) FROM mediaflow_jobs").await? / 200;
        let some = format!(
            "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM mediaflow_jobs) AS x WHERE n % {every} = 0"
        );
        let jobs = database.texts(&some).await?;
        let jobs = jobs.iter().map(|job| job.parse()).collect::<Result<Vec<JobId>, _>>()?;
        let first = media.inspect().jobs(&JobFilter::new(), &Paging::first(PAGE)).await?;
        Ok(Self { media, jobs, behind: first.next })
    }

    /// Does it once. Gives how many milliseconds that took.
    async fn look(&self, what: &str, turn: usize) -> Result<f64> {
        let inspect = self.media.inspect();
        let job = self.jobs[(turn * 37) % self.jobs.len()];
        let page = Paging::first(PAGE);
        let begin = Instant::now();
        let found = match what {
            "status" => self.media.handle(job).status().await.map(|_| PAGE)?,
            "page-jobs" => inspect.jobs(&JobFilter::new(), &page).await?.items.len(),
            "page-jobs-behind" => {
                let page = page.after(self.behind.clone());
                inspect.jobs(&JobFilter::new(), &page).await?.items.len()
            }
            "page-state" => {
                let filter = JobFilter::new().state(JobState::Succeeded);
                inspect.jobs(&filter, &page).await?.items.len()
            }
            "page-events" => inspect.events(&EventFilter::new(), &page).await?.items.len(),
            "page-job" => inspect.job(job).await.map(|_| PAGE)?,
            "page-messages" => inspect.messages(&MessageFilter::new(), &page).await?.items.len(),
            _ => inspect.counts().await.map(|_| PAGE)?,
        };
        let took = begin.elapsed().as_secs_f64() * 1e3;
        if found < PAGE { Err(format!("{what} has only {found}").into()) } else { Ok(took) }
    }
}

pub(crate) async fn measure(
    site: &Site,
    pair: &Pair,
    rounds: usize,
    report: &mut Report,
) -> Result<()> {
    let (full, few) = (Looker::new(&pair.full).await?, Looker::new(&pair.few).await?);
    for what in LOOKS {
        let mut costs = Costs::default();
        for round in 0..=rounds {
            let (mut on_full, mut on_few) = (Vec::new(), Vec::new());
            for turn in 0..CALLS {
                on_full.push(full.look(what, round * CALLS + turn).await?);
                on_few.push(few.look(what, round * CALLS + turn).await?);
            }
            // The first one warms up.
            if round > 0 {
                costs.full.push(median(&on_full));
                costs.few.push(median(&on_few));
            }
        }
        costs.tell(site, report, what);
    }
    host::stop(full.media).await?;
    host::stop(few.media).await
}
