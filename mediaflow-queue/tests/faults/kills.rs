//! Workers are killed at random moments, and between the steps of each transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::audit::audit;
use super::child::Child;
use super::work::{Fails, Toil, copy};
use super::world::World;
use super::{Home, figure, rounds, seed, thorough};

/// Every place in the engine at which a process can be told to die.
const FAILPOINTS: [&str; 26] = [
    "end.begin",
    "end.row",
    "end.outputs",
    "end.outbox",
    "end.river",
    "end.commit",
    "job.started",
    "job.made",
    "publish.asked",
    "job.published",
    "start.row",
    "retry.row",
    "retry.commit",
    "split.rows",
    "split.commit",
    "part.started",
    "part.made",
    "part.row",
    "part.river",
    "part.commit",
    "assembly.row",
    "assembly.made",
    "assembly.published",
    "submit.rows",
    "submit.outbox",
    "submit.commit",
];

/// How many deaths one database sees.
const CAMPAIGN: usize = 50;

pub(super) async fn run(home: Home) {
    let (begin, mut killed, mut died) = (Instant::now(), 0, BTreeMap::new());
    let mut next = fastrand::usize(..FAILPOINTS.len());
    if thorough() {
        next = 0;
    }
    while killed < rounds() {
        let deaths = CAMPAIGN.min(rounds() - killed);
        campaign(home, killed, deaths, &mut next, &mut died).await;
        killed += deaths;
    }
    let at_failpoints: usize = died.values().sum();
    figure("kills.processes_killed", home, killed, &format!(">= {}", rounds()));
    figure("kills.at_failpoints", home, at_failpoints, "any");
    let missed: Vec<_> = FAILPOINTS.iter().filter(|name| !died.contains_key(**name)).collect();
    if thorough() {
        figure("kills.failpoints_never_reached", home, missed.len(), "0");
        assert!(missed.is_empty(), "nobody died at {missed:?}");
    }
    println!("kills.{}: {died:?} in {:.0?}", home.name(), begin.elapsed());
}

/// One of the two places for workers.
struct Slot {
    child: Child,
    failpoint: Option<&'static str>,
    dies: Instant,
    seed: u64,
}

async fn campaign(
    home: Home,
    first: usize,
    deaths: usize,
    next: &mut usize,
    died: &mut BTreeMap<&'static str, usize>,
) {
    let mut world = World::new(home, Duration::from_secs(1)).await;
    let mut count = 0;
    load(&mut world, &mut count, None).await;
    let mut slots = Vec::new();
    for slot in 0..2 {
        slots.push(born(&world, first + slot, next));
    }
    let mut round = first;
    while round < first + deaths {
        sleep(Duration::from_millis(3)).await;
        for slot in &mut slots {
            let by_itself = slot.child.ended();
            if by_itself.is_none() && Instant::now() < slot.dies {
                continue;
            }
            slot.child.kill();
            let how = match (by_itself, slot.failpoint) {
                (Some(status), Some(name)) => {
                    use std::os::unix::process::ExitStatusExt as _;
                    assert_eq!(status.signal(), Some(9), "{}", super::diary::tail(&world.folder()));
                    *died.entry(name).or_default() += 1;
                    format!("at {name}")
                }
                (Some(status), None) => {
                    panic!("a worker has ended with {status}: {}", super::diary::tail(&world.folder()))
                }
                (None, _) => "at a random moment".to_owned(),
            };
            println!("round {round} {} seed {} killed {how}", home.name(), slot.seed);
            round += 1;
            load(&mut world, &mut count, FAILPOINTS.get(*next % FAILPOINTS.len()).copied()).await;
            *slot = born(&world, round + 1, next);
        }
    }
    drop(slots);
    let healthy = [world.worker("healthy-1"), world.worker("healthy-2")];
    world.settles(Duration::from_secs(90)).await;
    drop(healthy);
    audit(&world, "kills").await;
    let wrong = world
        .look
        .count("mediaflow_jobs WHERE state <> 'succeeded' AND spec NOT LIKE '%\"Always\"%' AND cancelled = 0")
        .await;
    assert_eq!(wrong, 0, "jobs that must succeed");
}

/// Every second worker has a place to die at; all others, and those that do not get there, die at a random moment.
fn born(world: &World, round: usize, next: &mut usize) -> Slot {
    let seed = seed().wrapping_add(round as u64);
    let mut random = fastrand::Rng::with_seed(seed);
    let failpoint = (round % 2 == 0).then(|| {
        *next += 1;
        FAILPOINTS[(*next - 1) % FAILPOINTS.len()]
    });
    let life = match (failpoint, random.u8(..8)) {
        (Some(_), _) => 1200,
        // Long enough to take over what the others have left.
        (None, 0) => random.u64(1000..2500),
        (None, _) => random.u64(50..300),
    };
    let mut part = world.part(format!("{round}-{seed}"));
    part.submits = failpoint.is_none_or(|name| name.starts_with("submit"));
    let at = failpoint.map(|name| {
        let passage = if name.starts_with("submit") { 1 } else { random.u8(1..3) };
        format!("{name}:{passage}")
    });
    let child = Child::start(&part, at.as_deref());
    Slot { child, failpoint, dies: Instant::now() + Duration::from_millis(life), seed }
}

/// Some of each, and what leads to the failpoint.
async fn load(world: &mut World, count: &mut usize, failpoint: Option<&str>) {
    *count += 1;
    let (folder, n) = (world.folder(), *count);
    let toil = |kind: &str| Toil::new(&folder, format!("{kind}-{n}"));
    world.submit(copy(&format!("copy-{n}"))).await;
    world.submit(toil("one").job(1)).await;
    world.submit(toil("five").job(5)).await;
    if n % 2 == 0 || failpoint.is_some_and(|name| name.starts_with("retry")) {
        world.submit(Toil { fails: Fails::Once, ..toil("once") }.job(1)).await;
    }
    if n % 4 == 0 {
        world.submit(Toil { fails: Fails::Always, ..toil("never") }.job(1)).await;
        let gone = world.submit(Toil { millis: 200, ..toil("gone") }.job(2)).await;
        world.media.job(gone).cancel().await.unwrap();
    }
    if n % 3 == 0 {
        let jobs = ["a", "b", "c"].map(|kind| toil(kind).job(1));
        world.batch(jobs.into()).await;
    }
    let parts = ["split", "part", "assembly"];
    if n % 8 == 0 || failpoint.is_some_and(|name| parts.iter().any(|part| name.starts_with(part))) {
        world.submit(Toil { bytes: 2000, ..toil("many") }.job(20)).await;
    }
}
