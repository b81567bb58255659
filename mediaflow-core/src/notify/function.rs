use std::fmt;
use std::future::Future;

use async_trait::async_trait;

use super::{DeliveryContext, Message, Notifier, NotifyError, Receipt};
use crate::event::{Event, EventKind};

/// A notifier of one line. It wants all that ends a job or batch; choose otherwise with [`NotifyFn::on`].
///
/// ```
/// use mediaflow_core::notify::notify_fn;
///
/// let log = notify_fn("log", async |event| {
///     println!("{} {:?}", event.kind, event.job);
///     Ok(())
/// });
/// ```
pub fn notify_fn<F, Fut>(name: impl Into<String>, tell: F) -> NotifyFn<F>
where
    F: Fn(Event) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), NotifyError>> + Send,
{
    NotifyFn { name: name.into(), on: None, tell }
}

/// See [`notify_fn`].
#[must_use]
pub struct NotifyFn<F> {
    name: String,
    on: Option<Vec<EventKind>>,
    tell: F,
}

impl<F> NotifyFn<F> {
    /// Only these kinds of events.
    pub fn on(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.on = Some(kinds.into_iter().collect());
        self
    }
}

impl<F> fmt::Debug for NotifyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyFn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, Fut> Notifier for NotifyFn<F>
where
    F: Fn(Event) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), NotifyError>> + Send,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> bool {
        self.on.as_ref().map_or(event.kind.is_terminal(), |kinds| kinds.contains(&event.kind))
    }

    async fn notify(
        &self,
        message: &Message,
        _cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        for event in message.events() {
            (self.tell)(event.clone()).await?;
        }
        Ok(Receipt::new())
    }
}
