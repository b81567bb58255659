//! A foreign process holds the lock of the SQLite file.

use std::time::Duration;

use sqlx::Connection as _;

use super::audit::audit;
use super::work::Toil;
use super::world::World;
use super::{Backing, diary, figure};

/// How long.
const HELD: Duration = Duration::from_secs(5);

pub(super) async fn run(backing: Backing) {
    // Much shorter than the lock is held: whoever counts on signs of life has to be careful.
    let mut world = World::new(backing, Duration::from_secs(2)).await;
    let folder = world.folder();
    let mut workers = [world.worker("one"), world.worker("two")];
    let registered = world.registered(2).await;
    for n in 0..40 {
        let toil = Toil { millis: 150, ..Toil::new(&folder, format!("lock-{n}")) };
        world.submit(toil.job(1)).await;
    }

    let mut foreign = sqlx::SqliteConnection::connect(&world.setup.url).await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 10000").execute(&mut foreign).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut foreign).await.unwrap();
    let ended = "mediaflow_jobs WHERE ended_at IS NOT NULL";
    let before = world.look.count(ended).await;
    assert!(before < 40, "the lock came too late");
    // A submission meanwhile waits, and is not lost.
    let media = world.media.clone();
    let spec = Toil::new(&folder, "meanwhile").job(1);
    let meanwhile = tokio::spawn(async move { media.submit(spec).await.unwrap().id() });
    tokio::time::sleep(HELD).await;
    assert_eq!(world.look.count(ended).await, before, "nobody can have written");
    sqlx::query("ROLLBACK").execute(&mut foreign).await.unwrap();
    foreign.close().await.unwrap();

    let waited = tokio::time::timeout(Duration::from_secs(20), meanwhile).await.unwrap().unwrap();
    world.jobs.push(waited);
    world.settles(Duration::from_secs(60)).await;
    let exits = workers.iter_mut().filter_map(|worker| worker.ended()).count();
    figure("lock.processes_that_exited", backing, exits, "0");
    assert_eq!(exits, 0, "{}", diary::tail(&folder));
    let same = world.workers().await == registered;
    figure("lock.workers_declared_dead", backing, usize::from(!same), "0");
    assert!(same, "nobody was taken for dead\n{}", diary::tail(&folder));
    let again = world.look.count("mediaflow_jobs WHERE attempts <> 1").await;
    figure("lock.jobs_attempted_again", backing, again, "0");
    assert_eq!(again, 0, "{}", diary::tail(&folder));
    audit(&world, "lock").await;
}
