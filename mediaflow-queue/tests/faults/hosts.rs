//! A host's transaction holds a new address and an idempotency key open while a fleet works.

use std::time::{Duration, Instant};

use mediaflow_core::spec::{JobOptions, JobSpec};
use mediaflow_core::{JobId, Mediaflow};
use mediaflow_queue::Queue;
use tokio::time::{MissedTickBehavior, interval};

use super::audit::audit;
use super::receivers::{p99, within};
use super::work::Toil;
use super::world::World;
use super::{Backing, figure, thorough};

const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(backing: Backing) {
    let mut world = World::new(backing, Duration::from_secs(12)).await;
    let workers = [world.worker("one"), world.worker("two")];
    world.registered(2).await;
    let queue = world.setup.queue();
    let media = world.setup.builder().engine(queue.clone()).submit_only().start().await.unwrap();
    let held = Duration::from_secs(if thorough() { 30 } else { 4 });

    load(&mut world, &media, "warm", held / 8, "old").await;
    world.settles(LIMIT).await;
    let calm = load(&mut world, &media, "calm", held, "old").await;
    world.settles(LIMIT).await;

    let held_job = spec(&world, "held", "new");
    let (host, job) = Host::begin(&world, &queue, held_job.clone()).await;
    let began = Instant::now();
    // Whoever wants the same key waits for the host, and nobody waits for him.
    let rival = tokio::spawn(insist(media.clone(), held_job));
    let storm = load(&mut world, &media, "storm", held, "new").await;
    let meanwhile = "mediaflow_jobs WHERE ended_at IS NOT NULL AND spec LIKE '%storm-%'";
    let meanwhile = world.look.count(meanwhile).await;
    tokio::time::sleep(held.saturating_sub(began.elapsed())).await;
    host.commit().await;
    let released = Instant::now();
    world.jobs.push(job);
    assert_eq!(rival.await.unwrap(), job, "one key, one job");
    let waited = released.elapsed();
    world.settles(LIMIT).await;

    figure("hosts.same_key_answered_ms_after", backing, waited.as_millis(), "<= 2000");
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    // A file has one writer: whoever holds it open, holds all up.
    if backing == Backing::Postgres {
        let ends = [ends(&world, "calm").await, ends(&world, "storm").await];
        for (name, calm, storm) in [("submit", &calm, &storm), ("end", &ends[0], &ends[1])] {
            let ratio = p99(storm) as f64 / p99(calm).max(1) as f64;
            figure(&format!("hosts.{name}_p99_ms_undisturbed"), backing, p99(calm), "any");
            figure(&format!("hosts.{name}_p99_ms_disturbed"), backing, p99(storm), "any");
            figure(&format!("hosts.{name}_p99_ratio"), backing, format!("{ratio:.2}"), "<= 2");
            assert!(within(calm, storm, 2.0), "{name}: {ratio}");
        }
    }
    println!(
        "hosts.{}: {} jobs in {held:?} undisturbed and {} disturbed, of which {meanwhile} ended meanwhile",
        backing.name(),
        calm.len(),
        storm.len()
    );
    drop(workers);
    audit(&world, "hosts").await;
}

fn spec(world: &World, name: &str, address: &str) -> JobSpec {
    let options = JobOptions::new()
        .idempotency_key(name)
        .notify("webhook", format!("http://{}/hook?of={address}", world.setup.hook));
    Toil::new(&world.folder(), name).job(1).with_options(options)
}

/// Submits until it is accepted.
async fn insist(media: Mediaflow, spec: JobSpec) -> JobId {
    let until = Instant::now() + LIMIT;
    loop {
        match media.submit(spec.clone()).await {
            Ok(job) => return job.id(),
            Err(error) => {
                let late = Instant::now() > until;
                assert!(!late, "within {LIMIT:?} it was not accepted: {error}");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Submits at an even pace. Gives how long each took, in milliseconds.
async fn load(
    world: &mut World,
    media: &Mediaflow,
    name: &str,
    time: Duration,
    address: &str,
) -> Vec<u64> {
    let (began, mut waits) = (Instant::now(), Vec::new());
    let mut pace = interval(Duration::from_millis(40));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Somebody who holds a file open holds this up, too.
    while began.elapsed() < time {
        pace.tick().await;
        let spec = spec(world, &format!("{name}-{}", waits.len()), address);
        let at = Instant::now();
        let submitted = tokio::time::timeout(time, insist(media.clone(), spec)).await;
        let Ok(job) = submitted else { break };
        world.jobs.push(job);
        waits.push(u64::try_from(at.elapsed().as_millis()).unwrap());
    }
    waits
}

/// From submission to end, in milliseconds.
async fn ends(world: &World, name: &str) -> Vec<u64> {
    let find = format!(
        "SELECT CAST(ended_at - queued_at AS TEXT) FROM mediaflow_jobs WHERE spec LIKE '%{name}-%'"
    );
    let took = world.look.texts(&find).await;
    took.iter().map(|took| took.parse().unwrap()).collect()
}

enum Host {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Host {
    /// Submits a job in a transaction that stays open.
    async fn begin(world: &World, queue: &Queue, spec: JobSpec) -> (Self, JobId) {
        if world.backing == Backing::Sqlite {
            let pool = sqlx::SqlitePool::connect(&world.setup.url).await.unwrap();
            let mut tx = riverqueue::database::begin_sqlite_write(&pool).await.unwrap();
            let job = queue.submit_in(&mut tx, spec).await.unwrap();
            (Self::Sqlite(tx), job)
        } else {
            let pool = sqlx::PgPool::connect(&world.setup.url).await.unwrap();
            let mut tx = riverqueue::database::begin_postgres(&pool).await.unwrap();
            let job = queue.submit_in(&mut tx, spec).await.unwrap();
            (Self::Postgres(tx), job)
        }
    }

    async fn commit(self) {
        match self {
            Self::Sqlite(tx) => tx.commit().await.unwrap(),
            Self::Postgres(tx) => tx.commit().await.unwrap(),
        }
    }
}
