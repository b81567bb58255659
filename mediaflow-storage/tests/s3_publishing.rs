//! What becomes visible in S3, and what is left behind, when attempts overtake one another and workers are killed.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

#[allow(dead_code, unused_imports, reason = "other tests use the rest")]
mod server;

use std::sync::{Arc, Mutex};

use mediaflow_core::Mediaflow;
use mediaflow_core::media::{Blob, Scratch};
use mediaflow_core::spec::{Key, Precondition, PutOptions};
use mediaflow_core::storage::{GetOptions, Storage, StorageExt as _, Ticket};
use mediaflow_core::testing::{exercise_storage, exercise_uploads};
use mediaflow_storage::ObjectStorage;
use server::{Fault, Server, send};

#[tokio::test(flavor = "multi_thread")]
async fn files_can_be_uploaded_past_this_process() {
    let server = Server::start().await;
    exercise_uploads(&server.bucket().build().unwrap(), send).await;
    exercise_uploads(&server.bucket().prefix("tenants/7").build().unwrap(), send).await;
    assert_eq!(server.leftovers(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_checked_is_what_becomes_visible() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    let media = Mediaflow::builder().storage_with("in", storage.clone()).start().await.unwrap();
    let (gif, evil) = (&b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"[..], b"<script>alert</");
    let upload = media.upload("in/a.gif", "image/gif", 14).start().await.unwrap();
    assert_eq!(send(upload.request.clone(), gif.to_vec()).await.0, 200);
    // The bytes are checked, and the copy is on its way when others are sent.
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    server.on_request(move |line| {
        if line.starts_with("PUT /media/a.gif?") {
            tell.send(()).unwrap();
            return Fault::Waits;
        }
        Fault::None
    });
    let sent_again = async {
        told.recv().await.unwrap();
        server.on_request(|_| Fault::None);
        assert_eq!(send(upload.request.clone(), evil[..14].to_vec()).await.0, 200);
        server.go_on();
    };
    let (done, ()) = tokio::join!(media.complete_upload(&upload.session), sent_again);
    assert_eq!(done.unwrap_err().code(), "upload.changed");
    assert_eq!(storage.list("").await.unwrap(), []);
    let error = media.complete_upload(&upload.session).await.unwrap_err();
    assert_eq!(error.code(), "upload.content");
    assert_eq!(send(upload.request, gif.to_vec()).await.0, 200);
    media.complete_upload(&upload.session).await.unwrap();
    assert_eq!(storage.read(&key("a.gif"), 99).await.unwrap(), gif);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_metadata_are_kept() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    let options = PutOptions::new()
        .content_type("image/x-own")
        .cache_control("public, max-age=31536000")
        .content_disposition("attachment; filename=\"cat.jpg\"")
        .metadata("owner-id", "7");
    let large = storage_in_parts(&server);
    for (storage, len) in [(&storage, 9), (&storage, 17_000_001), (&large, 12_000_000)] {
        let blob = Blob::from(film(len));
        storage.put_opts(&key("a.jpg"), &blob, &options, None).await.unwrap();
        let found = storage.stat(&key("a.jpg")).await.unwrap();
        assert_eq!((found.len, found.options), (u64::from(len), options.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_revoked_can_not_finish_its_copy() {
    for in_parts in [false, true] {
        let server = Server::start().await;
        let storage = || match in_parts {
            false => server.bucket().build().unwrap(),
            true => storage_in_parts(&server),
        };
        let (one, other, place) = (storage(), storage(), key("film.mp4"));
        for before in [None, Some(b"before".to_vec())] {
            if let Some(before) = before {
                one.put(&place, &Blob::from(before)).await.unwrap();
            }
            let late = stage(&one, 1, film(12_000_000)).await;
            let next = stage(&other, 2, film(11_000_000)).await;
            let mut begun = hold_one(&server, "PUT /media/film.mp4?");
            let late = tokio::spawn(late.publish(None));
            begun.recv().await.unwrap();
            other.revoke("job", 2).await.unwrap();
            next.publish(None).await.unwrap();
            server.go_on();
            let error = late.await.unwrap().unwrap_err();
            assert_eq!(error.code(), "storage.revoked");
            let found = one.read(&place, u64::MAX).await.unwrap();
            assert!(found == film(11_000_000), "the later attempt's");
            one.delete(&place).await.unwrap();
        }
        assert_eq!((server.leftovers(), server.uploads()), (vec![], vec![]));
    }
}

/// The rule that is documented for servers which ignore conditions on copies.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_conditions_can_finish_one_copy_late() {
    let server = Server::start().await;
    server.ignore_conditions();
    let storage = server.bucket().build().unwrap();
    let late = stage(&storage, 1, b"late".to_vec()).await;
    let next = stage(&storage, 2, b"next".to_vec()).await;
    let mut begun = hold_one(&server, "PUT /media/film.mp4?");
    let late = tokio::spawn(late.publish(None));
    begun.recv().await.unwrap();
    storage.revoke("job", 2).await.unwrap();
    next.publish(None).await.unwrap();
    server.go_on();
    late.await.unwrap().unwrap();
    assert_eq!(storage.read(&key("film.mp4"), 9).await.unwrap(), "late");

    // What is revoked before its copy begins does not begin.
    let late = stage(&storage, 3, b"later".to_vec()).await;
    storage.revoke("job", 4).await.unwrap();
    assert_eq!(late.publish(None).await.unwrap_err().code(), "storage.revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_objects_are_copied_by_the_server() {
    let server = Server::start().await;
    let storage = storage_in_parts(&server);
    exercise_storage(&storage).await;
    assert_eq!((server.leftovers(), server.uploads()), (vec![], vec![]));

    let requests = Arc::new(Mutex::new(Vec::new()));
    let staged = stage(&storage, 1, film(12_000_000)).await;
    let seen = Arc::clone(&requests);
    server.on_request(move |line| {
        seen.lock().unwrap().push(line.to_owned());
        Fault::None
    });
    staged.publish(None).await.unwrap();
    let seen = std::mem::take(&mut *requests.lock().unwrap());
    let gets: Vec<_> = seen.iter().filter(|line| line.starts_with("GET ")).collect();
    assert_eq!(gets, [""; 0], "nothing is read by this process");
    let parts = seen.iter().filter(|line| line.contains("partNumber=")).count();
    assert_eq!(parts, 3);
    assert!(storage.read(&key("film.mp4"), u64::MAX).await.unwrap() == film(12_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_parts_that_fails_leaves_nothing_and_can_be_tried_again() {
    let server = Server::start().await;
    let storage = storage_in_parts(&server);
    let staged = stage(&storage, 1, film(12_000_000)).await;
    server.on_request(|line| match line.contains("partNumber=2") {
        true => Fault::Answered(400, "InvalidRequest"),
        false => Fault::None,
    });
    let error = staged.publish(None).await.unwrap_err();
    assert_eq!((error.code(), error.fact("code")), ("storage.refused", Some("InvalidRequest")));
    assert_eq!(server.uploads(), [""; 0]);
    server.on_request(|_| Fault::None);
    let again = storage.staged(&key("film.mp4"), &ticket(1)).await.unwrap();
    again.publish(None).await.unwrap();
    assert!(storage.read(&key("film.mp4"), u64::MAX).await.unwrap() == film(12_000_000));
    assert_eq!((server.leftovers(), server.uploads()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_killed_workers_are_given_up() {
    let server = Server::start().await;
    let storage = server.bucket().prefix("p").build().unwrap();
    // As a killed worker leaves them: begun, and one part sent.
    let leave = async |fence| {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        server.on_request(move |line| {
            let second = line.contains("partNumber=2");
            if second {
                tell.send(()).ok();
            }
            // The worker is killed: it gives up nothing any more.
            let aborts = line.starts_with("DELETE") && !line.contains("X-Amz-Signature");
            if second || aborts { Fault::Hangs } else { Fault::None }
        });
        let (place, blob, put) = (key("film.mp4"), Blob::from(film(17_000_001)), PutOptions::new());
        let ticket = ticket(fence);
        tokio::select! {
            _ = storage.stage(&place, &blob, &put, &ticket) => panic!("it can not end"),
            () = async { told.recv().await.unwrap() } => {}
        }
    };
    leave(1).await;
    leave(2).await;
    assert_eq!(server.uploads().len(), 2);
    storage.revoke("job", 2).await.unwrap();
    assert_eq!(server.uploads(), [format!("p/.mediaflow/job/{}", ticket(2))]);
    let jobs = storage.staged_for().await.unwrap();
    assert_eq!(jobs.iter().collect::<Vec<_>>(), ["job"], "although nothing else is staged");
    storage.discard(&jobs).await.unwrap();
    assert_eq!(server.uploads(), [""; 0]);
    assert_eq!(storage.staged_for().await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lists_no_uploads_is_a_storage_too() {
    let server = Server::start().await;
    server.on_request(|line| match line.contains("uploads=&") || line.ends_with("uploads=") {
        true => Fault::Answered(501, "NotImplemented"),
        false => Fault::None,
    });
    exercise_storage(&server.bucket().build().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_too_large_is_not_downloaded() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    let place = key("film.mp4");
    storage.put(&place, &Blob::from(film(17_000_001))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scratch = Scratch::in_folder(folder.path());
    let small = GetOptions::new().limit(5 << 20);
    let error = storage.get(&place, &small, &scratch).await.unwrap_err();
    assert_eq!(error.code(), "limit.input_bytes");
    assert_eq!((error.fact("found"), error.fact("allowed")), (Some("17000001"), Some("5242880")));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let whole = storage.get(&place, &GetOptions::new(), &scratch).await.unwrap();
    assert!(whole.path().unwrap().starts_with(folder.path()), "in the engine's folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_can_not_be_looked_at_is_not_passed_over() {
    let server = Server::start().await;
    let storage = server.bucket().build().unwrap();
    server.on_request(|line| match line.starts_with("PUT /media/a.jpg?") {
        true => Fault::Answered(501, "NotImplemented"),
        false => Fault::None,
    });
    let (blob, put) = (Blob::from(vec![1]), PutOptions::new());
    let first = Some(&Precondition::IfNoneMatch);
    let error = storage.put_opts(&key("a.jpg"), &blob, &put, first).await.unwrap_err();
    assert_eq!(error.fact("code"), Some("NotImplemented"));
    // What is dropped is removed a moment later, and whoever looks waits for it.
    storage.discard(&storage.staged_for().await.unwrap()).await.unwrap();
    assert_eq!(server.leftovers(), [""; 0]);
}

/// Lets the first request that begins so read its source, and holds it until the server is told to go on.
fn hold_one(server: &Server, begin: &'static str) -> tokio::sync::mpsc::UnboundedReceiver<()> {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let mut first = true;
    server.on_request(move |line| {
        if first && line.starts_with(begin) {
            first = false;
            tell.send(()).unwrap();
            return Fault::Copies;
        }
        Fault::None
    });
    told
}

async fn stage(
    storage: &ObjectStorage,
    fence: u64,
    content: Vec<u8>,
) -> Box<dyn mediaflow_core::storage::Staged> {
    let (blob, put) = (Blob::from(content), PutOptions::new());
    storage.stage(&key("film.mp4"), &blob, &put, &ticket(fence)).await.unwrap()
}

fn storage_in_parts(server: &Server) -> ObjectStorage {
    server.bucket().copy_limit(5 << 20).build().unwrap()
}

fn ticket(fence: u64) -> Ticket {
    Ticket::new("job", fence, "film").unwrap()
}

fn film(len: u32) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn key(name: &str) -> Key {
    name.parse().unwrap()
}
