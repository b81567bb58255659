use super::{is_discarded, is_gone, key, read, stage, ticket};
use crate::media::Blob;
use crate::spec::{Key, PutOptions};
use crate::storage::{StagedFile, Storage, StorageExt as _};

pub(super) async fn reserved_keys_are_refused(storage: &dyn Storage) {
    let reserved = key(".mediaflow/x.bin");
    let blob = Blob::from(b"x".to_vec());
    let error = storage
        .stage(&reserved, &blob, &PutOptions::new(), &ticket("job-1", 1, "x"))
        .await
        .expect_err("reserved");
    assert_eq!(error.code(), "storage.key");
    is_gone(storage, &reserved, &ticket("job-1", 1, "x")).await;
}

pub(super) async fn missing_keys_are_named(storage: &dyn Storage) {
    let missing = key("none/there.jpg");
    let error = storage.read(&missing, 9).await.expect_err("a missing key must be an error");
    assert_eq!(error.code(), "storage.not_found");
    let error = storage.stat(&missing).await.expect_err("of a missing key nothing is known");
    assert_eq!(error.code(), "storage.not_found");
    storage.delete(&key("none/there.jpg")).await.expect("removing what is not there is no error");
}

pub(super) async fn what_is_put_can_be_read(storage: &dyn Storage) {
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    for content in [b"first".to_vec(), b"second, longer".to_vec(), Vec::new(), large] {
        storage.put(&key("a/b/c.bin"), &Blob::from(content.clone())).await.expect("put");
        assert_eq!(read(storage, "a/b/c.bin").await, content, "what is put is what is read");
    }
    storage.delete(&key("a/b/c.bin")).await.expect("delete");
    assert!(storage.stat(&key("a/b/c.bin")).await.is_err(), "a deleted key is gone");
}

pub(super) async fn staging_is_invisible(storage: &dyn Storage) {
    let (place, mine) = (key("s/new.bin"), ticket("job-1", 1, "new"));
    let staged = stage(storage, &place, b"new", &mine).await;
    assert!(storage.stat(&key("s/new.bin")).await.is_err(), "a staged result must not be visible");
    assert_eq!(storage.list("").await.expect("list"), [], "a staged result must not be listed");
    staged.publish(None).await.expect("publish");
    assert_eq!(read(storage, "s/new.bin").await, b"new");

    drop(stage(storage, &place, b"dropped", &mine).await);
    assert_eq!(read(storage, "s/new.bin").await, b"new", "a dropped result must not be published");
    is_discarded(storage, &place, &mine).await;
    storage.delete(&place).await.expect("delete");
}

pub(super) async fn writers_do_not_mix(storage: &dyn Storage) {
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

pub(super) async fn listing_is_ordered(storage: &dyn Storage) {
    for name in ["list/b.jpg", "list/a.jpg", "list/sub/c.jpg", "other/d.jpg"] {
        storage.put(&key(name), &Blob::from(b"x".to_vec())).await.expect("put");
    }
    let names = |keys: Vec<Key>| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let found = names(storage.list("list/").await.expect("list"));
    assert_eq!(found, ["list/a.jpg", "list/b.jpg", "list/sub/c.jpg"]);
    let parts = names(storage.list("list/su").await.expect("list"));
    assert_eq!(parts, ["list/sub/c.jpg"], "a prefix can end within a name");
    let some = names(storage.list_some("list/", 2).await.expect("list"));
    assert!(some.len() == 2 && some.iter().all(|name| found.contains(name)), "{some:?}");
    for name in names(storage.list("").await.expect("list")) {
        storage.delete(&key(&name)).await.expect("delete");
    }
    assert_eq!(storage.list("").await.expect("list"), []);
}

/// Several files become visible in one act, or the storage says that it can not.
pub(super) async fn several_are_published_together(storage: &dyn Storage) {
    let files: Vec<StagedFile> = ["t/1", "t/2"]
        .map(|name| StagedFile::new(key(name), ticket("job-7", 1, &name.replace('/', "-")), None))
        .into();
    for file in &files {
        stage(storage, &file.key, b"together", &file.ticket).await.keep();
    }
    let gone = StagedFile::new(key("t/3"), ticket("job-7", 1, "gone"), None);
    let more: Vec<_> = files.iter().cloned().chain([gone]).collect();
    match storage.publish_together(&more).await {
        Ok(together) => assert!(!together, "one of them is not staged"),
        Err(error) => assert_eq!(error.code(), "storage.revoked"),
    }
    assert_eq!(storage.list("t/").await.expect("list"), [], "all of them or none");
    if storage.publish_together(&files).await.expect("publish") {
        for file in &files {
            assert_eq!(read(storage, file.key.as_str()).await, b"together");
            is_gone(storage, &file.key, &file.ticket).await;
            storage.delete(&file.key).await.expect("delete");
        }
    } else {
        assert_eq!(storage.list("t/").await.expect("list"), [], "all of them or none");
        storage.revoke("job-7", 2).await.expect("revoke");
    }
}
