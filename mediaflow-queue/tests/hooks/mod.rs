//! A notifier that does what a test says, address by address.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use mediaflow_core::notify::{DeliveryContext, Message, Receipt};
use mediaflow_core::testing::soon;
use mediaflow_core::{Event, EventKind, Notifier, NotifyError, Timestamp, async_trait};
use tokio::sync::watch;

/// What it does in one attempt.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Take,
    Fail(NotifyError),
    /// The receiver answers this.
    Answer(u16, Vec<u8>, Option<NotifyError>),
    Hang,
    Panic,
}

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The address; empty for the notifier's own.
    pub(crate) to: String,
    pub(crate) message: Message,
    /// The first one that it tells of.
    pub(crate) event: Event,
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
}

/// The notifier `hooks`. It takes everything, unless told otherwise. Clones share.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    kinds: Vec<EventKind>,
    script: Arc<Mutex<Script>>,
    told: Arc<watch::Sender<Vec<Told>>>,
}

#[derive(Debug, Default)]
struct Script {
    next: HashMap<String, VecDeque<Act>>,
    always: HashMap<String, Act>,
}

impl Hooks {
    /// Wants events of these kinds.
    pub(crate) fn new(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        let told = Arc::new(watch::Sender::new(Vec::new()));
        Self { kinds: kinds.into_iter().collect(), script: Arc::default(), told }
    }

    /// What it does in the next attempts at this address.
    pub(crate) fn next(&self, to: &str, acts: impl IntoIterator<Item = Act>) {
        self.script.lock().unwrap().next.entry(to.to_owned()).or_default().extend(acts);
    }

    /// What it does in all others.
    pub(crate) fn always(&self, to: &str, act: Act) {
        self.script.lock().unwrap().always.insert(to.to_owned(), act);
    }

    /// All attempts, as soon as there have been so many.
    pub(crate) async fn told(&self, attempts: usize) -> Vec<Told> {
        let mut told = self.told.subscribe();
        let enough = soon("delivery", told.wait_for(|told| told.len() >= attempts)).await;
        enough.map(|told| told.clone()).unwrap()
    }

    /// The attempts at one address so far.
    pub(crate) fn of(&self, to: &str) -> Vec<Told> {
        self.told.borrow().iter().filter(|told| told.to == to).cloned().collect()
    }
}

#[async_trait]
impl Notifier for Hooks {
    fn name(&self) -> &str {
        "hooks"
    }

    fn wants(&self, event: &Event) -> bool {
        self.kinds.contains(&event.kind)
    }

    async fn notify(
        &self,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let to = message.address.as_ref().map(|to| to.reveal().to_owned()).unwrap_or_default();
        let act = {
            let mut script = self.script.lock().unwrap();
            let next = script.next.get_mut(&to).and_then(VecDeque::pop_front);
            next.or_else(|| script.always.get(&to).cloned()).unwrap_or(Act::Take)
        };
        let told = Told {
            to,
            message: message.clone(),
            event: message.event().clone(),
            attempt: cx.attempt,
            at: cx.now,
        };
        self.told.send_modify(|all| all.push(told));
        match act {
            Act::Take => Ok(Receipt::new()),
            Act::Fail(error) => Err(error),
            Act::Answer(status, body, error) => {
                cx.answered(status, &body);
                error.map_or(Ok(Receipt::with_status(status)), Err)
            }
            Act::Hang => std::future::pending().await,
            Act::Panic => panic!("the notifier panics on demand"),
        }
    }
}
