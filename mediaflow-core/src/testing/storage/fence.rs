use super::{is_discarded, is_gone, key, read, stage, ticket};
use crate::ErrorKind;
use crate::storage::Storage;

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
    other.staged(&place, &mine).await.expect("kept again").publish(None).await.expect("publish");
    assert_eq!(read(one, "t/kept.bin").await, b"kept");
    is_gone(one, &place, &mine).await;

    stage(one, &place, b"first", &mine).await.keep();
    stage(one, &place, b"second", &mine).await.keep();
    drop(other.staged(&place, &mine).await.expect("taken up"));
    is_discarded(one, &place, &mine).await;
    assert_eq!(read(one, "t/kept.bin").await, b"kept", "what is discarded is not published");

    stage(one, &place, b"third", &mine).await.keep();
    let last = stage(one, &place, b"fourth", &mine).await;
    last.publish(None).await.expect("publish");
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
    next.publish(None).await.expect("an attempt is not revoked by its own fence");
    is_gone(other, &place, &left).await;
    let error = held.publish(None).await.expect_err("a revoked result must not be published");
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
    first.publish(None).await.expect("publish");
    let error = second.publish(None).await.expect_err("it is published already");
    assert_eq!(error.code(), "storage.revoked");
    assert_eq!(read(other, "t/once.bin").await, b"once");
    one.delete(&place).await.expect("delete");
}
