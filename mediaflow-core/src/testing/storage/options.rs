use futures_util::future::join_all;

use super::{is_gone, key, read, stage, ticket};
use crate::media::{Blob, Scratch};
use crate::spec::{Key, Precondition, PutOptions};
use crate::storage::{GetOptions, Storage, StorageExt as _};

pub(super) async fn keys_are_described(storage: &dyn Storage) {
    let place = key("o/described.bin");
    put(storage, &place, b"first").await;
    let first = storage.stat(&place).await.expect("stat");
    assert_eq!(first.len, 5);
    put(storage, &place, b"second").await;
    let second = storage.stat(&place).await.expect("stat");
    assert_eq!(second.len, 6);
    if first.version.is_some() {
        assert_ne!(first.version, second.version, "another content has another version");
    }
    assert_eq!(storage.stat(&place).await.expect("stat"), second, "a look changes nothing");
    storage.delete(&place).await.expect("delete");
}

pub(super) async fn parts_are_read(storage: &dyn Storage) {
    let (place, all) = (key("o/parts.bin"), large());
    put(storage, &place, &all).await;
    let last = all.len() as u64;
    for range in [0..1, 3..5_000_003, last - 1..last, 9..last + 9, 0..u64::MAX] {
        let options = GetOptions::new().range(range.clone());
        let found = get(storage, &place, &options).await.expect("a part");
        let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(all.len());
        let begin = usize::try_from(range.start).expect("small");
        assert!(found == all[begin..end], "{range:?} has {} bytes", found.len());
    }
    for range in [last..last + 1, 5..5] {
        let options = GetOptions::new().range(range);
        let error = get(storage, &place, &options).await.expect_err("no such bytes");
        assert_eq!(error.code(), "storage.range");
    }
    storage.delete(&place).await.expect("delete");
}

pub(super) async fn what_is_too_large_is_not_read(storage: &dyn Storage) {
    let (place, all) = (key("o/large.bin"), large());
    put(storage, &place, &all).await;
    let (found, scratch) = (all.len() as u64, tempfile::tempdir().expect("a folder"));
    let into = Scratch::in_folder(scratch.path());
    let options = GetOptions::new().limit(found - 1);
    let error = storage.get(&place, &options, &into).await.expect_err("above the limit");
    assert_eq!(error.code(), "limit.input_bytes");
    let facts = (error.fact("found"), error.fact("allowed"));
    let (found_text, allowed) = (found.to_string(), (found - 1).to_string());
    assert_eq!(facts, (Some(&*found_text), Some(&*allowed)));
    assert_eq!(std::fs::read_dir(scratch.path()).expect("a folder").count(), 0);
    get(storage, &place, &GetOptions::new().limit(found)).await.expect("what is allowed");
    let part = GetOptions::new().range(7..9).limit(2);
    assert_eq!(get(storage, &place, &part).await.expect("a small part of it"), all[7..9]);
    storage.delete(&place).await.expect("delete");
}

pub(super) async fn a_certain_version_is_read(storage: &dyn Storage) {
    let place = key("o/version.bin");
    put(storage, &place, b"first").await;
    if let Some(version) = storage.stat(&place).await.expect("stat").version {
        let options = GetOptions::new().if_match(version);
        assert_eq!(get(storage, &place, &options).await.expect("it is there"), b"first");
        put(storage, &place, b"second").await;
        for options in [options.clone(), options.range(0..2)] {
            let error = get(storage, &place, &options).await.expect_err("it is gone");
            assert_eq!(error.code(), "storage.precondition");
        }
    }
    storage.delete(&place).await.expect("delete");
}

/// What was got stays what it was.
pub(super) async fn a_blob_is_of_one_version(storage: &dyn Storage) {
    let place = key("o/replaced.bin");
    for content in [b"before".to_vec(), large()] {
        put(storage, &place, &content).await;
        let scratch = tempfile::tempdir().expect("a folder");
        let into = Scratch::in_folder(scratch.path());
        let blob = storage.get(&place, &GetOptions::new(), &into).await.expect("get");
        put(storage, &place, b"afterwards").await;
        assert!(bytes(&blob).await == content, "a blob does not change with its key");
        storage.delete(&place).await.expect("delete");
        assert!(bytes(&blob).await == content, "a blob does not go with its key");
    }
}

pub(super) async fn staged_bytes_can_be_looked_at(storage: &dyn Storage) {
    let (place, mine) = (key("o/staged.bin"), ticket("job-1", 1, "looked-at"));
    stage(storage, &place, b"staged bytes", &mine).await.keep();
    let staged = storage.staged(&place, &mine).await.expect("taken up");
    assert_eq!(staged.stat().await.expect("stat").len, 12);
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let head = staged.get(&GetOptions::new().range(0..6), &scratch).await.expect("a part");
    assert_eq!(bytes(&head).await, b"staged");
    let error = staged.get(&GetOptions::new().limit(11), &scratch).await.expect_err("too large");
    assert_eq!(error.code(), "limit.input_bytes");
    storage.revoke("job-1", 2).await.expect("revoke");
    let error = staged.stat().await.expect_err("it is revoked");
    assert_eq!(error.code(), "storage.revoked");
}

