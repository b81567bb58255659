use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::event::{Event, EventKind};
use crate::notify::{Address, DeliveryContext, Message, Notifier, NotifyError, Receipt, Terms};
use crate::{Error, Result, Timestamp};

/// What a [`ScriptedNotifier`] does in one attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Act {
    /// The receiver takes the message.
    Take,
    /// The attempt fails.
    Fail(NotifyError),
    /// The receiver answers this, and the attempt arrives or fails.
    Answer(u16, Vec<u8>, Option<NotifyError>),
    /// The receiver takes it and calls it so.
    Name(&'static str),
    /// The receiver never answers.
    Hang,
    /// The notifier has a defect.
    Panic,
}

/// One attempt of a [`ScriptedNotifier`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Told {
    /// The address; empty for the notifier's own.
    pub to: String,
    /// What was sent.
    pub message: Message,
    /// The first event of it.
    pub event: Event,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub at: Timestamp,
    /// How many messages went in the same request.
    pub together: usize,
}

/// The notifier `hooks`, which does what a test says, address by address. An address is an origin and, after a slash,
/// anything: `a`, `a/1`. The origin `refused` is none that it takes. It takes everything else, unless told otherwise.
/// Clones share.
#[derive(Clone, Debug)]
pub struct ScriptedNotifier {
    name: String,
    kinds: Vec<EventKind>,
    terms: Terms,
    script: Arc<Mutex<Script>>,
    told: Arc<watch::Sender<Vec<Told>>>,
}

#[derive(Debug, Default)]
struct Script {
    /// Whether it panics when it is asked the next time.
    panics: bool,
    next: HashMap<String, VecDeque<Act>>,
    always: HashMap<String, Act>,
}

impl ScriptedNotifier {
    /// Wants events of these kinds.
    #[must_use]
    pub fn new(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        Self {
            name: "hooks".to_owned(),
            kinds: kinds.into_iter().collect(),
            terms: Terms::default(),
            script: Arc::default(),
            told: Arc::new(watch::Sender::new(Vec::new())),
        }
    }

    /// With another name than `hooks`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Under these terms.
    #[must_use]
    pub fn under(mut self, terms: Terms) -> Self {
        self.terms = terms;
        self
    }

    /// What it does in the next attempts at this address.
    pub fn next(&self, to: &str, acts: impl IntoIterator<Item = Act>) {
        self.script().next.entry(to.to_owned()).or_default().extend(acts);
    }

    /// It panics when it is asked the next time about an event that it wants.
    pub fn panic_when_asked(&self) {
        self.script().panics = true;
    }

    /// What it does in all others there.
    pub fn always(&self, to: &str, act: Act) {
        self.script().always.insert(to.to_owned(), act);
    }

    /// All attempts, as soon as there have been so many.
    pub async fn told(&self, attempts: usize) -> Vec<Told> {
        let mut told = self.told.subscribe();
        let what = format!("{attempts} attempts");
        let enough = super::soon(&what, told.wait_for(|told| told.len() >= attempts)).await;
        enough.map(|told| told.clone()).unwrap_or_default()
    }

    /// The attempts at one address so far.
    #[must_use]
    pub fn of(&self, to: &str) -> Vec<Told> {
        self.told.borrow().iter().filter(|told| told.to == to).cloned().collect()
    }

    async fn one(
        &self,
        message: &Message,
        cx: &DeliveryContext,
        together: usize,
    ) -> Result<Receipt, NotifyError> {
        let to = message.address.as_ref().map(|to| to.reveal().to_owned()).unwrap_or_default();
        let act = {
            let mut script = self.script();
            let next = script.next.get_mut(&to).and_then(VecDeque::pop_front);
            next.or_else(|| script.always.get(&to).cloned()).unwrap_or(Act::Take)
        };
        let told = Told {
            to,
            message: message.clone(),
            event: message.event().clone(),
            attempt: cx.attempt,
            at: cx.now,
            together,
        };
        self.told.send_modify(|all| all.push(told));
        match act {
            Act::Take => Ok(Receipt::new()),
            Act::Name(name) => Ok(Receipt::new().named(name)),
            Act::Fail(error) => Err(error),
            Act::Answer(status, body, error) => {
                cx.answered(status, &body);
                error.map_or(Ok(Receipt::with_status(status)), Err)
            }
            Act::Hang => std::future::pending().await,
            Act::Panic => panic!("the notifier panics on demand"),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Notifier for ScriptedNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> bool {
        let wanted = self.kinds.contains(&event.kind);
        let panics = wanted && std::mem::take(&mut self.script().panics);
        assert!(!panics, "the notifier panics on demand");
        wanted
    }

    fn terms(&self) -> Terms {
        self.terms.clone()
    }

    fn address(&self, text: &str) -> Result<Address> {
        let origin = text.split_once('/').map_or(text, |(origin, _)| origin);
        if origin == "refused" {
            return Err(Error::input("notify.address", format!("`{text}` is no address")));
        }
        Ok(Address::at(origin, text))
    }

    async fn notify(
        &self,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        self.one(message, cx, 1).await
    }

    async fn notify_all(
        &self,
        messages: &[(&Message, &DeliveryContext)],
    ) -> Vec<Result<Receipt, NotifyError>> {
        let mut results = Vec::new();
        for (message, cx) in messages {
            results.push(self.one(message, cx, messages.len()).await);
        }
        results
    }
}
