//! Workers are killed at random moments, and between the steps of each transaction.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use mediaflow_core::spec::{JobOptions, JobSpec, OnFailure};
use tokio::time::{Instant, sleep};

use super::audit::{audit, places_are_counted};
use super::child::Child;
use super::work::{Fails, Toil, copy, large};
use super::world::World;
use super::{Backing, diary, figure, rounds, seed, thorough};

/// Every place in the engine at which a process can be told to die.
const FAILPOINTS: [&str; 35] = [
    "end.begin",
    "end.row",
    "end.outputs",
    "end.shares",
    "end.outbox",
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
    "batch.part",
    "batch.released",
    "outbox.exchange",
    "outbox.commit",
    "park.rows",
    "unpark.rows",
    "unpark.commit",
    "after.rows",
    "follow.rows",
];

/// How many deaths one database sees.
const CAMPAIGN: usize = 50;

pub(super) async fn run(backing: Backing) {
    let (begin, mut killed, mut deaths) = (Instant::now(), 0, Deaths::new());
    while killed < rounds() {
        let more = CAMPAIGN.min(rounds() - killed);
        campaign(backing, killed, more, &mut deaths).await;
        killed += more;
    }
    figure("kills.processes_killed", backing, killed, &format!(">= {}", rounds()));
    figure("kills.at_failpoints", backing, deaths.died.values().sum::<usize>(), "any");
    let missed: Vec<_> =
        FAILPOINTS.iter().filter(|name| !deaths.died.contains_key(**name)).collect();
    if thorough() {
        figure("kills.failpoints_never_reached", backing, missed.len(), "0");
        assert!(missed.is_empty(), "nobody died at {missed:?}");
    }
    println!("kills.{}: {:?} in {:.0?}", backing.name(), deaths.died, begin.elapsed());
}

/// Who dies where.
struct Deaths {
    /// The places that are next; those where nobody died come again.
    next: VecDeque<&'static str>,
    died: BTreeMap<&'static str, usize>,
}

impl Deaths {
    /// All places in their order, from a random one if there is no time for all.
    fn new() -> Self {
        let mut next = VecDeque::from(FAILPOINTS);
        if !thorough() {
            next.rotate_left(fastrand::Rng::with_seed(seed()).usize(..FAILPOINTS.len()));
        }
        Self { next, died: BTreeMap::new() }
    }

    fn take(&mut self) -> Option<&'static str> {
        if self.next.is_empty() {
            self.next.extend(FAILPOINTS);
        }
        self.next.pop_front()
    }
}

/// One of the two places for workers.
struct Slot {
    child: Child,
    failpoint: Option<&'static str>,
    born: Instant,
    life: Duration,
    /// It had its own work to die at.
    fed: bool,
}

impl Slot {
    /// Every second worker has a place to die at; all others, and those that do not get there, die at a random moment.
    fn born(world: &World, round: usize, deaths: &mut Deaths) -> Self {
        let mut random = fastrand::Rng::with_seed(seed().wrapping_add(round as u64));
        let failpoint = round.is_multiple_of(2).then(|| deaths.take()).flatten();
        // Some leave what they do not know to others.
        let ignorant = failpoint.map_or(random.u8(..4) == 0, |name| name == "park.rows");
        let life = match (failpoint, random.u8(..8)) {
            // On a busy machine it takes that long to get there.
            (Some(_), _) => 5000,
            // Long enough to take over what the others have left, or to leave something.
            (None, 0) => random.u64(1000..2500),
            (None, _) if ignorant => random.u64(1000..2500),
            (None, _) => random.u64(50..300),
        };
        let mut part = world.part(format!("{round}-{}", seed()));
        part.submits = failpoint.is_none_or(|name| {
            ["submit", "after", "batch"].iter().any(|step| name.starts_with(step))
        });
        part.batches = failpoint.is_some_and(|name| name.starts_with("batch"));
        part.ignorant = ignorant;
        let at = failpoint.map(|name| {
            let often =
                ["submit", "batch", "split", "retry", "assembly", "unpark", "after", "follow"];
            let rare = often.iter().any(|step| name.starts_with(step));
            format!("{name}:{}", if rare { 1 } else { random.u8(1..3) })
        });
        let child = Child::start(&part, at.as_deref());
        let life = Duration::from_millis(life);
        Self { child, failpoint, born: Instant::now(), life, fed: failpoint.is_none() }
    }
}

