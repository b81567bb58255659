//! Two renditions of one photo, made in the background from one decode. Needs nothing installed.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use mediaflow::prelude::*;

#[tokio::main]
async fn main() -> mediaflow::Result<()> {
    let media = Mediaflow::builder()
        .storage("uploads", "file:examples/media")
        .storage("public", "file:target/quickstart")
        .with(image::operations)
        .notify(notify_fn("log", async |event| {
            println!("-> {}", event.kind);
            Ok(())
        }))
        .start()
        .await?;

    let photo = Pipeline::from("uploads/mountains.jpg")
        .output("public/large.webp", |photo| photo.resize((1200, 1200, Fit::Inside)).webp(82))
        .output("public/thumb.jpg", |photo| {
            photo.resize((320, 320, Fit::Cover)).watermark("uploads/logo.png").jpeg(78)
        })
        .build()?;

    let job = media.submit(photo).await?; // returns at once
    for output in job.done().await?.outputs {
        println!("{}: {}x{}, {} bytes", output.output, output.width, output.height, output.bytes);
    }
    media.shutdown(Duration::from_secs(5)).await
}
