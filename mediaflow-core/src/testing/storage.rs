use std::time::Duration;

use crate::ErrorKind;
use crate::media::Blob;
use crate::spec::Key;
use crate::storage::{Staged, Storage, StorageExt as _, Ticket};

/// The conformance suite of [`Storage`]. The storage must be empty, and is empty afterwards.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_storage(storage: &dyn Storage) {
    exercise_shared_storage(storage, storage).await;
    missing_keys_are_named(storage).await;
    what_is_put_can_be_read(storage).await;
    staging_is_invisible(storage).await;
    reserved_keys_are_refused(storage).await;
    writers_do_not_mix(storage).await;
    listing_is_ordered(storage).await;
}

/// The part of the suite that needs two handles of one storage, as two processes have them.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_shared_storage(one: &dyn Storage, other: &dyn Storage) {
    kept_results_are_taken_up(one, other).await;
    revoked_results_are_not_published(one, other).await;
    others_are_not_revoked(one, other).await;
    jobs_are_discarded_with_their_parts(one, other).await;
    a_result_is_published_once(one, other).await;
}

async fn kept_results_are_taken_up(one: &dyn Storage, other: &dyn Storage) {
    let (place, mine) = (key("t/kept.bin"), ticket("job-1", 1, "kept"));
    stage(one, &place, b"kept", &mine).await.keep();
    assert_eq!(other.list("").await.expect("list"), [], "a kept result must not be listed");
    other.staged(&place, &mine).await.expect("taken up").keep();
    other.staged(&place, &mine).await.expect("kept again").publish().await.expect("publish");
    assert_eq!(read(one, "t/kept.bin").await, b"kept");
    is_gone(one, &place, &mine).await;

    stage(one, &place, b"first", &mine).await.keep();
    stage(one, &place, b"second", &mine).await.keep();
    drop(other.staged(&place, &mine).await.expect("taken up"));
    is_discarded(one, &place, &mine).await;
    assert_eq!(read(one, "t/kept.bin").await, b"kept", "what is discarded is not published");

    stage(one, &place, b"third", &mine).await.keep();
    let last = stage(one, &place, b"fourth", &mine).await;
    last.publish().await.expect("publish");
    assert_eq!(read(one, "t/kept.bin").await, b"fourth", "the last one staged counts");
    one.delete(&place).await.expect("delete");
}

async fn revoked_results_are_not_published(one: &dyn Storage, other: &dyn Storage) {
    let place = key("t/fenced.bin");
    let held = stage(one, &place, b"late", &ticket("job-1", 1, "fenced")).await;
    // As a killed process leaves it.
    let left = ticket("job-1", 2, "left");
    stage(one, &place, b"left", &left).await.keep();
    let next = stage(other, &place, b"next", &ticket("job-1", 3, "fenced")).await;
    other.revoke("job-1", 3).await.expect("revoke");
    next.publish().await.expect("an attempt is not revoked by its own fence");
    is_gone(other, &place, &left).await;
    let error = held.publish().await.expect_err("a revoked result must not be published");
    assert_eq!(
        (error.code(), error.kind()),
        ("storage.revoked", ErrorKind::Transient),
        "a revoked result fails by name"
    );
    assert_eq!(read(one, "t/fenced.bin").await, b"next", "the successor's result stays");
    one.delete(&place).await.expect("delete");
}

async fn jobs_are_discarded_with_their_parts(one: &dyn Storage, other: &dyn Storage) {
    let place = key("t/discarded.bin");
    let (left, kept) =
        (["job-a", "job-a-1", "job-a-12", "job-c"], ["job-ab", "job-a-b", "job-b-1"]);
    for name in left.into_iter().chain(kept) {
        stage(one, &place, b"left", &ticket(name, 7, "left")).await.keep();
    }
    let names = other.staged_for().await.expect("a list");
    assert!(left.iter().chain(&kept).all(|name| names.contains(*name)), "{names:?}");
    let jobs = ["job-a", "job-c"].map(str::to_owned).into();
    other.discard(&jobs).await.expect("discard");
    for name in left {
        is_gone(one, &place, &ticket(name, 7, "left")).await;
    }
    for name in kept {
        other.staged(&place, &ticket(name, 7, "left")).await.expect("another job's").keep();
    }
    let kept = kept.map(str::to_owned).into();
    one.discard(&kept).await.expect("discard");
    assert_eq!(other.staged_for().await.expect("a list").len(), 0);
}

async fn others_are_not_revoked(one: &dyn Storage, other: &dyn Storage) {
    let place = key("t/others.bin");
    // Names that begin alike, and numbers that sort otherwise as text.
    let others = [
        ticket("job-1", 10, "a"),
        ticket("job-1", 9, "b"),
        ticket("job-10", 1, "c"),
        ticket("job", 1, "d"),
    ];
    for ticket in &others {
        stage(one, &place, b"other", ticket).await.keep();
    }
    other.revoke("job-1", 9).await.expect("revoke");
    other.revoke("job-2", u64::MAX).await.expect("revoking what is not there is no error");
    for ticket in &others {
        drop(one.staged(&place, ticket).await.expect("equal, higher and other fences stay"));
    }
}

