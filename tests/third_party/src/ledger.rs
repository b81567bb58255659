use std::sync::{Arc, Mutex, PoisonError};

use mediaflow::notify::{DeliveryContext, Message, Receipt};
use mediaflow::prelude::*;

/// Writes one line per event into a ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    /// What has been written.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Notifier for Ledger {
    fn name(&self) -> &str {
        "ledger"
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind.is_terminal()
    }

    async fn notify(
        &self,
        message: &Message,
        _cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let lines = message.events().iter().map(|event| event.kind.to_string());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
        Ok(Receipt::new())
    }
}
