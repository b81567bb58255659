#![allow(clippy::future_not_send, reason = "a test waits for it where it stands")]

use std::sync::Arc;
use std::time::Duration;

use super::{key, read, ticket};
use crate::media::Format;
use crate::spec::{Pipeline, Precondition, PutOptions};
use crate::storage::{Sign, SignPut, SignedRequest, Storage, StorageExt as _};
use crate::testing::ManualClock;
use crate::{Error, ErrorKind, Mediaflow, UploadSession};

const MINUTE: Duration = Duration::from_secs(60);
/// A picture of one pixel.
const DOT: &[u8] = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";
/// As long, and none.
const JUNK: &[u8] = b"<html>no gif!";

pub(super) async fn requests_are_signed_within_bounds(storage: &dyn Storage) {
    let Some(sign) = storage.sign() else { return };
    let place = key("u/signed.gif");
    let put = SignPut::exactly(14).options(PutOptions::new().content_type("image/gif"));
    for time in [Duration::ZERO, sign.longest() + MINUTE] {
        let error = sign.sign_get(&place, time).await.expect_err("too short or too long");
        assert_eq!(error.code(), "storage.expiry");
        let error = sign.sign_put(&place, &put, time).await.expect_err("too short or too long");
        assert_eq!(error.code(), "storage.expiry");
    }
    let reserved = key(".mediaflow/x.gif");
    let error = sign.sign_put(&reserved, &put, MINUTE).await.expect_err("reserved");
    assert_eq!(error.code(), "storage.key");
    let request = sign.sign_put(&place, &put, MINUTE).await.expect("signed");
    assert_eq!(request.headers.get("content-type").map(String::as_str), Some("image/gif"));
    let shown = format!("{request:?}");
    assert!(!shown.contains("Signature") && shown.contains("[REDACTED]"), "{shown}");
    match sign.sign_put(&place, &SignPut::at_most(14), MINUTE).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "refused, not left out"),
    }
}

/// The part of the suite for storages that sign requests: `send` is a plain HTTP client, which sends a request with a body
/// and gives the status and the body of the answer. The storage must be empty, and is empty afterwards.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_uploads<S: Storage + Clone>(
    storage: &S,
    send: impl AsyncFn(SignedRequest, Vec<u8>) -> (u16, Vec<u8>),
) {
    let sign = storage.sign().expect("a storage that signs requests");
    signed_requests_do_what_they_say(storage, sign, &send).await;
    signed_constraints_are_enforced(storage, sign, &send).await;
    let clock = ManualClock::new();
    let media = Mediaflow::builder()
        .storage_with("uploads", storage.clone())
        .storage("public", "memory:")
        .clock(Arc::new(clock.clone()))
        .start()
        .await
        .expect("a host");
    an_upload_becomes_visible_when_it_is_complete(storage, &media, &send).await;
    an_upload_is_what_was_announced(storage, &media, &send).await;
    an_upload_has_one_job(storage, &media, &send).await;
    an_upload_can_have_a_condition(storage, &media, &send).await;
    mistakes_are_told_at_once(&media).await;
    old_uploads_are_collected(storage, &media, &clock, &send).await;
    assert_eq!(storage.list("").await.expect("list"), []);
    assert_eq!(storage.staged_for().await.expect("a list").len(), 0);
}

/// A plain client.
trait Client: AsyncFn(SignedRequest, Vec<u8>) -> (u16, Vec<u8>) {}
impl<T: AsyncFn(SignedRequest, Vec<u8>) -> (u16, Vec<u8>)> Client for T {}

async fn signed_requests_do_what_they_say(
    storage: &dyn Storage,
    sign: &dyn Sign,
    send: &impl Client,
) {
    let place = key("u/a b/ü+%.gif");
    let options = PutOptions::new()
        .content_type("image/gif")
        .cache_control("no-store")
        .metadata("owner", "7");
    let put = SignPut::exactly(DOT.len() as u64).options(options.clone());
    let request = sign.sign_put(&place, &put, MINUTE).await.expect("signed");
    let (status, _) = send(request, DOT.to_vec()).await;
    assert_eq!(status, 200, "what was signed is accepted");
    let found = storage.stat(&place).await.expect("stat");
    assert_eq!((found.len, &found.options), (DOT.len() as u64, &options));
    let request = sign.sign_get(&place, MINUTE).await.expect("signed");
    assert_eq!(send(request, Vec::new()).await, (200, DOT.to_vec()));
    storage.delete(&place).await.expect("delete");

    let mine = ticket("job-1", 1, "signed");
    let request = sign.sign_stage(&place, &mine, &put, MINUTE).await.expect("signed");
    assert_eq!(send(request, DOT.to_vec()).await.0, 200);
    assert_eq!(storage.list("").await.expect("list"), [], "nobody sees it");
    let staged = storage.staged(&place, &mine).await.expect("taken up");
    staged.publish(None).await.expect("publish");
    assert_eq!(read(storage, place.as_str()).await, DOT);
    storage.delete(&place).await.expect("delete");
}

