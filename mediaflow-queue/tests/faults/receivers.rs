//! Receivers that fail beside a healthy one, which must not notice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::{EventKind, Mediaflow};
use mediaflow_notify::Webhook;
use tokio::time::{MissedTickBehavior, interval};

use super::receiver::Receiver;
use super::work::{Toil, copy};
use super::world::World;
use super::{Backing, figure, seed, thorough};

const BAD: [&str; 4] = ["errors", "timeouts", "resets", "slow"];
const KINDS: [EventKind; 4] =
    [EventKind::JobCreated, EventKind::JobStarted, EventKind::OutputReady, EventKind::JobCompleted];

/// Each job gives one delivery for each kind of event and receiver.
const DELIVERIES: usize = KINDS.len() * (BAD.len() + 1);

/// Jobs of a round, and the time between two.
const JOBS: usize = 25;
const PACE: Duration = Duration::from_millis(100);

pub(super) async fn run(backing: Backing) {
    let world = World::new(backing, Duration::from_secs(12)).await;
    let seed = seed();
    println!("receivers.{} seed {seed}", backing.name());
    let receiver = Receiver::start(seed);
    let media = start(&world, &receiver).await;
    // Undisturbed and disturbed by turns, so that both see the same machine.
    let deliveries = if thorough() { 10_000 } else { 500 };
    let turns = (deliveries / DELIVERIES).div_ceil(JOBS).max(1);
    let mut jobs = 0;
    let mut waits: BTreeMap<bool, Vec<Vec<u64>>> = BTreeMap::new();
    // What is done for the first time takes longer.
    load(&media, &mut jobs, JOBS / 5).await;
    world.settles(Duration::from_secs(60)).await;
    for turn in 0..2 * turns {
        let disturbed = turn % 2 == 1;
        receiver.misbehave(if disturbed { 30 } else { 0 });
        let since = last_event(&world).await;
        load(&media, &mut jobs, JOBS).await;
        world.settles(Duration::from_secs(180)).await;
        waits.entry(disturbed).or_default().push(arrivals(&world, &receiver, since).await);
    }
    let [calm, storm] = [false, true].map(|disturbed| waits.remove(&disturbed).unwrap());
    // Of each turn and the one before it, so that a moment in which the machine was busy with something else counts once.
    let mut ratios: Vec<_> =
        calm.iter().zip(&storm).map(|(calm, storm)| ratio(calm, storm)).collect();
    ratios.sort_by(f64::total_cmp);
    let (calm, storm) = (calm.concat(), storm.concat());

    let lost = lost(&world, &receiver).await;
    let tried = receiver.heard();
    let refused = tried.iter().filter(|heard| !heard.accepted).count();
    let events = world.look.count("mediaflow_events WHERE kind <> 'job.progress'").await;
    let sent = world.look.count("mediaflow_messages WHERE state = 'delivered'").await;
    figure("receivers.deliveries", backing, sent, &format!(">= {deliveries}, all that were due"));
    figure("receivers.lost", backing, lost, "0");
    figure("receivers.healthy_p99_ms_undisturbed", backing, p99(&calm), "any");
    figure("receivers.healthy_p99_ms_disturbed", backing, p99(&storm), "any");
    let all = format!("{:.2}", ratio(&calm, &storm));
    figure("receivers.healthy_p99_ratio", backing, all, "<= 1.2");
    let median = format!("{:.2}", ratios[ratios.len() / 2]);
    figure("receivers.healthy_p99_ratio_median_of_turns", backing, median, "<= 1.2");
    println!(
        "receivers.{}: {jobs} jobs, {events} events, {} requests, {refused} of them failed; medians {} and {} ms",
        backing.name(),
        tried.len(),
        percentile(&calm, 50),
        percentile(&storm, 50)
    );
    assert_eq!(lost, 0);
    // About one in eight of all requests, by chance: half of that is far out of reach of bad luck.
    assert!(refused * 20 > tried.len(), "the receivers have failed often enough");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

async fn start(world: &World, receiver: &Receiver) -> Mediaflow {
    let hook = |name: &str| {
        Webhook::to(format!("http://{}/{name}", receiver.address))
            .name(name)
            .sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .on(KINDS)
            .allow_private(&receiver.address.to_string())
            .timeout(Duration::from_millis(300))
    };
    let builder = Mediaflow::builder()
        .engine(world.setup.queue())
        .with(|registry| {
            registry.operation::<Toil>();
        })
        .storage("out", &format!("file://{}", world.folder().join("out").display()))
        .notify(hook("healthy"))
        .delivery(DeliveryPolicy {
            schedule: vec![Duration::from_millis(100); 50],
            breaker_pause: Duration::from_millis(200),
            ..DeliveryPolicy::default()
        });
    BAD.into_iter().fold(builder, |builder, name| builder.notify(hook(name))).start().await.unwrap()
}

/// Jobs at an even pace, which leaves the machine some air.
pub(super) async fn load(media: &Mediaflow, jobs: &mut usize, more: usize) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..more {
        pace.tick().await;
        *jobs += 1;
        media.submit(copy(&format!("told-{jobs}"))).await.unwrap();
    }
}

