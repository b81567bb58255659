use std::sync::Arc;

use super::resources::Executor;
use crate::event::Event;
use crate::notify::{
    DeliveryContext, Message, Notifier, NotifyError, Person, Receipt, Recipient, Recipients, Route,
    Whom, unknown,
};
use crate::spec::NotifyTarget;
use crate::{Result, Timestamp};

impl Executor {
    /// Who is told of this event, as configured, beside what [routes](Self::routes) say: each notifier that none of them names and that wants it, at its own address, or for one that the job names
    /// at those that the job gave. [`Recipients`] has the last word.
    #[must_use]
    pub fn configured(&self, event: &Event) -> Vec<Recipient> {
        let own = self.0.notifiers.iter();
        let own = own.filter(|notifier| !self.0.routed.contains(notifier.name()));
        let wanting = own.filter(|notifier| notifier.wants(event));
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

    /// The rules of who is told, each with its name.
    pub fn routes(&self) -> &[Route] {
        &self.0.routes
    }

    /// Whether somebody is told of this event from here: by a notifier that wants it, or by a rule.
    #[must_use]
    pub fn tells(&self, event: &Event) -> bool {
        self.routes().iter().any(|route| route.takes(event)) || !self.configured(event).is_empty()
    }

    /// The people of an audience, as [`Recipients::people`] finds them, or has found them a moment ago.
    ///
    /// # Errors
    /// They can not be found now.
    pub async fn people(&self, whom: &Whom, now: Timestamp) -> Result<Arc<Vec<Person>>> {
        self.0.people.find(&*self.0.recipients, whom, now).await
    }

    /// A notifier by its name.
    ///
    /// # Errors
    /// `notify.unknown`.
    pub fn notifier(&self, channel: &str) -> Result<&dyn Notifier> {
        let found = self.0.notifiers.iter().find(|notifier| notifier.name() == channel);
        found.map(|notifier| &**notifier).ok_or_else(|| unknown(channel, self.channels()))
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
        if self.0.dry_run {
            tracing::info!(channel, message = %message.id, rule = message.rule, "not sent: this is a dry run");
            return Ok(Receipt::default());
        }
        tokio::time::timeout(self.0.delivery.timeout, notifier.notify(message, cx))
            .await
            .unwrap_or_else(|_| Err(NotifyError::ambiguous("no answer in time")))
    }

    /// One attempt to send several messages to one address through a channel that takes such together. Gives what came of each,
    /// in their order. It takes as long as that of a single one, at most.
    pub async fn deliver_all(
        &self,
        channel: &str,
        messages: &[(&Message, &DeliveryContext)],
    ) -> Vec<Result<Receipt, NotifyError>> {
        if let [(message, cx)] = messages {
            return vec![self.deliver(channel, message, cx).await];
        }
        let Ok(notifier) = self.notifier(channel) else {
            let error = NotifyError::retryable("this process has no such notifier");
            return vec![Err(error); messages.len()];
        };
        if self.0.dry_run {
            tracing::info!(channel, messages = messages.len(), "not sent: this is a dry run");
            return vec![Ok(Receipt::default()); messages.len()];
        }
        let sent = tokio::time::timeout(self.0.delivery.timeout, notifier.notify_all(messages));
        let late = |_| vec![Err(NotifyError::ambiguous("no answer in time")); messages.len()];
        let mut results = sent.await.unwrap_or_else(late);
        let unsaid = || Err(NotifyError::ambiguous("the notifier does not say what came of it"));
        results.resize_with(messages.len(), unsaid);
        results
    }
}
