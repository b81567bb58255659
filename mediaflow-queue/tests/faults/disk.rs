//! The disk is full while a result is written.

use std::fs;
use std::time::Duration;

use mediaflow_core::storage::FileStorage;
use mediaflow_core::testing::FaultyStorage;

use super::small_disk::SmallDisk;
use super::work::{self, Toil};
use super::world::World;
use super::{Backing, eventually, figure};

const LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn run(backing: Backing) {
    let mut world = World::new(backing, Duration::from_secs(2)).await;
    let folder = world.folder().join("small");
    let disk = SmallDisk::mount(&folder, 1);
    let files = FileStorage::new(&folder).unwrap();
    let storage = FaultyStorage::new(files);
    let ballast = folder.join(".mediaflow/ballast");
    match &disk {
        Ok(_) => {
            fs::create_dir_all(ballast.parent().unwrap()).unwrap();
            fs::write(&ballast, vec![1; 700_000]).unwrap();
        }
        Err(why) => {
            println!(
                "disk.{}: no disk can be mounted ({why}): a storage fails in its place",
                backing.name()
            );
            storage.fail_stages(u32::MAX);
        }
    }
    let free = || match &disk {
        Ok(_) => fs::remove_file(&ballast).unwrap(),
        Err(_) => storage.fail_stages(0),
    };

    let mut setup = world.part("disk");
    setup.concurrency = 1;
    let worker = setup.builder().storage_with("small", storage.clone()).start().await.unwrap();
    // The first output fits, the second does not: neither may be seen.
    let spec = Toil { bytes: 250_000, ..Toil::new(&world.folder(), "full") }.job(2);
    let spec = serde_json::to_string(&spec).unwrap().replace("\"out/", "\"small/");
    let spec = mediaflow_core::spec::JobSpec::from_json(&spec).unwrap();
    let handle = worker.submit(spec).await.unwrap();
    world.jobs.push(handle.id());
    let failure = eventually("second attempt", LIMIT, async || {
        let status = handle.status().await.unwrap();
        status.failure.filter(|_| status.attempts >= 2)
    })
    .await;
    figure("disk.error", backing, &failure.code, "storage.io");
    assert_eq!(failure.code, "storage.io", "{failure:?}");
    println!("disk.{}: {failure:?}", backing.name());
    assert!(!folder.join("full").exists(), "nothing is published while one output is missing");

    free();
    let report = tokio::time::timeout(LIMIT, handle.done()).await.unwrap().unwrap();
    for output in &report.outputs {
        let found = fs::read(folder.join(output.output.trim_start_matches("small/"))).unwrap();
        assert_eq!(work::sha256(&found), output.sha256);
        assert!(work::is_whole(&found));
    }
    // The folder goes with the last of them.
    let left = fs::read_dir(folder.join(".mediaflow")).map_or(0, Iterator::count);
    figure("disk.partial_files_left", backing, left, "0");
    assert_eq!((left, report.outputs.len()), (0, 2));
    println!(
        "disk.{}: succeeded at attempt {} after space was freed",
        backing.name(),
        report.attempts
    );
    worker.shutdown(Duration::from_secs(5)).await.unwrap();
}
