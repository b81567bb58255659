//! Through the durable outbox: events of jobs that have ended are routed, sent as signed webhooks and written down.
//!
//! The jobs live in a process without a notifier, so that what they have to tell lies in the store. Then a process comes that has
//! one. The time runs from before its start until the database says of all messages that they are delivered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mediaflow::notify::{Recipient, Recipients};
use mediaflow::prelude::*;

use super::report::{Goal, Report, median, range};
use super::sink::{Manner, Sink};
use super::site::{Place, Site};
use super::sql::Database;
use super::webhooks::{once, verified};
use super::{KINDS, Result, SECRET, cpu, host, soon, step};

/// Jobs of a round, and how many of what they tell of.
const JOBS: usize = 2_500;
const EVENTS: usize = JOBS * KINDS.len();
/// Of so many requests one is verified.
const VERIFIED: usize = 100;

/// Messages each second.
const GOAL: Goal = Goal::AtLeast(2_000.0);

/// Where messages go.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// All to the host's own endpoint.
    Own,
    /// To addresses at so many origins, which the host looks up.
    Many(usize),
}

impl Way {
    fn origins(self) -> usize {
        match self {
            Self::Own => 1,
            Self::Many(origins) => origins,
        }
    }
}

/// Each event has one recipient, by its name.
#[derive(Debug)]
struct Spread(Vec<SocketAddr>);

#[async_trait]
impl Recipients for Spread {
    async fn find(
        &self,
        event: &Event,
        configured: Vec<Recipient>,
    ) -> mediaflow::Result<Vec<Recipient>> {
        let number: usize = event.id.to_string().bytes().map(usize::from).sum();
        let to = format!("http://{}/hooks/media", self.0[number % self.0.len()]);
        Ok(configured.into_iter().map(|recipient| recipient.to(&to)).collect())
    }
}

pub(crate) async fn measure(site: &Site, rounds: usize, report: &mut Report) -> Result<()> {
    for (name, way) in [("outbox", Way::Own), ("outbox-many", Way::Many(64))] {
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let (rate, cost) = told(site, way).await?;
            // The first one warms up.
            if round > 0 {
                rates.push(rate);
                costs.push(cost);
            }
        }
        let note = format!(
            "{EVENTS} events, {} destinations; {:.2} ms CPU each, the sink's and the server's included; {}",
            way.origins(),
            median(&costs),
            range(&rates)
        );
        report.figure(site, name, median(&rates), "messages/s", GOAL, &note);
    }
    Ok(())
}

/// Messages per second, and milliseconds of processor time for each.
async fn told(site: &Site, way: Way) -> Result<(f64, f64)> {
    let place = site.fresh().await?;
    lived(&place).await?;
    let database = Database::open(place.clone()).await?;
    let sink = Sink::start(way.origins(), Manner::Answers(VERIFIED))?;

    let (begin, before) = (Instant::now(), cpu::here() + cpu::server(site)?);
    let media = telling(&place, way, &sink).await?;
    soon("all that is told", arrived(&sink)).await?;
    let delivered = "SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'";
    soon("what is written of it", until(&database, delivered, EVENTS)).await??;
    let (took, used) = (begin.elapsed(), cpu::here() + cpu::server(site)? - before);

    // Those of which nobody is told are the last ones, perhaps.
    let unrouted = "SELECT count(*) FROM mediaflow_unrouted";
    soon("the rest of the events", until(&database, unrouted, 0)).await??;
    host::stop(media).await?;
    let at_once = database.int(&format!("{delivered} AND attempts = 1")).await?;
    if usize::try_from(at_once)? != EVENTS {
        return Err(format!("only {at_once} messages were delivered with one attempt").into());
    }
    let names = database.texts("SELECT uid FROM mediaflow_messages").await?;
    let names = names.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>()?;
    let (arrivals, requests) = sink.take();
    once(&names, &arrivals)?;
    verified(&requests, EVENTS / VERIFIED)?;
    Ok((EVENTS as f64 / took.as_secs_f64(), used / EVENTS as f64))
}

/// Jobs live and end, and nobody is told.
async fn lived(place: &Place) -> Result<()> {
    let media = host::worker(place).await?;
    let jobs = (0..JOBS).map(|_| step::job(step::number())).collect::<Result<Vec<_>>>()?;
    let batch = media.eager(jobs).await?;
    soon("the end of all jobs", batch.done()).await??;
    host::stop(media).await
}

/// A process that tells of what is there.
async fn telling(place: &Place, way: Way, sink: &Sink) -> Result<Mediaflow> {
    let hook = Webhook::to(sink.url()).sign(SECRET).on(KINDS);
    let allow = |hook: Webhook, address: &SocketAddr| hook.allow_private(&address.to_string());
    let hook = sink.addresses.iter().fold(hook, allow);
    let builder = Mediaflow::builder()
        .engine(place.queue())
        .with(step::operations)
        .storage("out", "memory:")
        .notify(hook);
    let builder = match way {
        Way::Own => builder,
        Way::Many(_) => builder.recipients(Spread(sink.addresses.clone())),
    };
    Ok(builder.start().await?)
}

/// Asks nothing of the database while there is much to do.
async fn arrived(sink: &Sink) {
    while sink.number() < EVENTS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until(database: &Database, count: &str, number: usize) -> Result<()> {
    while usize::try_from(database.int(count).await?)? != number {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
