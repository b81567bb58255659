//! What a real job gives to tell: a photo and two smaller ones of it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use mediaflow::MessageId;
use mediaflow::prelude::*;

use super::sink::{Manner, Sink};
use super::{KINDS, Result, SECRET, soon};

/// An event, and the body in which a receiver was told of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: Event,
    pub(crate) body: Vec<u8>,
}

/// Those of a job, in their order: the last one is the largest, and tells of its end.
pub(crate) async fn told() -> Result<Vec<Told>> {
    let sink = Sink::start(1, Manner::Answers(1))?;
    let hook = Webhook::to(sink.url()).sign(SECRET).on(KINDS);
    let uploads = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media");
    let media = Mediaflow::builder()
        .storage("uploads", &format!("file://{}", uploads.display()))
        .storage("public", "memory:")
        .with(image::operations)
        .notify(hook.allow_private(&sink.addresses[0].to_string()))
        .start()
        .await?;
    let mut events = media.events();
    let photo = Pipeline::from("uploads/fig.jpg")
        .output("public/album/7/large.webp", |photo| {
            photo.resize((1200, 1200, Fit::Inside)).webp(82)
        })
        .output("public/album/7/thumb.jpg", |photo| photo.resize((320, 320, Fit::Cover)).jpeg(78))
        .build()?;
    let job = media.job(photo).owner("user-7").tenant("blue").tag("album").metadata("album", 7);
    job.submit().await?;
    let mut told = Vec::new();
    let all = async {
        while let Some(event) = events.next().await {
            let event = event?;
            let ends = event.kind.is_terminal();
            if KINDS.contains(&event.kind) {
                told.push(Event::clone(&event));
            }
            if ends {
                return Ok::<_, super::Error>(());
            }
        }
        Ok(())
    };
    soon("the events of a job", all).await??;
    media.shutdown(Duration::from_secs(20)).await?;
    let mut bodies: HashMap<MessageId, Vec<u8>> = HashMap::new();
    for request in sink.take().1 {
        request.verify(SECRET)?;
        let id = request.id()?;
        bodies.insert(id, request.body);
    }
    let with_body = |event: Event| -> Result<Told> {
        let body = bodies.remove(&event.id.into()).ok_or("a receiver was not told of an event")?;
        Ok(Told { event, body })
    };
    told.into_iter().map(with_body).collect()
}