async fn signed_constraints_are_enforced(
    storage: &dyn Storage,
    sign: &dyn Sign,
    send: &impl Client,
) {
    let place = key("u/constrained.gif");
    let put = SignPut::exactly(DOT.len() as u64)
        .options(PutOptions::new().content_type("image/gif").metadata("owner", "7"));
    let request = sign.sign_put(&place, &put, MINUTE).await.expect("signed");
    let with = |name: &str, value: &str| request.clone().header(name, value);
    let mut without_owner = request.clone();
    without_owner.headers.remove("x-amz-meta-owner");
    let mut elsewhere = request.clone();
    elsewhere.url = elsewhere.url.replace("constrained", "elsewhere");
    let longer = [DOT, DOT].concat();
    let length = longer.len().to_string();
    for (what, request, body) in [
        ("a longer body", with("content-length", &length), longer.clone()),
        ("a shorter body", with("content-length", "3"), DOT[..3].to_vec()),
        ("another type", with("content-type", "text/html"), DOT.to_vec()),
        ("other metadata", with("x-amz-meta-owner", "8"), DOT.to_vec()),
        ("no metadata", without_owner, DOT.to_vec()),
        ("another key", elsewhere, DOT.to_vec()),
    ] {
        let (status, _) = send(request, body).await;
        assert!((400..500).contains(&status), "{what} is refused, not answered with {status}");
    }
    assert_eq!(storage.list("").await.expect("list"), []);
    let put = put.precondition(Precondition::IfNoneMatch);
    let request = sign.sign_put(&place, &put, MINUTE).await.expect("signed");
    assert_eq!(send(request.clone(), DOT.to_vec()).await.0, 200);
    assert_eq!(send(request, DOT.to_vec()).await.0, 412, "only if nothing is there");
    storage.delete(&place).await.expect("delete");
}

async fn an_upload_becomes_visible_when_it_is_complete(
    storage: &dyn Storage,
    media: &Mediaflow,
    send: &impl Client,
) {
    let place = key("u/dot.gif");
    let upload = media.upload("uploads/u/dot.gif", "image/gif", DOT.len() as u64).start();
    let upload = upload.await.expect("begun");
    let kept = serde_json::to_string(&upload.session).expect("json");
    let session: UploadSession = serde_json::from_str(&kept).expect("json");
    fails(media, &session, "upload.missing").await;
    assert_eq!(send(upload.request.clone(), DOT.to_vec()).await.0, 200);
    assert_eq!(storage.list("").await.expect("list"), [], "nobody sees it yet");
    let done = media.complete_upload(&session).await.expect("complete");
    assert_eq!((done.bytes, done.format), (DOT.len() as u64, Format::sniff(DOT).expect("a gif")));
    assert_eq!(read(storage, place.as_str()).await, DOT);
    let found = storage.stat(&place).await.expect("stat");
    assert_eq!(found.content_type(), Some("image/gif"));

    // The URL still works, and changes nothing any more.
    fails(media, &session, "upload.completed").await;
    let mut other = DOT.to_vec();
    other[6] = 9;
    assert_eq!(send(upload.request, other).await.0, 200);
    fails(media, &session, "upload.completed").await;
    assert_eq!(read(storage, place.as_str()).await, DOT);
    assert_eq!(storage.stat(&place).await.expect("stat"), found);
    storage.delete(&place).await.expect("delete");
    discard_all(storage).await;
}

async fn an_upload_is_what_was_announced(
    storage: &dyn Storage,
    media: &Mediaflow,
    send: &impl Client,
) {
    let begin = async |content_type: &str| {
        let upload = media.upload("uploads/u/other.gif", content_type, DOT.len() as u64);
        upload.start().await.expect("begun")
    };
    let upload = begin("image/png").await;
    assert_eq!(send(upload.request, DOT.to_vec()).await.0, 200);
    let error = fails(media, &upload.session, "upload.content").await;
    assert_eq!(
        (error.fact("found"), error.fact("announced")),
        (Some("image/gif"), Some("image/png"))
    );

    let upload = begin("image/gif").await;
    let mut junk = JUNK.to_vec();
    junk.resize(DOT.len(), b'!');
    assert_eq!(send(upload.request.clone(), junk).await.0, 200);
    fails(media, &upload.session, "upload.content").await;
    // Nothing is lost: it can be sent again.
    assert_eq!(send(upload.request, DOT.to_vec()).await.0, 200);
    media.complete_upload(&upload.session).await.expect("complete");
    storage.delete(&key("u/other.gif")).await.expect("delete");

    let upload = begin("image/gif").await;
    let mut smaller = upload.session.clone();
    smaller.bytes -= 1;
    assert_eq!(send(upload.request, DOT.to_vec()).await.0, 200);
    fails(media, &smaller, "upload.size").await;
    assert_eq!(storage.list("").await.expect("list"), []);
    discard_all(storage).await;
}

