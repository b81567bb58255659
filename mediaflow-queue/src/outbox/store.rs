use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mediaflow_core::outbox::{
    Attempted, Exchange, Exchanged, OutboxStore, Routed, Routing, Unrouted, Waiting,
};
use mediaflow_core::{Clock, Error, ErrorKind, Result, codes};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::destination::{self, Touched};
use super::handle::{Outbox, to_text};
use super::{claim, expire, finish, replace, route};
use crate::db::values;
use crate::failpoint::{failpoint, may_panic};
use crate::process::shared;
use crate::{events, metrics};

impl Outbox {
    /// Gives back the right to route: this process stops, and another one need not wait for the end of the lease.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.process.db.run(route::RELEASE, values![&self.process.id]).await {
            tracing::debug!(%error, "the right to route could not be given back; it ends by itself");
        }
    }

    /// Whoever can not work with the database is perhaps cut off from it, as others may be.
    fn noticed<T>(&self, result: Result<T>) -> Result<T> {
        let away = |error: &Error| {
            error.kind() == ErrorKind::Transient && error.code() != codes::QUEUE_CONFLICT
        };
        if result.as_ref().is_err_and(away) {
            self.process.heard(false);
        }
        result
    }
}

#[async_trait]
impl OutboxStore for Outbox {
    async fn unrouted(&self, channels: &[String], most: usize) -> Result<Vec<Unrouted>> {
        self.noticed(route::unrouted(self, channels, most).await)
    }

    async fn waiting(&self, channels: &[String]) -> Result<Vec<Waiting>> {
        may_panic("loop.dispatcher");
        self.noticed(claim::waiting(&self.process, channels).await)
    }

    async fn exchange(&self, exchange: Exchange<'_>) -> Result<Exchanged> {
        let process = &self.process;
        let now = process.now();
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let mut locked = destination::lock(process, &mut tx, &touched(self, &exchange)).await?;
        let finished = finish::finish(self, &mut tx, exchange.done, &mut locked, now).await?;
        let mut told = finished.events;
        let mut exchanged =
            route::store(self, &mut tx, exchange.routed, &mut locked, now, &mut told).await?;
        let dead = finished.counted.iter().any(|(_, outcome)| *outcome == "dead");
        if (dead || !finished.changed.is_empty() || may_refuse(exchange.routed))
            && replace::replace(process, &mut tx, now).await? > 0
        {
            exchanged.waits = true;
        }
        for request in exchange.claims {
            let outdated = request.is_outdated(&locked.of(&to_text(&request.key)));
            let claimed = claim::claim(self, &mut tx, request, &mut locked, now).await?;
            if claimed.is_empty() && outdated {
                exchanged.changed.push(request.key.clone());
            }
            exchanged.claimed.push(claimed);
        }
        events::record(process, &mut tx, &told).await?;
        destination::save(&mut tx, &locked, now).await?;
        failpoint("outbox.exchange");
        events::commit(process, transaction, told).await?;
        failpoint("outbox.commit");
        exchanged.changed.extend(finished.changed);
        for (channel, outcome) in finished.counted {
            metrics::delivery(&channel, outcome);
        }
        Ok(exchanged)
    }

    async fn reconcile(&self, held: &HashSet<i64>) -> Result<()> {
        events::settle(&self.process).await?;
        expire::reconcile(&self.process, held).await
    }

    async fn expire(&self, held: &HashSet<i64>) -> Result<()> {
        self.noticed(expire::expire(self, held).await)
    }

    async fn give_back(&self, done: &[Attempted]) -> Result<()> {
        let process = &self.process;
        events::settle(process).await?;
        let now = process.now();
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let mut locked =
            destination::lock(process, &mut tx, &touched(self, &Exchange::of(done))).await?;
        let finished = finish::finish(self, &mut tx, done, &mut locked, now).await?;
        events::record(process, &mut tx, &finished.events).await?;
        destination::save(&mut tx, &locked, now).await?;
        expire::stop(process, &mut tx).await?;
        events::commit(process, transaction, finished.events).await
    }

    fn poll(&self) -> Duration {
        // Of a file is told when another process has written to it.
        if self.process.db.file().is_some() {
            return Duration::from_secs(4);
        }
        // Whoever routes is to see soon what others have to tell; what is due later is taken by any of many.
        let routes = self.lock_routing().until.is_some_and(|until| until > Instant::now());
        let each = if routes { 1 } else { shared(self.process.fleet()) };
        Duration::from_millis(500) * each
    }

    fn changed(&self) -> &Notify {
        &self.process.deliveries
    }

    fn have_messages_changed(&self) -> bool {
        self.process.have_messages_changed()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.process.clock()
    }
}

/// Whether a message may be given up as it is routed, and another one takes its place.
fn may_refuse(routed: &[Routed]) -> bool {
    routed.iter().any(|routed| match &routed.routing {
        Routing::Messages(messages) => {
            messages.iter().any(|new| new.refused.is_some() || !new.next.is_empty())
        }
        Routing::Later(_) | Routing::Unknown => false,
    })
}

/// What an exchange reads and writes of destinations. Whatever may write has a row, so that it is locked: without one,
/// two processes would each believe to be the first.
fn touched(outbox: &Outbox, exchange: &Exchange<'_>) -> Touched {
    let mut touched = Touched::default();
    for sent in exchange.done {
        touched.add(&sent.claimed.destination, sent.result.is_err());
    }
    for request in exchange.claims {
        let rated = outbox.policy(&request.key.channel).rate.is_some();
        touched.add(&request.key, rated);
    }
    for routed in exchange.routed {
        if let Routing::Messages(messages) = &routed.routing {
            for message in messages {
                touched.add(&message.destination, false);
            }
        }
    }
    touched
}
