//! Against an S3 server that other people wrote, which checks the signatures.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

#[allow(dead_code, unused_imports, reason = "other tests use the rest")]
mod server;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mediaflow_core::media::{Blob, Scratch};
use mediaflow_core::spec::{Key, PutOptions};
use mediaflow_core::storage::{GetOptions, Storage, StorageExt as _, Ticket};
use mediaflow_core::testing::exercise_storage;
use mediaflow_core::{Error, Retry};
use mediaflow_storage::{ObjectStorage, S3};
use server::{Fault, Server};

#[tokio::test(flavor = "multi_thread")]
async fn s3_is_a_storage() {
    let server = Server::start().await;
    exercise_storage(&server.bucket().build().unwrap()).await;
    exercise_storage(&server.bucket().prefix("tenants/7").build().unwrap()).await;
    assert_eq!(server.leftovers(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_take_over_from_one_another() {
    let server = Server::start().await;
    let [one, other] = [(); 2].map(|()| server.bucket().prefix("p").build().unwrap());
    let (place, ticket) = (key("film.mp4"), Ticket::new("job", 1, "film").unwrap());

    one.stage(&place, &Blob::from(b"kept".to_vec()), &PutOptions::new(), &ticket)
        .await
        .unwrap()
        .keep();
    other.staged(&place, &ticket).await.unwrap().publish(None).await.unwrap();
    assert_eq!(read(&one, &place).await, b"kept");

    let late = one
        .stage(&place, &Blob::from(b"late".to_vec()), &PutOptions::new(), &ticket)
        .await
        .unwrap();
    other.revoke("job", 2).await.unwrap();
    let error = late.publish(None).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("storage.revoked", Retry::Backoff));
    assert_eq!(read(&one, &place).await, b"kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_travel_in_parts_and_stay_out_of_memory() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    let seen = Arc::new(Mutex::new(HashMap::<&str, u32>::new()));
    let counts = Arc::clone(&seen);
    server.on_request(move |line| {
        let kind = if line.contains("partNumber=") { "part" } else { "other" };
        *counts.lock().unwrap().entry(kind).or_default() += 1;
        Fault::None
    });
    let (place, film) = (key("films/long.mp4"), film(17_000_001));
    let source = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(source.path(), &film).unwrap();
    storage.put(&place, &Blob::file(source.path()).unwrap()).await.unwrap();
    assert_eq!(seen.lock().unwrap().get("part"), Some(&3));

    let scratch = tempfile::tempdir().unwrap();
    let into = Scratch::in_folder(scratch.path());
    let blob = storage.get(&place, &GetOptions::new(), &into).await.unwrap();
    let path = blob.path().unwrap().to_owned();
    assert!(path.starts_with(scratch.path()) && path.extension().unwrap() == "mp4");
    assert!(std::fs::read(&path).unwrap() == film, "what is put is what is read");
    drop(blob);
    assert!(!path.exists(), "the file goes with its blob");
    assert_eq!(server.leftovers(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upload_leaves_nothing_behind() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    server.on_request(|line| match line.contains("partNumber=2") {
        true => Fault::Answered(400, "InvalidRequest"),
        false => Fault::None,
    });
    let ticket = Ticket::new("job", 1, "film").unwrap();
    let (place, film) = (key("film.mp4"), Blob::from(film(17_000_001)));
    let put = PutOptions::new();
    let error = storage.stage(&place, &film, &put, &ticket).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("storage.refused", Retry::Never));
    assert_eq!(error.fact("code"), Some("InvalidRequest"));
    assert_eq!(error.fact("status"), Some("400"));
    assert_no_secrets(&error);
    let error = storage.staged(&place, &ticket).await.unwrap_err();
    assert_eq!(error.code(), "storage.not_found");
    assert_eq!(server.leftovers(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_given_up_leaves_nothing_behind() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    server.on_request(move |line| {
        tell.send(line.to_owned()).unwrap();
        if line.contains("partNumber=2") { Fault::Hangs } else { Fault::None }
    });
    let ticket = Ticket::new("job", 1, "film").unwrap();
    let (place, film) = (key("film.mp4"), Blob::from(film(17_000_001)));
    let put = PutOptions::new();
    {
        let staging = storage.stage(&place, &film, &put, &ticket);
        let second_part = async { while !told.recv().await.unwrap().contains("partNumber=2") {} };
        tokio::select! {
            _ = staging => panic!("it can not end"),
            () = second_part => {}
        }
    }
    let abort = format!("DELETE /media/.mediaflow/job/{ticket}?uploadId=");
    while !told.recv().await.unwrap().starts_with(&abort) {}
    let error = storage.staged(&place, &ticket).await.unwrap_err();
    assert_eq!(error.code(), "storage.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_publication_can_be_repeated() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    let (place, ticket) = (key("a.jpg"), Ticket::new("job", 1, "a").unwrap());
    storage.put(&place, &Blob::from(b"old".to_vec())).await.unwrap();

    let new = storage
        .stage(&place, &Blob::from(b"new".to_vec()), &PutOptions::new(), &ticket)
        .await
        .unwrap();
    server.on_request(|line| {
        if line.starts_with("PUT /media/a.jpg?") { Fault::Lost } else { Fault::None }
    });
    let error = new.publish(None).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("storage.io", Retry::Backoff));
    assert_eq!(read(&storage, &place).await, b"old");

    // The copy happens, but nobody hears of it.
    let new = storage.staged(&place, &ticket).await.unwrap();
    server.on_request(|line| match line.starts_with("PUT /media/a.jpg?") {
        true => Fault::AnswerLost,
        false => Fault::None,
    });
    assert_eq!(new.publish(None).await.unwrap_err().code(), "storage.io");
    assert_eq!(read(&storage, &place).await, b"new");

    // The copy happens, but the staged object stays.
    let new = storage.staged(&place, &ticket).await.unwrap();
    server.on_request(|line| {
        if line == "POST /media?delete" {
            Fault::Answered(400, "InvalidRequest")
        } else {
            Fault::None
        }
    });
    new.publish(None).await.expect("what is visible is published");
    server.on_request(|_| Fault::None);
    storage.staged(&place, &ticket).await.unwrap().publish(None).await.unwrap();
    assert_eq!(read(&storage, &place).await, b"new");
    assert_eq!(server.leftovers(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_of_one_version() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    let (place, old) = (key("film.mp4"), film(6_000_000));
    storage.put(&place, &Blob::from(old.clone())).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let cut_then = |then: Fault| {
        let (tell, mut plan) = (tell.clone(), [Fault::AnswerCut, then].into_iter());
        server.on_request(move |line| {
            if !line.starts_with("GET /media/film.mp4") {
                return Fault::None;
            }
            let fault = plan.next().unwrap_or(Fault::None);
            tell.send(fault).unwrap();
            fault
        });
    };
    cut_then(Fault::None);
    assert!(read(&storage, &place).await == old, "it goes on where it was cut");

    cut_then(Fault::Waits);
    let replaced = async {
        while told.recv().await.unwrap() != Fault::Waits {}
        storage.put(&place, &Blob::from(vec![7; 6_000_000])).await.unwrap();
        server.go_on();
    };
    let (scratch, whole) = (Scratch::in_folder(std::env::temp_dir()), GetOptions::new());
    let (got, ()) = tokio::join!(storage.get(&place, &whole, &scratch), replaced);
    let error = got.expect_err("half old, half new");
    assert_eq!((error.code(), error.retry()), ("storage.io", Retry::Backoff));
    assert!(read(&storage, &place).await == [7; 6_000_000], "the next try has the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_taken_as_they_are() {
    let server = Server::start().await;
    let storage = server.bucket().prefix("a b/ü").build().unwrap();
    let mut names = ["x y/ü%20+&=.jpg", "x y/#?[~]*'(1)!@$,;.jpg", "x y/猫.webp", "z"].map(key);
    names.sort();
    for name in &names {
        storage.put(name, &Blob::from(name.as_str().as_bytes().to_vec())).await.unwrap();
    }
    assert_eq!(storage.list("").await.unwrap(), names);
    assert_eq!(storage.list("x").await.unwrap(), names[..3]);
    for name in &names {
        assert_eq!(read(&storage, name).await, name.as_str().as_bytes());
        storage.delete(name).await.unwrap();
    }
    assert_eq!(storage.list("").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_work_says_what_to_do() {
    let server = Server::start().await;
    let denied = "storage.denied";
    let wrong_secret = server.bucket().credentials(server::KEY_ID, "hunter2-wrong");
    all_fail(wrong_secret, denied, Retry::Never, "AWS_SECRET_ACCESS_KEY").await;
    let wrong_key = server.bucket().credentials("stranger", server::SECRET);
    all_fail(wrong_key, denied, Retry::Never, "AWS_ACCESS_KEY_ID").await;
    let missing = S3::bucket("missing")
        .endpoint(format!("http://{}", server.address))
        .allow_http(true)
        .credentials(server::KEY_ID, server::SECRET);
    // This server minds only when it lists.
    let error = missing.build().unwrap().list("").await.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("storage.bucket", Retry::Never));
    assert_no_secrets(&error);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_has_its_meaning() {
    let server = Server::start().await;
    for (status, code, ours, retry, help) in [
        (400, "ExpiredToken", "storage.denied", Retry::Never, "AWS_SESSION_TOKEN"),
        (403, "AccessDenied", "storage.denied", Retry::Never, "s3:PutObject"),
        (403, "RequestTimeTooSkewed", "storage.denied", Retry::Never, "NTP"),
        (403, "SomethingNew", "storage.denied", Retry::Never, "AWS_ACCESS_KEY_ID"),
        (400, "AuthorizationHeaderMalformed", "storage.region", Retry::Never, "eu-north-1"),
        (404, "NoSuchBucket", "storage.bucket", Retry::Never, "create the bucket"),
        (301, "PermanentRedirect", "storage.region", Retry::Never, "AWS_REGION"),
        (400, "InvalidArgument", "storage.refused", Retry::Never, "InvalidArgument"),
        (503, "SlowDown", "storage.io", Retry::Backoff, "tried again"),
    ] {
        server.on_request(move |_| Fault::Answered(status, code));
        all_fail(server.bucket(), ours, retry, help).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_may_come_back() {
    let server = Server::start().await;
    let bucket = server.bucket();
    drop(server);
    all_fail(bucket, "storage.io", Retry::Backoff, "can be reached").await;
}

/// Get, stage, delete, list and revoke fail with this code.
async fn all_fail(bucket: S3, code: &str, retry: Retry, help: &str) {
    let storage = bucket.build().unwrap();
    let (key, ticket) = (key("a.jpg"), Ticket::new("job", 1, "a").unwrap());
    let (blob, put) = (Blob::from(vec![1]), PutOptions::new());
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let whole = GetOptions::new();
    let (got, staged, deleted, listed, revoked) = tokio::join!(
        storage.get(&key, &whole, &scratch),
        storage.stage(&key, &blob, &put, &ticket),
        storage.delete(&key),
        storage.list(""),
        storage.revoke("job", 2),
    );
    let errors = [
        got.unwrap_err(),
        staged.unwrap_err(),
        deleted.unwrap_err(),
        listed.unwrap_err(),
        revoked.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!((error.code(), error.retry()), (code, retry), "{error:?}");
        assert!(error.to_string().contains(help), "{error}");
        assert_no_secrets(error);
    }
}

fn assert_no_secrets(error: &Error) {
    let shown = format!("{error} {error:?}");
    for secret in ["hunter2", "X-Amz", "?", "StringToSign"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

async fn read(storage: &ObjectStorage, key: &Key) -> Vec<u8> {
    storage.read(key, u64::MAX).await.unwrap().to_vec()
}

fn film(len: u32) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn key(name: &str) -> Key {
    name.parse().unwrap()
}
