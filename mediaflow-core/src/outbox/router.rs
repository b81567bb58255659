use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};

use super::message::NewMessage;
use super::rules;
use crate::codes;
use crate::event::{DeliveryFailure, Event, EventKind};
use crate::executor::Executor;
use crate::{Clock, Error, Result, Timestamp};

/// An event that is not routed yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unrouted {
    /// Its number in the store.
    pub seq: i64,
    /// The event; an error if this build can not read it.
    pub event: Result<Event, Error>,
}

impl Unrouted {
    /// The event of this number.
    #[must_use]
    pub fn new(seq: i64, event: Result<Event, Error>) -> Self {
        Self { seq, event }
    }
}

/// What became of an event that was to be routed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Routed {
    /// The event's number in the store.
    pub seq: i64,
    /// The event, if it was read.
    pub event: Option<Arc<Event>>,
    /// What follows.
    pub routing: Routing,
    /// What is to be told of the look-up of its recipients: it has failed for good.
    pub failure: Option<Box<DeliveryFailure>>,
}

/// What follows for an event.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store handles every case")]
pub enum Routing {
    /// These messages, possibly none.
    Messages(Vec<NewMessage>),
    /// It is asked again after this moment: its recipients could not be found.
    Later(Timestamp),
    /// A newer build has written it: this one leaves it to a process that knows what it means.
    Unknown,
}

/// For how many events recipients are looked for at the same time.
const AT_ONCE: usize = 16;

/// How long after the beginning of a group the last look-up of it begins, and how long one may take.
const BEGIN: Duration = Duration::from_secs(1);
const FIND: Duration = Duration::from_secs(5);

/// How long a dispatcher is busy with a group of events at most, which it alone may route meanwhile: the right to route has
/// to last longer.
pub const LONGEST_ROUTING: Duration = BEGIN.saturating_add(FIND);

/// How long an event waits whose recipients could not be found: as long as it has waited so far, within these bounds.
const AGAIN: Duration = Duration::from_secs(15);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// What became of a group of events.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Those that were asked for, in their order.
    pub(super) routed: Vec<Routed>,
    /// Some were not: they are left as they are.
    pub(super) rest: bool,
}

/// Whether it was told that recipients can not be found, and none were since: it is told once.
pub(super) type Unfound = Arc<AtomicBool>;

/// Routes events. No transaction is open meanwhile. One whose recipients are found slowly, or never, holds up the others for
/// [`LONGEST_ROUTING`] at most; what is still looked for when `stop` ends is left as it is.
pub(super) async fn route(
    executor: Executor,
    clock: Arc<dyn Clock>,
    events: Vec<Unrouted>,
    unfound: Unfound,
    stop: impl Future<Output = ()>,
) -> Group {
    let all = events.len();
    let each = |unrouted| one(&executor, &*clock, unrouted, &unfound);
    let routed = in_order(events, each, stop).await;
    Group { rest: routed.len() < all, routed }
}

/// Does something with items, with some at the same time, and gives the results in the order of the items. Slow ones are
/// not begun after a while, and none is waited for when `stop` ends.
async fn in_order<T, R, F: Future<Output = R>>(
    items: Vec<T>,
    each: impl Fn(T) -> F,
    stop: impl Future<Output = ()>,
) -> Vec<R> {
    let began = Instant::now();
    let mut stop = pin!(stop);
    let mut done = Vec::with_capacity(items.len());
    let mut items = items.into_iter().enumerate();
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < AT_ONCE && began.elapsed() < BEGIN {
            let Some((place, item)) = items.next() else { break };
            let mut one = Box::pin(each(item).map(move |result| (place, result)));
            // Most are done at once, and need not be waited for.
            match (&mut one).now_or_never() {
                Some(result) => done.push(result),
                None => under_way.push(one),
            }
        }
        tokio::select! {
            biased;
            next = under_way.next() => match next {
                Some(result) => done.push(result),
                None => break,
            },
            () = &mut stop => break,
        }
    }
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

async fn one(
    executor: &Executor,
    clock: &dyn Clock,
    unrouted: Unrouted,
    unfound: &Unfound,
) -> Routed {
    let Unrouted { seq, event } = unrouted;
    match event {
        Ok(event) => {
            let event = Arc::new(event);
            // What notifiers say of themselves is the host's code, too.
            let routing = route_of(executor, clock, &event, unfound);
            let routing = AssertUnwindSafe(routing).catch_unwind().await;
            let (routing, failure) =
                routing.unwrap_or_else(|_| (panicked(executor, clock.now(), &event), None));
            Routed { seq, event: Some(event), routing, failure }
        }
        Err(error) => {
            tracing::debug!(seq, %error, "an event can not be read here: it is left to a newer process");
            Routed { seq, event: None, routing: Routing::Unknown, failure: None }
        }
    }
}

