//! How often a dispatcher does something while there is nothing to do, on a store that only counts.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::super::{
    Attempted, Claimed, DestinationKey, DestinationState, Dispatcher, Exchange, Exchanged,
    OutboxStore, Unrouted, Waiting,
};
use crate::event::{Event, EventData};
use crate::executor::{Capacity, DeliveryPolicy, Executor, Resources, RetryPolicy};
use crate::media::Scratch;
use crate::notify::{Configured, Message, NotifyError};
use crate::shutdown::Shutdown;
use crate::storage::Storages;
use crate::testing::{Act, ManualClock, ScriptedNotifier};
use crate::{Clock, CpuPool, EventKind, Limits, Registry, Result};

/// Something is always due at one destination. Of that, the first few can be claimed, and the rest waits for something
/// else.
#[derive(Debug)]
struct Store {
    clock: ManualClock,
    changed: Notify,
    state: DestinationState,
    claimable: AtomicU32,
    /// Rounds of the dispatcher, and claims in vain.
    rounds: AtomicU32,
    vain: AtomicU32,
}

impl Store {
    fn new(state: DestinationState, claimable: u32) -> Arc<Self> {
        Arc::new(Self {
            clock: ManualClock::new(),
            changed: Notify::new(),
            state,
            claimable: claimable.into(),
            rounds: AtomicU32::new(0),
            vain: AtomicU32::new(0),
        })
    }

    fn key() -> DestinationKey {
        DestinationKey::new("hooks", "")
    }

    /// Dispatches for so long.
    async fn dispatch(self: &Arc<Self>, policy: DeliveryPolicy, time: Duration) {
        let hooks = ScriptedNotifier::new([EventKind::JobCreated]);
        hooks.always("", Act::Fail(NotifyError::retryable("broken")));
        let executor = executor(hooks, policy, self.clock.clone());
        let (store, shutdown) = (Arc::clone(self) as Arc<dyn OutboxStore>, Shutdown::new());
        let dispatcher = Dispatcher::new(store, executor);
        let ended = tokio::time::timeout(time, dispatcher.run(&shutdown)).await;
        assert!(ended.is_err(), "it goes on");
    }
}

#[async_trait]
impl OutboxStore for Store {
    async fn unrouted(&self, _channels: &[String], _most: usize) -> Result<Vec<Unrouted>> {
        Ok(Vec::new())
    }

    async fn waiting(&self, _channels: &[String]) -> Result<Vec<Waiting>> {
        Ok(vec![Waiting::new(Self::key(), self.state.clone(), self.clock.now())])
    }

    async fn exchange(&self, exchange: Exchange<'_>) -> Result<Exchanged> {
        let mut exchanged = Exchanged::default();
        for request in exchange.claims {
            let left = self.claimable.load(Ordering::SeqCst);
            let mut claimed = Vec::new();
            if left > 0 {
                self.claimable.store(left - 1, Ordering::SeqCst);
                let event = Event::new(EventKind::JobCreated, self.clock.now(), EventData::None);
                claimed.push(Claimed::new(left.into(), Self::key(), "", Ok(Message::of(event))));
            } else {
                self.vain.fetch_add(1, Ordering::SeqCst);
                if request.is_outdated(&self.state) {
                    exchanged.changed.push(request.key.clone());
                }
            }
            exchanged.claimed.push(claimed);
        }
        Ok(exchanged)
    }

    async fn reconcile(&self, _held: &HashSet<i64>) -> Result<()> {
        Ok(())
    }

    async fn expire(&self, _held: &HashSet<i64>) -> Result<()> {
        Ok(())
    }

    async fn give_back(&self, _done: &[Attempted]) -> Result<()> {
        Ok(())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    fn changed(&self) -> &Notify {
        self.rounds.fetch_add(1, Ordering::SeqCst);
        &self.changed
    }
}

/// What a host has that only tells.
fn executor(hooks: ScriptedNotifier, delivery: DeliveryPolicy, clock: ManualClock) -> Executor {
    Executor(Arc::new(Resources {
        registry: Registry::new(),
        storages: Storages::default(),
        notifiers: vec![Arc::new(hooks)],
        recipients: Arc::new(Configured),
        routes: Vec::new(),
        routed: Default::default(),
        people: crate::notify::PeopleCache::default(),
        dry_run: false,
        limits: Limits::default(),
        cpu: CpuPool::new(1),
        capacity: Capacity::new(Some(1 << 20), 1),
        scratch: Scratch::in_folder(std::env::temp_dir()),
        _scratch_folder: None,
        clock: Arc::new(clock),
        allowed_paths: Vec::new(),
        #[cfg(feature = "http")]
        http: crate::http::GuardedClient::builder().build().unwrap(),
        retry: RetryPolicy::default(),
        delivery,
        places: std::collections::BTreeMap::new(),
        tenants: crate::Tenants::new(),
    }))
}

fn policy() -> DeliveryPolicy {
    DeliveryPolicy { concurrency: 1, ordered: true, breaker_after: 5, ..DeliveryPolicy::default() }
}

#[tokio::test]
async fn what_can_not_be_claimed_is_asked_for_when_it_is_looked_at() {
    for failures in [0, 5] {
        let state = DestinationState { failures, ..DestinationState::default() };
        let store = Store::new(state, 0);
        store.dispatch(policy(), Duration::from_secs(2)).await;
        // One for each look, of which there are two in a second.
        let vain = store.vain.load(Ordering::SeqCst);
        assert!((1..=8).contains(&vain), "{vain} claims in vain");
    }
}

#[tokio::test]
async fn a_failure_is_written_down_without_haste() {
    let store = Store::new(DestinationState::default(), 3);
    store.dispatch(policy(), Duration::from_secs(1)).await;
    assert_eq!(store.claimable.load(Ordering::SeqCst), 0);
    let rounds = store.rounds.load(Ordering::SeqCst);
    assert!(rounds < 200, "{rounds} rounds for three failures");
}
