//! Many events in few messages: one for each of a hundred tenants, by a rule with a digest.
//!
//! The events lie in the store when the process comes that has the rule: what is routed is put together at once, and sent when
//! the window of its first event ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use mediaflow::Timestamp;
use mediaflow::notify::{GroupBy, Route};
use mediaflow::prelude::*;
use serde::Deserialize;

use super::report::{Goal, Report};
use super::sink::{Manner, Request, Sink};
use super::site::{Place, Site};
use super::sql::Database;
use super::{Result, SECRET, host, soon, step};

/// Events, and how many tenants they are of.
const EVENTS: usize = 10_000;
const TENANTS: usize = 100;
/// Jobs that are submitted at once.
const BATCH: usize = 1_000;
/// All events are routed long before that.
const WINDOW: Duration = Duration::from_secs(20);

/// A body, as far as it is looked at.
#[derive(Deserialize)]
struct Body {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    events: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    id: String,
}

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    submitted(&place).await?;
    let database = Database::open(place.clone()).await?;
    // A large batch is let go a part at a time.
    database.until("SELECT count(*) FROM mediaflow_unrouted", EVENTS as i64).await?;
    let told = database.texts("SELECT id FROM mediaflow_events WHERE kind = 'job.created'").await?;
    let told: BTreeSet<String> = told.into_iter().collect();
    let sink = Sink::start(1, Manner::Answers(1))?;

    let begin = Instant::now();
    let media = telling(&place, &sink).await?;
    let unrouted = "SELECT count(*) FROM mediaflow_unrouted";
    database.until(unrouted, 0).await?;
    let routed = begin.elapsed();
    let left = "SELECT count(*) FROM mediaflow_messages WHERE state <> 'delivered'";
    soon("the end of the window", database.until(left, 0)).await??;
    host::stop(media).await?;

    let (_, requests) = sink.take();
    requests.iter().try_for_each(|request| request.verify(SECRET))?;
    let came = requests.iter().map(events).collect::<Result<Vec<_>>>()?.concat();
    let once: BTreeSet<String> = came.iter().cloned().collect();
    let (missing, twice) = (told.difference(&once).count(), came.len() - once.len());
    if missing > 0 || twice > 0 || told.len() != EVENTS || once.len() != EVENTS {
        return Err(
            format!("of {} events {missing} are missing, {twice} came twice", told.len()).into()
        );
    }
    let note = format!(
        "{EVENTS} events of {TENANTS} tenants, none missing, none twice; {:.0} events/s routed",
        EVENTS as f64 / routed.as_secs_f64()
    );
    let goal = Goal::AtMost(TENANTS as f64);
    report.figure(site, "digest", requests.len() as f64, "messages", goal, &note);
    Ok(())
}

/// Jobs that do not run, and of whose creation nobody has been told.
async fn submitted(place: &Place) -> Result<()> {
    let media = host::submitter(place).await?;
    let never = Timestamp::from(SystemTime::now()).plus(Duration::from_secs(86_400));
    let job = |number: usize| -> Result<JobSpec> {
        let options =
            JobOptions::new().run_at(never).tenant(format!("tenant-{}", number % TENANTS));
        Ok(JobSpec::new(&step::job(step::number())?)?.with_options(options))
    };
    for first in (0..EVENTS).step_by(BATCH) {
        let jobs = (first..first + BATCH).map(job).collect::<Result<Vec<_>>>()?;
        media.eager(jobs).await?;
    }
    host::stop(media).await
}

async fn telling(place: &Place, sink: &Sink) -> Result<Mediaflow> {
    let hook = Webhook::to(sink.url()).sign(SECRET);
    let digest = Route::on([JobCreated]).to("webhook").digest(WINDOW).group_by(GroupBy::Tenant);
    let builder = Mediaflow::builder()
        .engine(place.queue())
        .with(step::operations)
        .storage("out", "memory:")
        .notify(hook.allow_private(&sink.addresses[0].to_string()))
        .route(digest);
    Ok(builder.start().await?)
}

fn events(request: &Request) -> Result<Vec<String>> {
    let body: Body = serde_json::from_slice(&request.body)?;
    Ok(body.data.events.into_iter().map(|event| event.id).collect())
}