async fn campaign(backing: Backing, first: usize, more: usize, deaths: &mut Deaths) {
    let mut world = World::new(backing, Duration::from_secs(1)).await;
    let mut count = 0;
    load(&mut world, &mut count, None).await;
    let mut slots = [0, 1].map(|slot| Slot::born(&world, first + slot, deaths));
    let mut round = first;
    while round < first + more {
        sleep(Duration::from_millis(3)).await;
        for slot in &mut slots {
            let by_itself = slot.child.ended();
            let age = slot.born.elapsed();
            if by_itself.is_none() && age < slot.life {
                if !slot.fed && age > Duration::from_millis(200) {
                    slot.fed = true;
                    load(&mut world, &mut count, slot.failpoint).await;
                }
                continue;
            }
            slot.child.kill();
            let how = match (by_itself, slot.failpoint) {
                (Some(status), Some(name)) if status.signal() == Some(9) => {
                    *deaths.died.entry(name).or_default() += 1;
                    format!("at {name}")
                }
                (Some(status), _) => {
                    panic!("a worker has ended: {status}\n{}", diary::tail(&world.folder()))
                }
                (None, missed) => {
                    deaths.next.extend(missed);
                    "at a random moment".to_owned()
                }
            };
            println!("round {round} {} seed {} killed {how}", backing.name(), seed());
            places_are_counted(&world).await;
            round += 1;
            load(&mut world, &mut count, None).await;
            *slot = Slot::born(&world, round + 1, deaths);
        }
    }
    drop(slots);
    let healthy = [world.worker("healthy-1"), world.worker("healthy-2")];
    world.settles(Duration::from_secs(180)).await;
    drop(healthy);
    audit(&world, "kills").await;
    let wrong = "SELECT id FROM mediaflow_jobs
                 WHERE state <> 'succeeded' AND spec NOT LIKE '%\"Always\"%' AND cancelled = 0";
    let wrong = world.look.texts(wrong).await;
    assert!(wrong.is_empty(), "{wrong:?} must have succeeded\n{}", diary::tail(&world.folder()));
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
        world.media.handle(gone).cancel().await.unwrap();
    }
    if n % 2 == 0 || failpoint.is_some_and(|name| name.starts_with("follow")) {
        related(world, n).await;
    }
    if n % 16 == 0 || failpoint.is_some_and(|name| name.starts_with("batch")) {
        world.batch(large(&folder, &format!("large-{n}"))).await;
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

/// Jobs of tenants that have two at once, and jobs that come after others.
async fn related(world: &mut World, n: usize) {
    let folder = world.folder();
    let toil = |kind: &str| Toil::new(&folder, format!("{kind}-{n}"));
    let with = |spec: JobSpec, change: &dyn Fn(JobOptions) -> JobOptions| {
        let options = change(spec.options.clone());
        spec.with_options(options)
    };
    let tenant = ["ada", "bob"][n / 2 % 2];
    let first = with(toil("of").job(1), &|options| options.tenant(tenant));
    let first = world.submit(first).await;
    let fails = Toil { fails: Fails::Once, ..toil("of-once") }.job(1);
    let second = world.submit(with(fails, &|options| options.tenant(tenant))).await;
    let keyed = with(toil("of-keyed").job(1), &|options| {
        options.tenant(tenant).idempotency_key(format!("keyed-{n}")).priority(7)
    });
    world.batch(vec![keyed, with(toil("of-batch").job(1), &|o| o.tenant(tenant))]).await;
    let next = with(toil("next").job(1), &|options| options.tenant(tenant).after(first));
    let next = world.submit(next).await;
    let both =
        with(toil("both").job(1), &|options| options.tenant(tenant).after(second).after(next));
    world.submit(both).await;
    if n.is_multiple_of(4) {
        let never = world.submit(Toil { fails: Fails::Always, ..toil("no") }.job(1)).await;
        let anyway = with(toil("anyway").job(1), &|options| {
            options.after_with(never, OnFailure::Run).after(first)
        });
        world.submit(anyway).await;
    }
}
