//! Over a store in memory: what does not depend on S3.

use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::media::Blob;
use mediaflow_core::spec::{Key, Precondition, PutOptions};
use mediaflow_core::storage::{Sign as _, Storage, StorageExt as _, Ticket};
use mediaflow_core::testing::exercise_storage;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Attribute, ObjectStoreExt as _};

use crate::ObjectStorage;

fn storage(prefix: &str) -> ObjectStorage {
    ObjectStorage::new(Arc::new(InMemory::new()), prefix).unwrap()
}

fn key(name: &str) -> Key {
    name.parse().unwrap()
}

#[tokio::test]
async fn every_store_is_a_storage() {
    exercise_storage(&storage("")).await;
    exercise_storage(&storage("media/public")).await;
}

#[tokio::test]
async fn what_is_too_large_to_be_put_again_is_not_put_over_a_version() {
    let storage = storage("media");
    let place = key("film.mp4");
    storage.put(&place, &Blob::from(vec![1])).await.unwrap();
    let version = storage.stat(&place).await.unwrap().version.unwrap();
    let film = Blob::from(vec![7; (64 << 20) + 1]);
    let over = Precondition::IfMatch(version);
    let put = storage.put_opts(&place, &film, &PutOptions::new(), Some(&over)).await;
    assert_eq!(put.unwrap_err().code(), "storage.unsupported");
    storage.put(&place, &film).await.unwrap();
    assert_eq!(storage.stat(&place).await.unwrap().len, film.len());
}

#[tokio::test]
async fn a_store_without_signatures_says_so() {
    let storage = storage("media");
    assert!(Storage::sign(&storage).is_none());
    let error = storage.sign_get(&key("a"), Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.code(), "storage.unsupported");
}

#[tokio::test]
async fn content_types_come_from_the_name_or_the_bytes() {
    let storage = storage("");
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    for (name, bytes, kind) in [
        ("a.JPG", vec![1], "image/jpeg"),
        ("a.webp", vec![1], "image/webp"),
        ("hls/a.m3u8", vec![1], "application/vnd.apple.mpegurl"),
        ("sprite.css", vec![1], "text/css"),
        ("a", png, "image/png"),
        ("a.unknown", vec![1], "application/octet-stream"),
        ("empty", vec![], "application/octet-stream"),
    ] {
        storage.put(&key(name), &Blob::from(bytes)).await.unwrap();
        let object = storage.staging.store.get(&Path::from(name)).await.unwrap();
        let found = object.attributes.get(&Attribute::ContentType).map(|kind| kind.to_string());
        assert_eq!(found.as_deref(), Some(kind), "{name}");
    }
}

#[tokio::test]
async fn objects_of_others_stay_out_of_the_way() {
    let storage = storage("media");
    let store = &storage.staging.store;
    for name in ["media2/a.jpg", "other.jpg", "media/back\\slash", "media/.mediaflow/loose"] {
        store.put(&Path::parse(name).unwrap(), vec![1].into()).await.unwrap();
    }
    storage.put(&key("a.jpg"), &Blob::from(vec![1])).await.unwrap();
    assert_eq!(storage.list("").await.unwrap(), [key("a.jpg")]);
    assert_eq!(storage.list("a.").await.unwrap(), [key("a.jpg")]);
    assert_eq!(storage.list("a/../").await.unwrap(), []);
    storage.revoke("loose", u64::MAX).await.unwrap();
    assert_eq!(storage.revoke("../a", 1).await.unwrap_err().code(), "storage.ticket");
    assert!(store.head(&Path::from("media/.mediaflow/loose")).await.is_ok());
}

#[tokio::test]
async fn a_result_dropped_outside_of_the_runtime_is_discarded_too() {
    let storage = storage("");
    let ticket = Ticket::new("job", 1, "a").unwrap();
    let staged = storage
        .stage(&key("a.jpg"), &Blob::from(vec![1]), &PutOptions::new(), &ticket)
        .await
        .unwrap();
    std::thread::spawn(move || drop(staged)).join().unwrap();
    let error = storage.staged(&key("a.jpg"), &ticket).await.unwrap_err();
    assert_eq!(error.code(), "storage.not_found");
}

#[test]
fn urls_are_read_strictly_and_shown_without_secrets() {
    for url in [
        "ftp://bucket",
        "gs://b#x",
        "az://",
        "s3:/bucket",
        "s3://",
        "s3://bu cket/x",
        "s3://id:hunter2@bucket/x",
        "s3://bucket/x?secret=hunter2",
        "https://host/x?sig=hunter2",
    ] {
        let error = ObjectStorage::from_url(url).unwrap_err();
        assert_eq!(error.code(), "storage.url", "{url}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
