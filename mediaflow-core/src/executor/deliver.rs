use super::resources::Executor;
use crate::event::Event;
use crate::notify::{DeliveryContext, NotifyError, Receipt};

/// Where an event goes: a notifier by name, at its own address or at one that the job gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// The notifier's name.
    pub channel: String,
    /// The address in place of the notifier's own.
    pub to: Option<String>,
}

impl Executor {
    /// Where this event goes: to each notifier that wants it, and for a notifier that the job names, to the address
    /// that the job gave.
    #[must_use]
    pub fn destinations(&self, event: &Event) -> Vec<Destination> {
        let wanting = self.0.notifiers.iter().filter(|notifier| notifier.wants(event));
        wanting
            .flat_map(|notifier| {
                let named = event.notify.iter().filter(|target| target.channel == notifier.name());
                let mut to: Vec<_> = named.map(|target| target.to.clone()).collect();
                if to.is_empty() {
                    to.push(None);
                }
                to.into_iter().map(|to| Destination { channel: notifier.name().to_owned(), to })
            })
            .collect()
    }

    /// One attempt to deliver an event. It takes at most [`DeliveryPolicy::timeout`].
    ///
    /// # Errors
    /// What to do next: see [`NotifyError`].
    pub async fn deliver(
        &self,
        event: &Event,
        channel: &str,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let found = self.0.notifiers.iter().find(|notifier| notifier.name() == channel);
        let Some(notifier) = found else {
            return Err(NotifyError::rejected(format!(
                "there is no notifier `{channel}` any more"
            )));
        };
        tokio::time::timeout(self.0.delivery.timeout, notifier.notify(event, cx))
            .await
            .unwrap_or_else(|_| Err(NotifyError::Ambiguous { reason: "no answer in time".into() }))
    }
}