async fn route_of(
    executor: &Executor,
    clock: &dyn Clock,
    event: &Event,
    unfound: &Unfound,
) -> (Routing, Option<Box<DeliveryFailure>>) {
    if event.is_foreign() {
        return (Routing::Unknown, None);
    }
    let now = clock.now();
    let configured = executor.configured(event);
    let routes: Vec<_> = executor.routes().iter().filter(|route| route.takes(event)).collect();
    if configured.is_empty() && routes.is_empty() && event.kind == EventKind::JobProgress {
        return (Routing::Messages(Vec::new()), None);
    }
    let find = async {
        let recipients = executor.recipients().find(event, configured.clone()).await?;
        Ok::<_, Error>((recipients, rules::people(executor, event, &routes, now).await?))
    };
    let found = match timeout(FIND, AssertUnwindSafe(find).catch_unwind()).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => Err(failed("finding the recipients panicked")),
        Err(_) => Err(failed("finding the recipients took too long")),
    };
    let now = clock.now();
    let waited = now.since(event.time);
    // News of what could not be told are of no use later.
    let waits = waited < executor.delivery().time_to_live && !event.kind.is_of_delivery();
    let mut failure = None;
    let ((recipients, people), from) = match found {
        Ok(found) => {
            if !event.kind.is_of_delivery() {
                unfound.store(false, Ordering::Relaxed);
            }
            (found, event.time)
        }
        Err(error) if waits => {
            tracing::warn!(event = %event.id, %error, "recipients could not be found; trying again");
            return (later(now, waited), None);
        }
        Err(error) => {
            tracing::error!(event = %event.id, %error, "recipients could not be found: those that are configured are told");
            if !event.kind.is_of_delivery() && !unfound.swap(true, Ordering::Relaxed) {
                failure = Some(Box::new(DeliveryFailure::of_recipients(event.id, &error)));
            }
            ((configured, rules::People::new()), now)
        }
    };
    let own = recipients.into_iter();
    let own = own.filter_map(|recipient| rules::of_recipient(executor, event, recipient, from));
    let ruled = routes.iter();
    let ruled =
        ruled.flat_map(|route| rules::of_route(executor, event, route, &people, (from, now)));
    let mut messages: Vec<_> = own.chain(ruled).collect();
    messages.retain(|message| {
        let old = message.expires_at <= now;
        if old {
            tracing::warn!(event = %event.id, channel = message.destination.channel, "an event is too old to be told");
        }
        !old
    });
    (Routing::Messages(messages), failure)
}

/// A notifier has panicked while it was asked what it wants: the event waits, and others go on. In the end it is told to
/// nobody.
fn panicked(executor: &Executor, now: Timestamp, event: &Event) -> Routing {
    let waited = now.since(event.time);
    let over = waited >= executor.delivery().time_to_live;
    tracing::error!(event = %event.id, over, "a notifier panicked over an event");
    if over { Routing::Messages(Vec::new()) } else { later(now, waited) }
}

fn later(now: Timestamp, waited: Duration) -> Routing {
    Routing::Later(now.plus(waited.clamp(AGAIN, AGAIN_AT_MOST)))
}

fn failed(what: &'static str) -> Error {
    Error::transient(codes::NOTIFY_RECIPIENTS, what)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::{Semaphore, oneshot};

    use super::*;

    #[tokio::test]
    async fn results_are_in_order_however_they_come() {
        // The later one is, the sooner it is done: each lets the one before it go on.
        let (mut items, mut behind) = (Vec::new(), None);
        for number in 0..AT_ONCE {
            let (go, turn) = oneshot::channel::<()>();
            items.push((number, turn, behind.replace(go)));
        }
        drop(behind);
        let each = async |(number, turn, before): (usize, oneshot::Receiver<()>, Option<_>)| {
            let _ = turn.await;
            drop(before);
            number
        };
        let done = in_order(items, each, pending()).await;
        assert_eq!(done, (0..AT_ONCE).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_is_never_done_ends_alone_when_it_has_to_stop() {
        let others = Semaphore::new(0);
        let each = async |number: usize| {
            if number.is_multiple_of(100) {
                pending::<()>().await;
            }
            others.add_permits(1);
            number
        };
        let stop = async { drop(others.acquire_many(297).await) };
        let done = in_order((0..300).collect(), each, stop).await;
        assert_eq!(done.len(), 297);
        assert!(done.is_sorted() && !done.contains(&100));
    }
}
