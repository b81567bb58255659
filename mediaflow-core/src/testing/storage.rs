use crate::media::Blob;
use crate::spec::Key;
use crate::storage::{Storage, StorageExt as _};

/// The conformance suite of [`Storage`]. The storage must be empty, and is empty afterwards.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_storage(storage: &dyn Storage) {
    missing_keys_are_named(storage).await;
    what_is_put_can_be_read(storage).await;
    staging_is_invisible(storage).await;
    writers_do_not_mix(storage).await;
    listing_is_ordered(storage).await;
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
    let staged =
        storage.stage(&key("s/new.bin"), &Blob::from(b"new".to_vec())).await.expect("stage");
    assert!(storage.get(&key("s/new.bin")).await.is_err(), "a staged result must not be visible");
    assert_eq!(storage.list("").await.expect("list"), [], "a staged result must not be listed");
    staged.publish().await.expect("publish");
    assert_eq!(read(storage, "s/new.bin").await, b"new");

    drop(storage.stage(&key("s/new.bin"), &Blob::from(b"dropped".to_vec())).await.expect("stage"));
    assert_eq!(read(storage, "s/new.bin").await, b"new", "a dropped result must not be published");
    storage.delete(&key("s/new.bin")).await.expect("delete");
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

async fn read(storage: &dyn Storage, name: &str) -> Vec<u8> {
    let blob = storage.get(&key(name)).await.expect("get");
    tokio::task::spawn_blocking(move || blob.read(u64::MAX))
        .await
        .expect("no panic")
        .expect("read")
        .to_vec()
}

fn key(name: &str) -> Key {
    name.parse().expect("a valid key")
}
