//! Hosts: a `Mediaflow` each, on a given database.

use std::time::Duration;

use futures_util::StreamExt as _;
use mediaflow::notify::notify_fn;
use mediaflow::prelude::*;
use tokio::sync::watch;

use super::site::Place;
use super::{Result, step};

/// How many jobs run at once in a process: here and in bare River.
pub(crate) const PLACES: usize = 8;

/// How many jobs of one tenant may run at once.
pub(crate) const SHARE: usize = 4;

fn builder(place: &Place) -> mediaflow::Builder {
    Mediaflow::builder()
        .engine(place.queue())
        .with(step::operations)
        .storage("out", "memory:")
        .places("image", PLACES)
        .tenants(Tenants::new().at_once("image", SHARE))
}

/// Takes jobs and works on them.
pub(crate) async fn worker(place: &Place) -> Result<Mediaflow> {
    Ok(builder(place).start().await?)
}

/// A worker that deletes what has ended so long ago.
pub(crate) async fn keeping(place: &Place, time: Duration) -> Result<Mediaflow> {
    Ok(builder(place).engine(place.queue().retention(time)).start().await?)
}

/// Only takes jobs: its process could be any other one.
pub(crate) async fn submitter(place: &Place) -> Result<Mediaflow> {
    Ok(builder(place).submit_only().start().await?)
}

/// A worker whose jobs are told to one who returns at once, and how many ends it was told of.
pub(crate) async fn telling(place: &Place) -> Result<(Mediaflow, watch::Receiver<usize>)> {
    let (tell, told) = watch::channel(0);
    let notifier = notify_fn("counter", move |_| {
        tell.send_modify(|told| *told += 1);
        async { Ok(()) }
    });
    Ok((builder(place).notify(notifier).start().await?, told))
}

/// Reads how many jobs end well from now on, until `jobs` have.
pub(crate) fn ended(media: &Mediaflow, jobs: usize) -> impl Future<Output = Result<()>> + use<> {
    let events = media.events();
    let ended = events.filter_map(|event| {
        std::future::ready(event.ok().filter(|event| event.kind.is_terminal()))
    });
    let mut ended = ended.take(jobs);
    async move {
        let mut seen = 0;
        while let Some(event) = ended.next().await {
            if event.kind != JobCompleted {
                return Err(format!("a job ended with {}", event.kind).into());
            }
            seen += 1;
        }
        if seen == jobs { Ok(()) } else { Err("the stream of events has ended".into()) }
    }
}

pub(crate) async fn stop(media: Mediaflow) -> Result<()> {
    Ok(media.shutdown(Duration::from_secs(20)).await?)
}
