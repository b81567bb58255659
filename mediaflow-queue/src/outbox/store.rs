use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mediaflow_core::outbox::{
    Attempted, Exchange, Exchanged, OutboxStore, Route, Unrouted, Waiting,
};
use mediaflow_core::{Clock, NotifyError, Result};
use tokio::sync::Notify;

use super::destination::{self, Touched};
use super::handle::{Outbox, to_text};
use super::{claim, expire, finish, route};
use crate::db::values;
use crate::failpoint::{failpoint, may_panic};
use crate::{events, metrics};

impl Outbox {
    /// Gives back the right to route: this process stops, and another one need not wait for the end of the lease.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.process.db.run(route::RELEASE, values![&self.process.id]).await {
            tracing::debug!(%error, "the right to route could not be given back; it ends by itself");
        }
    }
}

#[async_trait]
impl OutboxStore for Outbox {
    async fn unrouted(&self, channels: &[String], most: usize) -> Result<Vec<Unrouted>> {
        route::unrouted(self, channels, most).await
    }

    async fn waiting(&self, channels: &[String]) -> Result<Vec<Waiting>> {
        may_panic("loop.dispatcher");
        claim::waiting(&self.process, channels).await
    }

    async fn exchange(&self, exchange: Exchange<'_>) -> Result<Exchanged> {
        let process = &self.process;
        let now = process.now();
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let mut locked = destination::lock(process, &mut tx, &touched(&exchange)).await?;
        let finished = finish::finish(self, &mut tx, exchange.done, &mut locked, now).await?;
        events::record(process, &mut tx, &finished.events).await?;
        let mut exchanged = route::store(self, &mut tx, exchange.routed, &locked, now).await?;
        for request in exchange.claims {
            let claimed = claim::claim(self, &mut tx, request, &mut locked, now).await?;
            exchanged.claimed.push(claimed);
        }
        destination::save(&mut tx, &locked, now).await?;
        failpoint("outbox.exchange");
        transaction.commit().await?;
        failpoint("outbox.commit");
        exchanged.changed = finished.changed;
        for (channel, outcome) in finished.counted {
            metrics::delivery(&channel, outcome);
        }
        if !finished.events.is_empty() {
            process.committed(finished.events);
        }
        Ok(exchanged)
    }

    async fn reconcile(&self, held: &HashSet<i64>) -> Result<()> {
        expire::reconcile(&self.process, held).await
    }

    async fn expire(&self) -> Result<()> {
        expire::expire(self).await
    }

    async fn give_back(&self, done: &[Attempted]) -> Result<()> {
        let process = &self.process;
        let now = process.now();
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let keys = done.iter().map(|sent| to_text(&sent.claimed.destination)).collect();
        let mut locked =
            destination::lock(process, &mut tx, &Touched { keys, failing: BTreeSet::new() })
                .await?;
        let finished = finish::finish(self, &mut tx, done, &mut locked, now).await?;
        events::record(process, &mut tx, &finished.events).await?;
        destination::save(&mut tx, &locked, now).await?;
        expire::stop(process, &mut tx).await?;
        transaction.commit().await?;
        process.committed(finished.events);
        Ok(())
    }

    fn poll(&self) -> Duration {
        // Of a file is told when another process has written to it.
        let file = self.process.db.file().is_some();
        if file { Duration::from_secs(4) } else { Duration::from_millis(500) }
    }

    fn changed(&self) -> &Notify {
        &self.process.deliveries
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.process.clock()
    }
}

fn touched(exchange: &Exchange<'_>) -> Touched {
    let mut keys = BTreeSet::new();
    let mut failing = BTreeSet::new();
    for sent in exchange.done {
        let key = to_text(&sent.claimed.destination);
        let arrived = matches!(sent.result, Ok(_) | Err(NotifyError::Rejected { .. }));
        if !arrived {
            failing.insert(key.clone());
        }
        keys.insert(key);
    }
    for request in exchange.claims {
        keys.insert(to_text(&request.key));
    }
    for routed in exchange.routed {
        if let Route::Messages(messages) = &routed.route {
            keys.extend(messages.iter().map(|message| to_text(&message.destination)));
        }
    }
    Touched { keys, failing }
}
