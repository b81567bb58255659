//! A photo goes from the browser straight into a bucket, past the service: a signed request to a place where nobody sees it, a
//! check, a move, a job, renditions beside it in the bucket, and a signed webhook.
//!
//! The bucket is an S3 server in this process, written by others; the browser is a plain HTTP client; nothing is needed
//! but `cargo run --example direct_upload --features s3`. It ends with an error if anything is not as it should be.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod browser;
mod bucket;
mod receiver;

use std::time::Duration;

use mediaflow::UploadSession;
use mediaflow::cloud::{ObjectStorage, S3};
use mediaflow::prelude::*;
use mediaflow::spec::PutOptions;
use mediaflow::storage::{SignedRequest, Storage as _, StorageExt as _};

use bucket::Bucket;
use receiver::Receiver;

type Anyhow<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Shared with the receiver; a real one comes from the host's secret store.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwbWVkaWFmbG93";
const PLACE: &str = "media/uploads/mountains.jpg";
const FOREVER: &str = "public, max-age=31536000, immutable";

#[tokio::main]
async fn main() -> Anyhow<()> {
    let (bucket, mut receiver) = (Bucket::start().await?, Receiver::start().await?);
    let storage = S3::bucket(bucket::NAME)
        .endpoint(bucket.endpoint())
        .allow_http(true)
        .credentials(bucket::KEY_ID, bucket::SECRET)
        .build()?;
    let media = Mediaflow::builder()
        .storage_with("media", storage.clone())
        .with(image::operations)
        .notify(
            Webhook::to(receiver.url())
                .sign(SECRET)
                .allow_private(receiver.address())
                .on([JobCompleted, JobFailed]),
        )
        .start()
        .await?;

    // The browser says what it has. It is told where to send it; the host keeps the rest.
    let photo = std::fs::read("examples/media/mountains.jpg")?;
    let upload = media
        .upload(PLACE, "image/jpeg", photo.len() as u64)
        .expires_in(Duration::from_secs(300))
        .start()
        .await?;
    let (kept, told) =
        (serde_json::to_string(&upload.session)?, serde_json::to_string(&upload.request)?);
    println!("host: {:?}", upload.request);

    send(&storage, &told, &photo).await?;

    // Another request, perhaps to another process: it is complete.
    let session: UploadSession = serde_json::from_str(&kept)?;
    let job = media.complete_and_submit(&session, renditions).await?;
    println!("host: the upload is complete, job {}", job.id());
    let report = job.done().await?;
    for output in &report.outputs {
        println!(
            "job: {}: {}x{}, {} bytes",
            output.output, output.width, output.height, output.bytes
        );
    }
    expect(report.outputs.len() == 2, "two renditions")?;

    afterwards(&media, &storage, &session, &told, &photo).await?;
    let (id, kind) = receiver.verified().await?;
    println!("receiver: verified {id}, {kind}");
    expect(kind == "job.completed", "the webhook tells of the end")?;

    media.shutdown(Duration::from_secs(5)).await?;
    println!("everything is as it should be");
    Ok(())
}

/// What is made of the photo, once it is where it belongs.
fn renditions(photo: Source) -> mediaflow::Result<Pipeline> {
    let forever = PutOptions::new().cache_control(FOREVER);
    Pipeline::from(photo)
        .output("media/public/large.webp", |photo| photo.resize((1200, 1200, Fit::Inside)).webp(82))
        .put(forever.clone())
        .output("media/public/thumb.jpg", |photo| photo.resize((320, 320, Fit::Cover)).jpeg(78))
        .put(forever)
        .build()
}

/// What the browser does with what it was told.
async fn send(storage: &ObjectStorage, told: &str, photo: &[u8]) -> Anyhow<()> {
    let request: SignedRequest = serde_json::from_str(told)?;
    let longer = [photo, b"and more"].concat();
    let refused = browser::send(&request, &longer).await?;
    println!("browser: a longer file is refused by the bucket: {}", refused.status);
    expect(refused.status == 403, "the size is signed")?;
    let html = request.clone().header("content-type", "text/html");
    let refused = browser::send(&html, photo).await?;
    println!("browser: another type is refused by the bucket: {}", refused.status);
    expect(refused.status == 403, "the type is signed")?;
    let sent = browser::send(&request, photo).await?;
    println!("browser: {} bytes sent: {}", photo.len(), sent.status);
    expect(sent.status == 200, "the file is accepted")?;
    expect(storage.list("").await?.is_empty(), "nobody sees what is not complete")
}

/// What holds once it is all done.
async fn afterwards(
    media: &Mediaflow,
    storage: &ObjectStorage,
    session: &UploadSession,
    told: &str,
    photo: &[u8],
) -> Anyhow<()> {
    // The URL is valid for some minutes yet.
    let request: SignedRequest = serde_json::from_str(told)?;
    let again = browser::send(&request, &vec![0; photo.len()]).await?;
    let there = storage.read(&"uploads/mountains.jpg".parse()?, u64::MAX).await?;
    println!("browser: sent again: {}, which changes nothing", again.status);
    expect(there == photo, "what is complete does not change")?;
    let twice = media.complete_upload(session).await.err().ok_or("completed twice")?;
    println!("host: completed again: {}", twice.code());
    expect(twice.code() == "upload.completed", "an upload is completed once")?;

    let keys: Vec<_> = storage.list("").await?.iter().map(ToString::to_string).collect();
    println!("bucket: {keys:?}");
    expect(keys.len() == 3, "the photo and its renditions")?;
    let sign = storage.sign().ok_or("the storage signs nothing")?;
    for (key, kind) in [("public/large.webp", "image/webp"), ("public/thumb.jpg", "image/jpeg")] {
        let request = sign.sign_get(&key.parse()?, Duration::from_secs(60)).await?;
        let got = browser::send(&request, &[]).await?;
        println!("browser: {key}: {}, {} bytes, {}", got.status, got.body.len(), got.cache_control);
        let as_wanted = got.content_type == kind && got.cache_control == FOREVER;
        expect(
            got.status == 200 && !got.body.is_empty() && as_wanted,
            "a rendition with its headers",
        )?;
    }
    Ok(())
}

fn expect(holds: bool, what: &str) -> Anyhow<()> {
    if holds { Ok(()) } else { Err(format!("this does not hold: {what}").into()) }
}
