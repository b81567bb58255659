//! The PostgreSQL server restarts under load, and the network between it and a worker goes away.

use std::time::{Duration, Instant};

use mediaflow_core::spec::JobOptions;
use mediaflow_queue::testing::{PrivatePostgres, Proxy};
use tokio::time::sleep;

use super::audit::audit;
use super::child::{Child, Setup};
use super::work::Toil;
use super::world::World;
use super::{Backing, diary, eventually, figure, thorough};

const LIMIT: Duration = Duration::from_secs(90);

pub(super) async fn run(backing: Backing) {
    let server = PrivatePostgres::start().await.unwrap();
    restarts(backing, &server).await;
    gone(backing, &server, true).await;
    if thorough() {
        gone(backing, &server, false).await;
    }
}

/// Submits until it is accepted: whoever is told of an error tries again, under the same key.
async fn insist(world: &mut World, toil: &Toil) {
    let key = JobOptions::new().idempotency_key(&*toil.name);
    let spec = toil.job(1).with_options(key);
    let accepted =
        eventually("acceptance", LIMIT, async || world.media.submit(spec.clone()).await.ok());
    let job = accepted.await.id();
    world.jobs.push(job);
}

async fn restarts(backing: Backing, server: &PrivatePostgres) {
    let url = server.database("restarts").await.unwrap();
    let mut world = World::at(backing, Some(url), Duration::from_secs(2)).await;
    let mut workers = [world.worker("one"), world.worker("two")];
    world.registered(2).await;
    let folder = world.folder();
    let mut n = 0;
    for restart in 0..2 {
        for _ in 0..40 {
            n += 1;
            insist(&mut world, &Toil { millis: 40, ..Toil::new(&folder, format!("job-{n}")) })
                .await;
        }
        // One as an administrator does it, one as a crash does.
        let down = async {
            if restart == 0 {
                server.restart().await.unwrap();
            } else {
                server.stop_hard().await.unwrap();
                sleep(Duration::from_secs(1)).await;
                server.start_again().await.unwrap();
            }
        };
        let load = async {
            for _ in 0..10 {
                n += 1;
                insist(&mut world, &Toil::new(&folder, format!("job-{n}"))).await;
            }
        };
        tokio::join!(down, load);
    }
    let began = Instant::now();
    world.settles(LIMIT).await;
    println!(
        "network.postgres: after the second restart all was done within {:.1?}",
        began.elapsed()
    );
    live(&mut workers, &world, "network.restarts");
    audit(&world, "network.restarts").await;
}

fn live(workers: &mut [Child], world: &World, scenario: &str) {
    let exits = workers.iter_mut().filter_map(|worker| worker.ended()).count();
    figure(&format!("{scenario}.processes_that_exited"), world.backing, exits, "0");
    assert_eq!(exits, 0, "{}", diary::tail(&world.folder()));
}

/// One of two workers is cut off: its connections break, or say nothing any more.
async fn gone(backing: Backing, server: &PrivatePostgres, silent: bool) {
    let scenario = if silent { "network.silent" } else { "network.cut" };
    let time = Duration::from_secs(if thorough() { 20 } else { 3 });
    let url = server.database("gone").await.unwrap();
    let network = Proxy::start(server.addr()).await.unwrap();
    let mut world = World::at(backing, Some(url.clone()), Duration::from_secs(2)).await;
    let folder = world.folder();
    let far = Setup { url: network.url(&url), ..world.part("far") };
    let mut workers = [Child::start(&far, None), world.worker("near")];
    world.registered(2).await;
    let mut n = 0;
    let mut load = async |world: &mut World, jobs: usize, millis: u64| {
        for _ in 0..jobs {
            n += 1;
            let name = format!("job-{n}");
            insist(world, &Toil { millis, ..Toil::new(&folder, name) }).await;
        }
    };
    load(&mut world, 30, 60).await;
    if silent {
        network.hold();
    } else {
        network.cut();
    }
    let until = Instant::now() + time;
    while Instant::now() < until {
        load(&mut world, 5, 30).await;
        sleep(Duration::from_millis(500)).await;
    }
    // What the worker that was cut off held has been taken over, without waiting for its return.
    let began = Instant::now();
    let all = "mediaflow_jobs WHERE ended_at IS NULL";
    eventually("end of all jobs at the near worker", LIMIT, async || {
        (world.look.count(all).await == 0).then_some(())
    })
    .await;
    println!("{scenario}: the near worker was done {:.1?} after {time:?}", began.elapsed());
    network.resume();
    live(&mut workers, &world, scenario);
    // The far one works again: there is no other any more.
    workers[1].kill();
    let back = Instant::now();
    load(&mut world, 10, 5).await;
    world.settles(LIMIT).await;
    println!(
        "{scenario}: the far worker was done {:.1?} after the network was back",
        back.elapsed()
    );
    audit(&world, scenario).await;
}
