//! Two workers end jobs that several batches wait for, in crossing orders.

use std::time::{Duration, Instant};

use mediaflow_core::spec::{JobOptions, JobSpec};

use super::audit::audit;
use super::work::Toil;
use super::world::World;
use super::{Backing, figure, thorough};

const LIMIT: Duration = Duration::from_secs(120);

/// Jobs of a group; in a crossed one, each of its batches waits for all of them.
const GROUP: usize = 8;

pub(super) async fn run(backing: Backing) {
    let mut world = World::new(backing, Duration::from_secs(12)).await;
    let workers = [world.worker("one"), world.worker("two")];
    world.registered(2).await;
    let groups = if thorough() { 60 } else { 10 };
    time(&mut world, "warm", 2, false).await;
    let apart = time(&mut world, "apart", groups, false).await;
    let crossed = time(&mut world, "crossed", groups, true).await;
    let deadlocks = match backing {
        Backing::Sqlite => "0".to_owned(),
        Backing::Postgres => {
            let find = "SELECT CAST(deadlocks AS TEXT) FROM pg_stat_database WHERE datname = current_database()";
            world.look.texts(find).await.remove(0)
        }
    };
    figure("crossed.deadlocks", backing, &deadlocks, "0");
    figure("crossed.jobs_per_second_apart", backing, format!("{apart:.0}"), "any");
    figure("crossed.jobs_per_second", backing, format!("{crossed:.0}"), "any");
    // Four batches for each group instead of one are more rows, too.
    figure("crossed.throughput_ratio", backing, format!("{:.2}", crossed / apart), ">= 0.5");
    assert_eq!(deadlocks, "0");
    assert!(crossed / apart > 0.2, "{crossed} jobs a second instead of {apart}");
    drop(workers);
    audit(&world, "crossed").await;
}

/// Runs so many groups. Gives the jobs per second.
async fn time(world: &mut World, name: &str, groups: usize, crossed: bool) -> f64 {
    let began = Instant::now();
    let folder = world.folder();
    for group in 0..groups {
        let spec = |n: usize| -> JobSpec {
            let name = format!("{name}-{group}-{n}");
            let key = JobOptions::new().idempotency_key(&*name);
            Toil { millis: 20, bytes: 1000, ..Toil::new(&folder, name) }.job(1).with_options(key)
        };
        let jobs: Vec<_> = (0..GROUP).map(spec).collect();
        world.batch(jobs.clone()).await;
        if crossed {
            // The same jobs, by their keys.
            let mut turned = jobs.clone();
            turned.reverse();
            world.batch(turned.clone()).await;
            turned.rotate_left(GROUP / 2);
            world.batch(turned).await;
            let (mut even, odd): (Vec<_>, Vec<_>) =
                jobs.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
            even.extend(odd);
            world.batch(even.into_iter().map(|(_, job)| job).collect()).await;
        }
    }
    world.settles(LIMIT).await;
    (groups * GROUP) as f64 / began.elapsed().as_secs_f64()
}