pub(super) async fn headers_are_kept_whole_or_not_at_all(storage: &dyn Storage) {
    let (place, blob) = (key("o/headers.jpg"), Blob::from(b"x".to_vec()));
    let options = PutOptions::new()
        .content_type("image/x-own")
        .cache_control("public, max-age=31536000, immutable")
        .content_disposition("attachment; filename=\"cat.jpg\"")
        .metadata("owner", "7");
    storage.put_opts(&place, &blob, &options, None).await.expect("put");
    let found = storage.stat(&place).await.expect("stat");
    if !found.options.is_empty() {
        assert_eq!(found.options, options, "all of it");
        assert_eq!(found.content_type(), Some("image/x-own"));
        storage.put(&place, &blob).await.expect("put");
        let found = storage.stat(&place).await.expect("stat").options;
        assert_eq!((found.cache_control, found.metadata.len()), (None, 0), "not of one before");
    }
    storage.delete(&place).await.expect("delete");
}

pub(super) async fn one_of_many_is_first(storage: &dyn Storage) {
    let place = key("o/first.bin");
    let won = race(storage, &place, &Precondition::IfNoneMatch).await;
    assert_eq!(won, 1, "only one can be the first");
    storage.delete(&place).await.expect("delete");
    let again = storage
        .put_opts(
            &place,
            &Blob::from(b"x".to_vec()),
            &PutOptions::new(),
            Some(&Precondition::IfNoneMatch),
        )
        .await;
    again.expect("nothing is there any more");
    storage.delete(&place).await.expect("delete");
}

pub(super) async fn one_of_many_replaces(storage: &dyn Storage) {
    let place = key("o/replaces.bin");
    put(storage, &place, b"before").await;
    let Some(version) = storage.stat(&place).await.expect("stat").version else {
        return storage.delete(&place).await.expect("delete");
    };
    let precondition = Precondition::IfMatch(version);
    assert_eq!(race(storage, &place, &precondition).await, 1, "only one can replace a version");
    storage.delete(&place).await.expect("delete");
    assert_eq!(race(storage, &place, &precondition).await, 0, "what is gone is not replaced");
}

pub(super) async fn a_failed_condition_changes_nothing(storage: &dyn Storage) {
    let (place, mine) = (key("o/kept.bin"), ticket("job-1", 1, "kept"));
    put(storage, &place, b"before").await;
    let staged = stage(storage, &place, b"after", &mine).await;
    let error = staged.publish(Some(&Precondition::IfNoneMatch)).await.expect_err("it is there");
    assert_eq!(error.code(), "storage.precondition");
    assert_eq!(read(storage, place.as_str()).await, b"before");
    let staged = storage.staged(&place, &mine).await.expect("it can be published otherwise");
    staged.publish(None).await.expect("publish");
    assert_eq!(read(storage, place.as_str()).await, b"after");
    is_gone(storage, &place, &mine).await;
    storage.delete(&place).await.expect("delete");
}

/// How many of eight writers at once get through.
async fn race(storage: &dyn Storage, place: &Key, precondition: &Precondition) -> usize {
    let writers = (0..8_u8).map(|writer| async move {
        let (blob, options) = (Blob::from(vec![writer; 1000]), PutOptions::new());
        storage.put_opts(place, &blob, &options, Some(precondition)).await.map(|()| writer)
    });
    let ended = join_all(writers).await;
    let mut won = Vec::new();
    for end in ended {
        match end {
            Ok(writer) => won.push(writer),
            Err(error) => assert_eq!(error.code(), "storage.precondition", "{error}"),
        }
    }
    if let [writer] = won[..] {
        assert_eq!(read(storage, place.as_str()).await, [writer; 1000], "it is the winner's");
    }
    won.len()
}

async fn get(storage: &dyn Storage, place: &Key, options: &GetOptions) -> crate::Result<Vec<u8>> {
    let scratch = tempfile::tempdir().expect("a folder");
    let blob = storage.get(place, options, &Scratch::in_folder(scratch.path())).await?;
    Ok(bytes(&blob).await)
}

async fn bytes(blob: &Blob) -> Vec<u8> {
    let blob = blob.clone();
    let read = tokio::task::spawn_blocking(move || blob.read(u64::MAX));
    read.await.expect("no panic").expect("read").to_vec()
}

async fn put(storage: &dyn Storage, place: &Key, content: &[u8]) {
    storage.put(place, &Blob::from(content.to_vec())).await.expect("put");
}

/// More than is read into memory.
fn large() -> Vec<u8> {
    (0..6_000_000_u32).map(|i| (i % 251) as u8).collect()
}