async fn a_result_is_published_once(one: &dyn Storage, other: &dyn Storage) {
    let (place, mine) = (key("t/once.bin"), ticket("job-1", 1, "once"));
    let first = stage(one, &place, b"once", &mine).await;
    let second = other.staged(&place, &mine).await.expect("taken up");
    first.publish().await.expect("publish");
    let error = second.publish().await.expect_err("it is published already");
    assert_eq!(error.code(), "storage.revoked");
    assert_eq!(read(other, "t/once.bin").await, b"once");
    one.delete(&place).await.expect("delete");
}

async fn reserved_keys_are_refused(storage: &dyn Storage) {
    let reserved = key(".mediaflow/x.bin");
    let blob = Blob::from(b"x".to_vec());
    let error =
        storage.stage(&reserved, &blob, &ticket("job-1", 1, "x")).await.expect_err("reserved");
    assert_eq!(error.code(), "storage.key");
    is_gone(storage, &reserved, &ticket("job-1", 1, "x")).await;
}

async fn missing_keys_are_named(storage: &dyn Storage) {
    let error =
        storage.get(&key("none/there.jpg")).await.expect_err("a missing key must be an error");
    assert_eq!(error.code(), "storage.not_found");
    storage.delete(&key("none/there.jpg")).await.expect("removing what is not there is no error");
}

async fn what_is_put_can_be_read(storage: &dyn Storage) {
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    for content in [b"first".to_vec(), b"second, longer".to_vec(), Vec::new(), large] {
        storage.put(&key("a/b/c.bin"), &Blob::from(content.clone())).await.expect("put");
        assert_eq!(read(storage, "a/b/c.bin").await, content, "what is put is what is read");
    }
    storage.delete(&key("a/b/c.bin")).await.expect("delete");
    assert!(storage.get(&key("a/b/c.bin")).await.is_err(), "a deleted key is gone");
}

async fn staging_is_invisible(storage: &dyn Storage) {
    let (place, mine) = (key("s/new.bin"), ticket("job-1", 1, "new"));
    let staged = stage(storage, &place, b"new", &mine).await;
    assert!(storage.get(&key("s/new.bin")).await.is_err(), "a staged result must not be visible");
    assert_eq!(storage.list("").await.expect("list"), [], "a staged result must not be listed");
    staged.publish().await.expect("publish");
    assert_eq!(read(storage, "s/new.bin").await, b"new");

    drop(stage(storage, &place, b"dropped", &mine).await);
    assert_eq!(read(storage, "s/new.bin").await, b"new", "a dropped result must not be published");
    is_discarded(storage, &place, &mine).await;
    storage.delete(&place).await.expect("delete");
}

async fn writers_do_not_mix(storage: &dyn Storage) {
    let place = key("many/writers.bin");
    let versions: Vec<Vec<u8>> = (0..8_u8).map(|i| vec![i; 200_000]).collect();
    let writes = versions.iter().map(|version| {
        let blob = Blob::from(version.clone());
        let place = &place;
        async move { storage.put(place, &blob).await }
    });
    for result in futures_util::future::join_all(writes).await {
        result.expect("put");
    }
    let found = read(storage, place.as_str()).await;
    assert!(versions.contains(&found), "a key must hold one whole version");
    storage.delete(&place).await.expect("delete");
}

async fn listing_is_ordered(storage: &dyn Storage) {
    for name in ["list/b.jpg", "list/a.jpg", "list/sub/c.jpg", "other/d.jpg"] {
        storage.put(&key(name), &Blob::from(b"x".to_vec())).await.expect("put");
    }
    let names = |keys: Vec<Key>| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let found = names(storage.list("list/").await.expect("list"));
    assert_eq!(found, ["list/a.jpg", "list/b.jpg", "list/sub/c.jpg"]);
    for name in names(storage.list("").await.expect("list")) {
        storage.delete(&key(&name)).await.expect("delete");
    }
    assert_eq!(storage.list("").await.expect("list"), []);
}

async fn stage(
    storage: &dyn Storage,
    place: &Key,
    content: &[u8],
    ticket: &Ticket,
) -> Box<dyn Staged> {
    storage.stage(place, &Blob::from(content.to_vec()), ticket).await.expect("stage")
}

async fn is_gone(storage: &dyn Storage, place: &Key, ticket: &Ticket) {
    let error = storage.staged(place, ticket).await.expect_err("nothing is staged any more");
    assert_eq!(error.code(), "storage.not_found");
}

/// What is dropped may be removed a moment later: a storage behind a network does that in the background.
async fn is_discarded(storage: &dyn Storage, place: &Key, ticket: &Ticket) {
    let gone = async {
        while let Ok(left) = storage.staged(place, ticket).await {
            left.keep();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    super::soon("end of what was dropped", gone).await;
    is_gone(storage, place, ticket).await;
}

async fn read(storage: &dyn Storage, name: &str) -> Vec<u8> {
    let blob = storage.get(&key(name)).await.expect("get");
    tokio::task::spawn_blocking(move || blob.read(u64::MAX))
        .await
        .expect("no panic")
        .expect("read")
        .to_vec()
}

fn ticket(job: &str, fence: u64, name: &str) -> Ticket {
    Ticket::new(job, fence, name).expect("a valid ticket")
}

fn key(name: &str) -> Key {
    name.parse().expect("a valid key")
}
