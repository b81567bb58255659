//! The database is away at the moment in which attempts end, for much longer than a lease.

use std::time::Duration;

use mediaflow_queue::testing::{PrivatePostgres, Proxy};
use sqlx::Connection as _;

use super::audit::audit;
use super::child::{Child, Setup};
use super::work::{self, Toil};
use super::world::World;
use super::{Backing, diary, eventually, figure, thorough};

const LIMIT: Duration = Duration::from_secs(60);
const JOBS: usize = 8;

/// How long signs of life count.
const LEASE: Duration = Duration::from_secs(1);

pub(super) async fn run(backing: Backing) {
    // SQLite itself waits for half a minute.
    let long = if backing == Backing::Sqlite { 40 } else { 20 };
    let time = Duration::from_secs(if thorough() { long } else { 4 });
    let (mut world, network, _server) = match backing {
        Backing::Sqlite => (World::new(backing, LEASE).await, None, None),
        Backing::Postgres => {
            let server = PrivatePostgres::builder().set("fsync", "off").start().await.unwrap();
            let url = server.database("outage").await.unwrap();
            let network = Proxy::start(server.addr()).await.unwrap();
            (World::at(backing, Some(url), LEASE).await, Some(network), Some(server))
        }
    };
    let folder = world.folder();
    let url = network
        .as_ref()
        .map_or_else(|| world.setup.url.clone(), |network| network.url(&world.setup.url));
    let setup = Setup { url, concurrency: JOBS, ..world.part("far") };
    let mut worker = Child::start(&setup, None);
    world.registered(1).await;
    for n in 0..JOBS {
        world
            .submit(Toil { millis: 700, ..Toil::new(&folder, format!("outage-{n}")) }.job(1))
            .await;
    }
    eventually("beginning of all attempts", LIMIT, async || {
        (work::runs(&folder).len() == JOBS).then_some(())
    })
    .await;
    match &network {
        Some(network) => {
            network.cut();
            tokio::time::sleep(time).await;
            network.resume();
        }
        None => {
            let mut foreign = sqlx::SqliteConnection::connect(&world.setup.url).await.unwrap();
            sqlx::query("PRAGMA busy_timeout = 10000").execute(&mut foreign).await.unwrap();
            sqlx::query("BEGIN IMMEDIATE").execute(&mut foreign).await.unwrap();
            tokio::time::sleep(time).await;
            sqlx::query("ROLLBACK").execute(&mut foreign).await.unwrap();
            foreign.close().await.unwrap();
        }
    }
    world.settles(LIMIT).await;
    let exits = usize::from(worker.ended().is_some());
    let again = world.look.count("mediaflow_jobs WHERE attempts <> 1").await;
    let repeated = work::runs(&folder).len() - JOBS;
    figure("outage.seconds", backing, time.as_secs(), "any");
    figure("outage.processes_that_exited", backing, exits, "0");
    figure("outage.attempts_repeated", backing, again.max(repeated), "0");
    assert_eq!((exits, again, repeated), (0, 0, 0), "{}", diary::tail(&folder));
    drop(worker);
    audit(&world, "outage").await;
}
