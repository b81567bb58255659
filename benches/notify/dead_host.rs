//! A thousand addresses on one dead host, beside a healthy receiver, which must not notice.
//!
//! Two hosts do the same at the same time, each on a database of its own: whatever else the machine does, it does to both. For
//! one of them there are messages for a server that takes requests and never answers. What is compared is the time from an event
//! to its arrival at the healthy receiver.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use mediaflow::prelude::*;
use mediaflow::spec::{JobOptions, JobSpec};
use mediaflow::{DeliveryPolicy, MessageId, Timestamp};
use tokio::time::{MissedTickBehavior, interval};

use super::report::{Goal, Report, median, percentile, range};
use super::sink::{Manner, Sink};
use super::site::Site;
use super::sql::Database;
use super::{Result, SECRET, host, step};

/// Addresses on the dead host, and how many are added at once.
const ADDRESSES: usize = 1000;
const TOGETHER: usize = 100;
/// Jobs of a round at each host, and the time between two: it leaves the machine some air.
const JOBS: usize = 200;
const PACE: Duration = Duration::from_millis(20);
/// Of so many requests one is kept as it came.
const KEPT: usize = 100;

/// The attempts that open the breaker, those that were under way, and probes.
const MOST: usize = 40;

/// A host, its database, and who is told of all that is submitted there.
struct Side {
    media: Mediaflow,
    database: Database,
    healthy: Sink,
    submitted: usize,
}

pub(crate) async fn measure(site: &Site, rounds: usize, report: &mut Report) -> Result<()> {
    let dead = Sink::start(1, Manner::Hangs)?;
    let mut disturbed = Side::start(site, &dead).await?;
    let mut calm = Side::start(site, &dead).await?;
    for side in [&mut disturbed, &mut calm] {
        side.submit().await?;
        side.settles().await?;
    }
    disturbed.doom(&dead).await?;
    disturbed.settles().await?;
    let (mut waits, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for round in 0..=rounds {
        let (at_disturbed, at_calm) = tokio::try_join!(disturbed.round(), calm.round())?;
        // The first one warms up.
        if round > 0 {
            ratios.push(percentile(&at_disturbed, 99) / percentile(&at_calm, 99));
            waits[0].extend(at_disturbed);
            waits[1].extend(at_calm);
        }
    }
    let waiting = "SELECT count(*) FROM mediaflow_messages
                   WHERE channel = 'calls' AND state IN ('pending', 'sending')";
    let waiting = usize::try_from(disturbed.database.int(waiting).await?)?;
    let attempts = dead.number();
    if waiting != ADDRESSES || !(1..=MOST).contains(&attempts) {
        return Err(format!("{waiting} wait for a dead host after {attempts} attempts").into());
    }
    let [storm, peace] = waits.each_ref().map(|waits| percentile(waits, 99));
    let note = format!(
        "{storm:.1} ms, undisturbed {peace:.1} ms, half within {:.1} and {:.1} ms; {ADDRESSES} addresses, {attempts} attempts there; of {} rounds {}",
        median(&waits[0]),
        median(&waits[1]),
        ratios.len(),
        range(&ratios)
    );
    report.figure(site, "dead-host-p99-ratio", storm / peace, "", Goal::AtMost(1.2), &note);
    for side in [disturbed, calm] {
        host::stop(side.media).await?;
    }
    Ok(())
}

impl Side {
    async fn start(site: &Site, dead: &Sink) -> Result<Self> {
        let place = site.fresh().await?;
        let healthy = Sink::start(1, Manner::Answers(KEPT))?;
        let hook = Webhook::to(healthy.url()).name("healthy").sign(SECRET).on([JobCreated]);
        let calls = Webhook::per_job().name("calls").sign(SECRET).on([JobCreated]);
        let calls = calls.timeout(Duration::from_millis(300));
        let media = Mediaflow::builder()
            .engine(place.queue())
            .with(step::operations)
            .storage("out", "memory:")
            .notify(hook.allow_private(&healthy.addresses[0].to_string()))
            .notify(calls.allow_private(&dead.addresses[0].to_string()))
            // It is tried far more often than it would be, and so are its addresses.
            .delivery(DeliveryPolicy {
                schedule: vec![Duration::from_millis(100); 1000],
                breaker_pause: Duration::from_millis(200),
                ..DeliveryPolicy::default()
            })
            .start()
            .await?;
        let database = Database::open(place).await?;
        Ok(Self { media, database, healthy, submitted: 0 })
    }

    /// A job of which the healthy receiver is told.
    async fn submit(&mut self) -> Result<()> {
        self.media.submit(never(JobOptions::new())?).await?;
        self.submitted += 1;
        Ok(())
    }

    /// Jobs of which it is told as well, and an address of each on the dead host.
    async fn doom(&mut self, dead: &Sink) -> Result<()> {
        for first in (0..ADDRESSES).step_by(TOGETHER) {
            let jobs = (first..first + TOGETHER).map(|number| {
                never(JobOptions::new().notify("calls", format!("{}/{number}", dead.url())))
            });
            self.media.eager(jobs.collect::<Result<Vec<_>>>()?).await?;
            self.submitted += TOGETHER;
        }
        Ok(())
    }

    /// Waits until the healthy receiver has all that is for it.
    async fn settles(&self) -> Result<()> {
        let delivered = "SELECT count(*) FROM mediaflow_messages
                         WHERE channel = 'healthy' AND state = 'delivered'";
        self.database.until(delivered, i64::try_from(self.submitted)?).await
    }

    /// How long what is told of jobs is on its way to the healthy receiver, in milliseconds.
    async fn round(&mut self) -> Result<Vec<f64>> {
        let first = self.database.int("SELECT max(seq) FROM mediaflow_events").await?;
        self.healthy.take();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..JOBS {
            pace.tick().await;
            self.submit().await?;
        }
        self.settles().await?;
        let told = format!(
            "SELECT id || ' ' || at FROM mediaflow_events WHERE seq > {first} AND kind = 'job.created'"
        );
        let told = self.database.texts(&told).await?;
        let (arrivals, requests) = self.healthy.take();
        requests.iter().try_for_each(|request| request.verify(SECRET))?;
        let arrived: HashMap<MessageId, f64> =
            arrivals.iter().map(|arrival| (arrival.id, arrival.at)).collect();
        if (told.len(), arrivals.len(), arrived.len()) != (JOBS, JOBS, JOBS) {
            let (events, came) = (told.len(), arrivals.len());
            return Err(format!("{came} messages arrived of {events} events").into());
        }
        let wait = |event: &String| -> Result<f64> {
            let (id, at) = event.split_once(' ').ok_or("an event has no time")?;
            let arrived = arrived.get(&id.parse()?).ok_or("an event did not arrive")?;
            Ok(arrived - at.parse::<f64>()?)
        };
        told.iter().map(wait).collect()
    }
}

/// A job that does not run.
fn never(options: JobOptions) -> Result<JobSpec> {
    let never = Timestamp::from(SystemTime::now()).plus(Duration::from_secs(86_400));
    Ok(JobSpec::new(&step::job(step::number())?)?.with_options(options.run_at(never)))
}
