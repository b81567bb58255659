//! Jobs of which some is made by somebody else: workers are killed while they hand it over, while it is away, and when it
//! comes back. Updates come early, twice, and for what nobody waits for.

use std::time::Duration;

use mediaflow_core::spec::{JobSpec, Pipeline};
use mediaflow_core::testing::{FakeEncode, FakeVendor, VendorJob, dot, vendor_done};
use mediaflow_core::wait::Signalled;

use super::audit::audit;
use super::child::Child;
use super::work::Toil;
use super::world::World;
use super::{Backing, diary, eventually, figure, thorough};

const LIMIT: Duration = Duration::from_secs(60);

/// Where a worker dies while it hands work over, and while it lets a job wait.
const OUT: [&str; 5] = ["wait.begun", "wait.rows", "wait.commit", "suspend.rows", "suspend.commit"];

/// Where one dies when the work has come back.
const BACK: [&str; 6] =
    ["start.row", "job.started", "job.made", "job.published", "end.row", "end.commit"];

pub(super) async fn run(backing: Backing) {
    let mut world = World::new(backing, Duration::from_secs(1)).await;
    let vendor = FakeVendor::in_folder(world.folder().join("vendor"));
    let turns = if thorough() { 4 } else { 1 };
    let jobs = OUT.len().max(BACK.len()) * turns;
    for n in 0..jobs {
        let spec = job(&world, n, FakeEncode::new(format!("there-{n}")));
        world.submit(spec).await;
    }
    let polled = FakeEncode::new("polled").polled(Duration::from_millis(200));
    let spec = job(&world, jobs, polled);
    let polled = world.submit(spec).await;
    let mut killed = die(&world, &OUT, turns).await;

    // Whoever is there when all wait is killed, too.
    let mut victim = world.worker("victim");
    for n in 0..jobs {
        vendor.begun(&format!("there-{n}")).await;
    }
    let asked = vendor.begun("polled").await;
    let early = known(&vendor, "there-0");
    let signalled = world.media.signal(&early.key, vendor_done(), "early").await.unwrap();
    assert_ne!(signalled, Signalled::Duplicate);
    let waiting = "mediaflow_jobs WHERE state = 'waiting'";
    eventually("jobs that wait", LIMIT, async || {
        (world.look.count(waiting).await + 1 >= jobs).then_some(())
    })
    .await;
    // Each of those that are answered below: the one that is polled waits as well.
    for n in 1..jobs {
        let key = known(&vendor, &format!("there-{n}")).key;
        let stored = format!("mediaflow_waits WHERE key = '{key}'");
        eventually("jobs that wait", LIMIT, async || {
            (world.look.count(&stored).await == 1).then_some(())
        })
        .await;
    }
    victim.kill();
    killed += 1;

    for n in 1..jobs {
        let job = known(&vendor, &format!("there-{n}"));
        for expected in [Signalled::Accepted, Signalled::Duplicate] {
            let signal = world.media.signal(&job.key, vendor_done(), format!("done-{n}"));
            assert_eq!(signal.await.unwrap(), expected, "{n}");
        }
    }
    vendor.finish(&asked);
    killed += die(&world, &BACK, turns).await;

    // Nobody waits for this one any more when its answer comes.
    let spec = job(&world, jobs + 1, FakeEncode::new("cancelled"));
    let cancelled = world.submit(spec).await;
    let healthy = [world.worker("healthy-1"), world.worker("healthy-2")];
    let there = vendor.begun("cancelled").await;
    world.media.handle(cancelled).cancel().await.unwrap();
    vendor.stopped(&there).await;
    world.media.signal(&there.key, vendor_done(), "late").await.unwrap();

    world.settles(LIMIT).await;
    assert_eq!(world.state(polled).await, "succeeded");
    assert_eq!(world.state(cancelled).await, "cancelled");
    let ended = world.look.count("mediaflow_jobs WHERE state = 'succeeded'").await;
    drop(healthy);
    let begun = vendor.jobs().len();
    let places = (OUT.len() + BACK.len()) * turns;
    figure("waiting.processes_killed", backing, killed, &(places + 1).to_string());
    figure("waiting.jobs_that_succeeded", backing, ended, &(jobs + 1).to_string());
    figure("waiting.begun_twice_elsewhere", backing, begun - (jobs + 2), "0");
    let left = world.look.count("mediaflow_waits").await;
    figure("waiting.waits_left", backing, left, "0");
    assert_eq!((ended, begun, left), (jobs + 1, jobs + 2, 0), "{}", diary::tail(&world.folder()));
    audit(&world, "waiting").await;
}

/// One output that is made here, and one that begins elsewhere.
fn job(world: &World, n: usize, encode: FakeEncode) -> JobSpec {
    let toil = |name: &str| Toil::new(&world.folder(), format!("{name}-{n}"));
    let (here, after) = (toil("here"), toil("after"));
    let pipeline = Pipeline::from(dot())
        .output(format!("out/here-{n}/0.gif"), |source| source.then(here))
        .output(format!("out/there-{n}/0.gif"), |source| source.then(encode).then(after))
        .build()
        .unwrap();
    JobSpec::new(&pipeline).unwrap()
}

/// Lets a worker die at each of these places. Gives how many did.
async fn die(world: &World, places: &[&str], turns: usize) -> usize {
    for place in places.iter().cycle().take(places.len() * turns) {
        let stamp = format!("{place}-{}", fastrand::u32(..));
        let mut child = Child::start(&world.part(stamp), Some(place));
        let what = format!("death at {place}");
        eventually(&what, LIMIT, async || child.ended()).await;
    }
    places.len() * turns
}

fn known(vendor: &FakeVendor, step: &str) -> VendorJob {
    vendor.jobs().into_iter().find(|job| job.step == step).unwrap()
}
