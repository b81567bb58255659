//! A worker is stopped past its lease, somebody else finishes its job, and then it goes on.

use std::time::Duration;

use super::audit::audit;
use super::child::{Child, Place};
use super::work::{self, Toil};
use super::world::World;
use super::{Backing, diary, eventually, figure, thorough};

const LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn run(backing: Backing) {
    let mut places = vec![Place::Allowed];
    if thorough() {
        places.extend([Place::Step, Place::Staged, Place::Published]);
    }
    if backing == Backing::Postgres {
        // On SQLite the transaction would lock out everybody.
        places.push(Place::Ending);
    }
    for place in &places {
        let mut tries = 1;
        while !paused_at(backing, *place).await {
            tries += 1;
            assert!(tries < 20, "the worker is stopped in a transaction each time");
        }
    }
    figure("pauses.zombies_rejected", backing, places.len(), &format!("{}", places.len()));
}

/// Gives false if it was stopped while another of its threads was writing to the SQLite file: then the file is locked
/// for everybody, which no lease can help.
async fn paused_at(backing: Backing, place: Place) -> bool {
    let mut world = World::new(backing, Duration::from_secs(1)).await;
    let folder = world.folder();
    let mut toil = Toil::new(&folder, "paused");
    // Enough time for its notes of progress to run into the fence, too.
    toil.millis = 100;
    let mut part = world.part("zombie");
    part.concurrency = 1;
    let mut failpoint = None;
    match place {
        Place::Step => toil.stops = Some("zombie".to_owned()),
        Place::Ending => failpoint = Some("stop:end.row:1"),
        Place::Staged | Place::Allowed | Place::Published => part.stops = Some(place),
    }
    let job = world.submit(toil.job(2)).await;
    let mut zombie = Child::start(&part, failpoint);
    eventually("stopped worker", LIMIT, async || zombie.is_stopped().then_some(())).await;

    if world.look.is_locked().await {
        println!("pauses.{}: stopped within a transaction, once more", backing.name());
        return false;
    }

    let mut successor = world.worker("successor");
    let state = world.ends(job, LIMIT).await;
    assert_eq!(state, "succeeded", "{place:?}: {}", diary::tail(&folder));
    world.settles(LIMIT).await;
    let report = reported(&world, job).await;
    successor.kill();

    zombie.go_on();
    // It works on one job at a time: when this one has ended, it has done with the other.
    let after = world.submit(Toil::new(&folder, "after").job(1)).await;
    assert_eq!(world.ends(after, LIMIT).await, "succeeded", "{place:?}: {}", diary::tail(&folder));
    assert!(zombie.ended().is_none(), "the worker that was paused lives on");
    world.settles(LIMIT).await;
    assert_eq!(reported(&world, job).await, report, "{place:?}: the row is the successor's");
    for number in 0..2 {
        let found = std::fs::read(folder.join(format!("out/paused/{number}.gif"))).unwrap();
        assert_eq!(work::maker(&found).as_deref(), Some("successor"), "{place:?}");
    }
    println!("pauses.{}: a worker that was stopped at {place:?} was rejected", backing.name());
    audit(&world, &format!("pauses.{place:?}").to_lowercase()).await;
    true
}

async fn reported(world: &World, job: mediaflow_core::JobId) -> Vec<String> {
    let find = format!(
        "SELECT state, report, CAST(attempts AS TEXT), CAST(fence AS TEXT) FROM mediaflow_jobs WHERE id = '{job}'"
    );
    world.look.rows(&find).await.remove(0)
}
