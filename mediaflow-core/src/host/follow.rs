use std::collections::VecDeque;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::time::sleep;

use super::Mediaflow;
use crate::engine::EventStream;
use crate::event::{Event, EventKind};
use crate::inspect::{Cursor, EventFilter, Paging, PlacedEvent};
use crate::{Error, Result};

/// How often whoever follows looks by himself: an event of another process is told soon, but its row may be readable later.
const LOOK: Duration = Duration::from_secs(2);

/// How soon after an event that could not be read yet.
const AGAIN: Duration = Duration::from_millis(100);

/// How many events are read at once.
const TOGETHER: usize = 200;

impl Mediaflow {
    /// Events behind a cursor, and then those that happen: each once, in their order, each with the cursor behind it. Without
    /// a cursor it begins with the oldest event that is kept. This is what a client of Server-Sent Events needs that comes
    /// back with a `Last-Event-ID`.
    ///
    /// They are read from the engine's store, and only when something happens that the filter takes: many that follow
    /// different jobs cost no more than what happens to these. The stream ends after an error (`inspect.cursor`,
    /// `inspect.gap`: some are not kept any more; the store can not be read), from whose last cursor it can be begun again,
    /// and when the engine has stopped.
    #[must_use]
    pub fn follow(
        &self,
        filter: EventFilter,
        after: Option<Cursor>,
    ) -> BoxStream<'static, Result<PlacedEvent>> {
        let follower = Follower {
            // Subscribe first, read second: what happens between the two is in the stream.
            live: self.0.engine.events(),
            media: self.clone(),
            filter,
            after,
            read: VecDeque::new(),
        };
        stream::unfold(Some(follower), async |follower| {
            let mut follower = follower?;
            match follower.next().await {
                Ok(Some(placed)) => Some((Ok(placed), Some(follower))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None::<Follower>)),
            }
        })
        .boxed()
    }
}

struct Follower {
    media: Mediaflow,
    filter: EventFilter,
    after: Option<Cursor>,
    read: VecDeque<PlacedEvent>,
    live: EventStream,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<PlacedEvent>, Error> {
        let mut heard = false;
        loop {
            if let Some(placed) = self.read.pop_front() {
                return Ok(Some(placed));
            }
            let stopped = self.media.0.stopped.is_cancelled();
            // What was told up to now is in the pages, or is looked for again.
            while let Some(Some(event)) = self.live.next().now_or_never() {
                heard |= event.is_ok_and(|event| is_meant(&self.filter, &event));
            }
            let paging = Paging::first(TOGETHER).after(self.after.clone());
            let page = self.media.inspect().events(&self.filter, &paging).await?;
            (self.after, self.read) = (page.next, page.items.into());
            if page.more || !self.read.is_empty() {
                continue;
            }
            if stopped {
                return Ok(None);
            }
            let wait = if heard { AGAIN } else { LOOK };
            heard = tokio::select! {
                heard = told(&mut self.live, &self.filter), if !heard => heard,
                () = sleep(wait) => false,
                () = self.media.0.stopped.cancelled() => false,
            };
        }
    }
}

/// Whether an event is to be read. How far a job is, is kept with the job.
fn is_meant(filter: &EventFilter, event: &Event) -> bool {
    event.kind != EventKind::JobProgress && filter.takes(event)
}

/// Waits until something is told that is meant, or was missed. Gives whether there is something to be read.
async fn told(live: &mut EventStream, filter: &EventFilter) -> bool {
    loop {
        match live.next().await {
            Some(Ok(event)) if is_meant(filter, &event) => return true,
            Some(Ok(_)) => {}
            Some(Err(_)) | None => {
                sleep(AGAIN).await;
                return false;
            }
        }
    }
}
