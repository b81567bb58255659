use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::watch;

use crate::engine::{EventStream, gap};
use crate::event::Event;

/// The newest events, numbered from 1 on, for all who read them.
pub(super) struct Ring {
    kept: Mutex<Kept>,
    grown: watch::Sender<()>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Arc<Event>>,
    /// The number of the newest.
    newest: u64,
}

/// Some events with their numbers, and how many before them are not kept any more.
pub(super) struct Read {
    pub(super) missed: u64,
    pub(super) events: Vec<(u64, Arc<Event>)>,
}

impl Ring {
    /// How many events are kept.
    pub(super) const KEPT: usize = 1 << 14;
    /// How many a reader takes at once.
    const TOGETHER: usize = 256;

    pub(super) fn new() -> Self {
        Self { kept: Mutex::default(), grown: watch::Sender::default() }
    }

    pub(super) fn push(&self, event: Event) {
        {
            let mut kept = self.lock();
            kept.newest += 1;
            kept.events.push_back(Arc::new(event));
            if kept.events.len() > Self::KEPT {
                kept.events.pop_front();
            }
        }
        self.grown.send_replace(());
    }

    pub(super) fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Events behind a number, the oldest first.
    pub(super) fn behind(&self, after: u64, most: usize) -> Read {
        let kept = self.lock();
        let before_first = kept.newest - kept.events.len() as u64;
        let missed = before_first.saturating_sub(after);
        let first = after.max(before_first);
        let skip = usize::try_from(first - before_first).unwrap_or(usize::MAX);
        let events = kept.events.iter().skip(skip).take(most).map(Arc::clone);
        Read { missed, events: (first + 1..).zip(events).collect() }
    }

    /// Events from now on. A reader that falls too far behind is told how many it has missed, and goes on.
    pub(super) fn subscribe(self: &Arc<Self>) -> EventStream {
        let reader = Reader {
            ring: Arc::clone(self),
            grown: self.grown.subscribe(),
            after: self.newest(),
            read: VecDeque::new(),
        };
        stream::unfold(reader, async |mut reader| {
            let item = reader.next().await?;
            Some((item, reader))
        })
        .boxed()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // It is consistent between statements, so a panic elsewhere does not spoil it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader {
    ring: Arc<Ring>,
    grown: watch::Receiver<()>,
    /// The number of the last event that was read.
    after: u64,
    read: VecDeque<Arc<Event>>,
}

impl Reader {
    async fn next(&mut self) -> Option<crate::Result<Arc<Event>>> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(Ok(event));
            }
            self.grown.mark_unchanged();
            let Read { missed, events } = self.ring.behind(self.after, Ring::TOGETHER);
            if let Some((last, _)) = events.last() {
                self.after = *last;
                self.read.extend(events.into_iter().map(|(_, event)| event));
            } else {
                self.grown.changed().await.ok()?;
            }
            if missed > 0 {
                return Some(Err(gap(missed)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventData, EventKind};
    use crate::time::Timestamp;

    fn event(number: usize) -> Event {
        let time = Timestamp::from_millis(number as u64);
        Event::new(EventKind::JobCreated, time, EventData::None)
    }

    #[tokio::test]
    async fn whoever_falls_behind_is_told_of_the_gap_and_goes_on() {
        let ring = Arc::new(Ring::new());
        ring.push(event(1));
        let mut reader = ring.subscribe();
        (0..Ring::KEPT + 7).for_each(|number| ring.push(event(100 + number)));
        let error = reader.next().await.unwrap().unwrap_err();
        assert_eq!((error.code(), error.fact("missed")), ("events.gap", Some("7")));
        let first = reader.next().await.unwrap().unwrap();
        assert_eq!(first.time, Timestamp::from_millis(107));
        let rest: Vec<_> = reader.take(Ring::KEPT - 1).map(|event| event.is_ok()).collect().await;
        assert!(rest.into_iter().all(|heard| heard));
        let read = ring.behind(ring.newest(), 10);
        assert!(read.events.is_empty() && read.missed == 0);
    }
}
