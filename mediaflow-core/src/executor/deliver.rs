use super::resources::Executor;
use crate::codes;
use crate::event::Event;
use crate::notify::{
    DeliveryContext, Message, Notifier, NotifyError, Receipt, Recipient, Recipients,
};
use crate::spec::NotifyTarget;
use crate::suggest::did_you_mean;
use crate::{Error, Result};

impl Executor {
    /// Who is told of this event, as configured: each notifier that wants it, at its own address, or for one that the job names
    /// at those that the job gave. [`Recipients`] has the last word.
    #[must_use]
    pub fn configured(&self, event: &Event) -> Vec<Recipient> {
        let wanting = self.0.notifiers.iter().filter(|notifier| notifier.wants(event));
        wanting
            .flat_map(|notifier| {
                let named = event.notify.iter().filter(|target| target.channel == notifier.name());
                let job = event.job.filter(|_| notifier.terms().threads);
                let own = Recipient {
                    thread: job.map(|job| job.to_string()),
                    ..Recipient::new(notifier.name())
                };
                let recipient =
                    |target: &NotifyTarget| Recipient { to: target.to.clone(), ..own.clone() };
                let mut found: Vec<_> = named.map(recipient).collect();
                if found.is_empty() {
                    found.push(own);
                }
                found
            })
            .collect()
    }

    /// Finds who is told of an event.
    #[must_use]
    pub fn recipients(&self) -> &dyn Recipients {
        &*self.0.recipients
    }

    /// A notifier by its name.
    ///
    /// # Errors
    /// `notify.unknown`.
    pub fn notifier(&self, channel: &str) -> Result<&dyn Notifier> {
        let found = self.0.notifiers.iter().find(|notifier| notifier.name() == channel);
        found.map(|notifier| &**notifier).ok_or_else(|| {
            let message = format!("there is no notifier `{channel}`");
            Error::input(codes::NOTIFY_UNKNOWN, message)
                .help(did_you_mean(channel, self.channels()))
        })
    }

    /// One attempt to send a message through a channel. It takes at most [`DeliveryPolicy::timeout`](crate::executor::DeliveryPolicy::timeout).
    ///
    /// # Errors
    /// What to do next: see [`NotifyError`].
    pub async fn deliver(
        &self,
        channel: &str,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let Ok(notifier) = self.notifier(channel) else {
            return Err(NotifyError::retryable("this process has no such notifier"));
        };
        tokio::time::timeout(self.0.delivery.timeout, notifier.notify(message, cx))
            .await
            .unwrap_or_else(|_| Err(NotifyError::ambiguous("no answer in time")))
    }
}