async fn an_upload_has_one_job(storage: &dyn Storage, media: &Mediaflow, send: &impl Client) {
    let upload = media.upload("uploads/u/job.gif", "image/gif", DOT.len() as u64).start();
    let upload = upload.await.expect("begun");
    assert_eq!(send(upload.request, DOT.to_vec()).await.0, 200);
    let job = async || {
        media
            .complete_and_submit(&upload.session, |dot| {
                Pipeline::from(dot).output("public/dot.gif", |dot| dot).build()
            })
            .await
            .expect("a job")
    };
    let first = job().await;
    assert_eq!(job().await.id(), first.id(), "an upload has one job");
    assert_eq!(first.done().await.expect("done").outputs[0].bytes, DOT.len() as u64);
    storage.delete(&key("u/job.gif")).await.expect("delete");
}

async fn an_upload_can_have_a_condition(
    storage: &dyn Storage,
    media: &Mediaflow,
    send: &impl Client,
) {
    let begin = media.upload("uploads/u/once.gif", "image/gif", DOT.len() as u64);
    let upload = begin.precondition(Precondition::IfNoneMatch).start().await.expect("begun");
    assert_eq!(send(upload.request, DOT.to_vec()).await.0, 200);
    storage.put(&key("u/once.gif"), &DOT.to_vec().into()).await.expect("put");
    fails(media, &upload.session, "storage.precondition").await;
    storage.delete(&key("u/once.gif")).await.expect("delete");
    media.complete_upload(&upload.session).await.expect("complete");
    storage.delete(&key("u/once.gif")).await.expect("delete");
}

async fn mistakes_are_told_at_once(media: &Mediaflow) {
    for (place, content_type, bytes, code) in [
        ("uploads/u/a.gif", "image/gif", 3 << 40, "limit.input_bytes"),
        ("uploads/u/a.gif", "image/gif", 0, "upload.size"),
        ("uploads/u/a.gif", "image/gif\r\nx: y", 9, "spec.put"),
        ("uploads/../a.gif", "image/gif", 9, "storage.key"),
        ("uploads/.mediaflow/a.gif", "image/gif", 9, "storage.key"),
        ("elsewhere/a.gif", "image/gif", 9, "storage.unknown"),
        ("public/a.gif", "image/gif", 9, "storage.unsupported"),
    ] {
        let begun = media.upload(place, content_type, bytes).start().await;
        assert_eq!(begun.expect_err("a mistake").code(), code, "{place}");
    }
    let begin = media.upload("uploads/u/a.gif", "image/gif", 9).expires_in(100 * 24 * 60 * MINUTE);
    assert_eq!(begin.start().await.expect_err("too long").code(), "storage.expiry");
}

async fn old_uploads_are_collected(
    storage: &dyn Storage,
    media: &Mediaflow,
    clock: &ManualClock,
    send: &impl Client,
) {
    let begin = async |time: Duration| {
        let upload = media.upload("uploads/u/old.gif", "image/gif", DOT.len() as u64);
        upload.expires_in(time).start().await.expect("begun")
    };
    let (old, other, young) =
        (begin(MINUTE).await, begin(2 * MINUTE).await, begin(120 * MINUTE).await);
    for upload in [&old, &other, &young] {
        assert_eq!(send(upload.request.clone(), DOT.to_vec()).await.0, 200);
    }
    assert_eq!(media.collect_uploads().await, 0, "they can still be completed");
    clock.advance(60 * MINUTE);
    fails(media, &old.session, "upload.expired").await;
    fails(media, &old.session, "upload.expired").await;
    media.collect_uploads().await;
    fails(media, &other.session, "upload.expired").await;
    let left = storage.staged_for().await.expect("a list");
    assert_eq!(left.len(), 1, "one can still be completed: {left:?}");
    media.complete_upload(&young.session).await.expect("complete");
    storage.delete(&key("u/old.gif")).await.expect("delete");
}

async fn fails(media: &Mediaflow, session: &UploadSession, code: &str) -> Error {
    let error = media.complete_upload(session).await.expect_err("it can not be completed");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.fact("upload").is_some() && error.fact("place").is_some(), "{error}");
    error
}

/// What was sent and never completed.
async fn discard_all(storage: &dyn Storage) {
    let staged = storage.staged_for().await.expect("a list");
    storage.discard(&staged).await.expect("discard");
}