pub(super) async fn last_event(world: &World) -> String {
    let last = "SELECT CAST(coalesce(max(seq), 0) AS TEXT) FROM mediaflow_events";
    world.look.texts(last).await.remove(0)
}

/// From an event to its arrival at the healthy receiver, in milliseconds.
pub(super) async fn arrivals(world: &World, receiver: &Receiver, since: String) -> Vec<u64> {
    let find = format!(
        "SELECT id, CAST(at AS TEXT) FROM mediaflow_events WHERE kind <> 'job.progress' AND seq > {since}"
    );
    let arrived: BTreeMap<_, _> = receiver
        .heard()
        .into_iter()
        .filter(|heard| heard.path == "/healthy")
        .map(|heard| (heard.id, heard.at))
        .collect();
    let rows = world.look.rows(&find).await;
    rows.iter()
        .filter_map(|row| Some(arrived.get(&row[0])?.saturating_sub(row[1].parse().ok()?)))
        .collect()
}

/// Events that some receiver has not accepted.
async fn lost(world: &World, receiver: &Receiver) -> usize {
    let find = "SELECT id FROM mediaflow_events
                WHERE kind IN ('job.created', 'job.started', 'output.ready', 'job.completed')";
    let events: BTreeSet<_> = world.look.texts(find).await.into_iter().collect();
    let mut accepted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for heard in receiver.heard().into_iter().filter(|heard| heard.accepted) {
        accepted.entry(heard.path).or_default().insert(heard.id);
    }
    let missing = |name: &str| {
        let empty = BTreeSet::new();
        events.difference(accepted.get(&format!("/{name}")).unwrap_or(&empty)).count()
    };
    BAD.into_iter().chain(["healthy"]).map(missing).sum()
}

fn ratio(calm: &[u64], storm: &[u64]) -> f64 {
    p99(storm) as f64 / p99(calm).max(1) as f64
}

pub(super) fn p99(waits: &[u64]) -> u64 {
    percentile(waits, 99)
}

/// Whether the 99th percentile is at most so many times as high. What a busy machine adds to a wait now and then is its
/// own, and among few waits it is the 99th percentile.
pub(super) fn within(calm: &[u64], storm: &[u64], times: f64) -> bool {
    let jitter = if thorough() { 50 } else { 500 };
    p99(storm) <= jitter || p99(storm) as f64 <= p99(calm) as f64 * times
}

fn percentile(waits: &[u64], percent: usize) -> u64 {
    let mut waits = waits.to_vec();
    waits.sort_unstable();
    waits.get(waits.len() * percent / 100).copied().unwrap_or_default()
}
