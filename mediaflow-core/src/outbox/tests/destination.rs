use std::collections::BTreeSet;
use std::time::Duration;

use super::super::{Attempted, Claimed, DestinationKey, DestinationState, Disposition, Effects};
use crate::event::{Event, EventData};
use crate::executor::DeliveryPolicy;
use crate::notify::{Address, Answer, Credentials, Message, NotifyError, Receipt};
use crate::{EventKind, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

struct World {
    policy: DeliveryPolicy,
    state: DestinationState,
    now: Timestamp,
    /// What the receiver answers from now on.
    status: Option<u16>,
    repeats: bool,
    told: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let policy = DeliveryPolicy { jitter: 0.0, ..DeliveryPolicy::default() };
        Self {
            policy,
            state: DestinationState::default(),
            now: NOW,
            status: None,
            repeats: false,
            told: BTreeSet::new(),
        }
    }

    fn hear(&mut self, result: Result<Receipt, NotifyError>, own: bool, probe: bool) -> Effects {
        let event = Event::new(EventKind::JobFailed, NOW, EventData::None);
        let message = Message::of(event).to((!own).then(|| Address::opaque("a")));
        let (key, recipient) = (DestinationKey::new("hooks", "o"), if own { "" } else { "a" });
        let mut claimed = Claimed::new(1, key, recipient, Ok(message));
        claimed.probe = probe;
        let answer = self.status.map(|status| Answer { status, body: String::new() });
        let (at, took, repeats) = (self.now, Duration::ZERO, self.repeats);
        let attempted = Attempted { claimed, at, took, result, answer, repeats };
        let disposition = Disposition::of(&attempted, &self.policy, self.now);
        self.state.take_up([(&attempted, disposition)], &mut self.told, &self.policy, self.now)
    }

    fn advance(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }
}

fn broken() -> Result<Receipt, NotifyError> {
    Err(NotifyError::retryable("broken"))
}

#[test]
fn a_request_of_several_messages_fails_once() {
    let mut world = World::new();
    for _ in 0..3 {
        for place in 0..10 {
            world.repeats = place > 0;
            world.hear(broken(), true, false);
        }
    }
    assert_eq!(world.state.failures, 3);
    assert!(world.state.is_ready(&world.policy, world.now));
}

#[test]
fn the_breaker_opens_lets_one_probe_through_and_closes() {
    let mut world = World::new();
    for _ in 0..5 {
        assert!(world.state.is_ready(&world.policy, world.now));
        assert_eq!(world.hear(broken(), true, false), Effects::default());
    }
    assert!(!world.state.is_ready(&world.policy, world.now));
    assert_eq!(world.state.blocked_until, NOW.plus(Duration::from_secs(30)));
    world.hear(broken(), true, false);
    assert_eq!(world.state.blocked_until, NOW.plus(Duration::from_secs(30)), "nothing new");
    world.advance(30);
    assert!(world.state.is_ready(&world.policy, world.now) && world.state.is_open(&world.policy));
    world.hear(broken(), true, true);
    assert_eq!(world.state.blocked_until, world.now.plus(Duration::from_secs(60)));
    world.advance(60);
    world.hear(Ok(Receipt::new()), true, true);
    assert!(!world.state.is_open(&world.policy) && world.state.failing_since.is_none());
}

#[test]
fn what_comes_back_gets_its_places_one_after_the_other() {
    let mut world = World::new();
    world.policy.concurrency = 8;
    (0..5).for_each(|_| drop(world.hear(broken(), true, false)));
    world.hear(Ok(Receipt::new()), true, true);
    let mut arrives = |result| {
        world.hear(result, true, false);
        world.state.places(&world.policy)
    };
    assert_eq!([(); 2].map(|()| arrives(Ok(Receipt::new()))), [2, 4]);
    assert_eq!(arrives(broken()), 1, "from the beginning");
    assert_eq!([(); 4].map(|()| arrives(Ok(Receipt::new()))), [2, 4, 8, 8]);
    assert_eq!(world.state, DestinationState::default(), "nothing is remembered");
    world.state.enable();
    assert_eq!(world.state.places(&world.policy), 1);
}

#[test]
fn refused_credentials_pause_at_once_and_are_told_once() {
    let mut world = World::new();
    let refused = || Err(NotifyError::Auth { reason: "401".into() });
    let failure = world.hear(refused(), true, false).failed.remove(0).failure;
    assert_eq!((failure.reason.as_str(), failure.destination.as_str()), ("401", "o"));
    assert!(!world.state.is_ready(&world.policy, world.now));
    assert_eq!(world.hear(refused(), true, false).failed, []);
    world.advance(30);
    assert!(world.state.is_open(&world.policy) && world.state.is_ready(&world.policy, world.now));
    assert_eq!(world.hear(refused(), true, true).failed, []);
    assert_eq!(world.state.blocked_until, world.now.plus(Duration::from_secs(60)));
}

#[test]
fn refused_credentials_of_the_host_pause_whatever_the_address() {
    let mut world = World::new();
    world.policy.credentials = Credentials::Host;
    let refused = || Err(NotifyError::Auth { reason: "401".into() });
    let effects = world.hear(refused(), false, false);
    assert_eq!((effects.refused.len(), effects.failed.len()), (0, 1));
    assert_eq!(effects.failed[0].recipient, None, "it concerns all who are told there");
    assert!(!world.state.is_ready(&world.policy, world.now) && world.state.paused);
    assert_eq!(world.state.blocked_until, NOW.plus(Duration::from_secs(30)));
    assert_eq!(world.hear(refused(), true, false).failed, [], "told once, also of the host's own");
    world.advance(30);
    assert_eq!(world.hear(refused(), false, true).failed, []);
    assert_eq!(world.state.blocked_until, world.now.plus(Duration::from_secs(60)));
    // What arrives anywhere arrives with the same credentials.
    world.advance(60);
    world.hear(Ok(Receipt::new()), false, true);
    assert!(world.state.is_ready(&world.policy, world.now) && !world.state.paused);
    assert_eq!(world.hear(refused(), true, false).failed.len(), 1, "another failure");
}

#[test]
fn a_jobs_own_address_stops_only_itself() {
    let mut world = World::new();
    let effects = world.hear(Err(NotifyError::Gone { reason: "410".into() }), false, false);
    assert_eq!((effects.gone.len(), effects.failed.len()), (1, 1));
    let effects = world.hear(Err(NotifyError::Auth { reason: "401".into() }), false, false);
    assert_eq!((effects.refused.len(), effects.failed), (1, vec![]), "told already");
    assert!(world.state.is_ready(&world.policy, world.now));
    assert_eq!((world.state.failures, world.state.paused), (0, false));
}

#[test]
fn what_one_address_answers_says_nothing_of_its_origin() {
    let mut world = World::new();
    for (status, is_of_address) in
        [(301, true), (400, true), (404, true), (425, true), (500, false), (502, false)]
    {
        (world.state, world.status) = (DestinationState::default(), Some(status));
        let held: usize = (0..5).map(|_| world.hear(broken(), false, false).refused.len()).sum();
        assert_eq!(held, if is_of_address { 5 } else { 0 }, "{status}");
        assert_eq!(world.state.is_open(&world.policy), !is_of_address, "{status}");
    }
    (world.state, world.status) = (DestinationState::default(), Some(404));
    (0..5).for_each(|_| drop(world.hear(broken(), true, false)));
    assert!(world.state.is_open(&world.policy), "the host's own endpoint");
    // It asks for a day, and its origin is left alone as long as a breaker is open.
    (world.state, world.status) = (DestinationState::default(), Some(429));
    let (day, after) = (Duration::from_secs(86_400), Some(Duration::from_secs(86_400)));
    let throttled = NotifyError::Throttled { after, reason: "429".into() };
    let effects = world.hear(Err(throttled), false, false);
    assert_eq!(effects.refused[0].1, NOW.plus(day));
    assert_eq!(world.state.blocked_until, NOW.plus(Duration::from_secs(600)));
}

#[test]
fn the_hosts_own_endpoint_is_disabled_after_days_of_nothing_but_failure() {
    let mut world = World::new();
    world.policy.breaker_after = 0;
    let gone = || Err(NotifyError::Gone { reason: "410".into() });
    let days = |world: &mut World, days: u32| {
        for _ in 0..days {
            assert!(!world.hear(gone(), true, false).disabled);
            world.advance(86_400);
        }
    };
    days(&mut world, 5);
    world.hear(Ok(Receipt::new()), true, false);
    days(&mut world, 5);
    let since = world.now;
    world.advance(3 * 86_400);
    assert!(!world.hear(broken(), true, false).disabled, "nobody knows what was meanwhile");
    assert_eq!(world.state.failing_since, Some(since.plus(Duration::from_secs(3 * 86_400))));
    days(&mut world, 5);
    // What others do changes nothing.
    world.hear(broken(), false, false);
    world.hear(Ok(Receipt::new()), false, false);
    let effects = world.hear(gone(), true, false);
    assert!(effects.disabled && world.state.disabled_at == Some(world.now));
    let key = DestinationKey::new("hooks", "o");
    let events = effects.events(&key, &world.state, 0, world.now);
    assert!(events.iter().any(|event| event.kind == EventKind::DestinationDisabled));
    assert!(!world.hear(broken(), true, false).disabled, "told once");
    assert!(world.state.is_ready(&world.policy, world.now), "for addresses of jobs");
}

#[test]
fn what_jobs_give_does_not_disable_the_hosts_own_endpoint() {
    let mut world = World::new();
    world.policy.breaker_after = 0;
    for _ in 0..10 {
        world.hear(broken(), false, false);
        world.advance(86_400);
    }
    assert!(!world.hear(broken(), true, false).disabled);
    assert_eq!(world.state.failing_since, Some(world.now));
}

#[test]
fn losses_are_told_once_until_something_arrives() {
    let mut world = World::new();
    let refused = || Err(NotifyError::rejected("no"));
    let mut told = |result, own| world.hear(result, own, false).failed.len();
    assert_eq!([told(refused(), true), told(refused(), true)], [1, 0]);
    assert_eq!([told(Ok(Receipt::new()), true), told(refused(), true)], [0, 1]);
    // What arrives for others changes nothing.
    assert_eq!([told(Ok(Receipt::new()), false), told(refused(), true)], [0, 0]);
    assert_eq!([told(refused(), false), told(refused(), false)], [1, 0]);
}

#[test]
fn what_concerns_all_is_told_once_for_all() {
    let mut world = World::new();
    world.policy.schedule = Vec::new();
    let mut lost = |own| world.hear(broken(), own, false).failed;
    let first = lost(false).remove(0);
    assert_eq!((first.recipient, first.failure.attempts), (None, 1));
    assert_eq!([lost(true), lost(false)], [[], []]);
    // The origin works, and who was told of is known.
    world.hear(Ok(Receipt::new()), true, false);
    assert_eq!(world.hear(broken(), false, false).failed, []);
    assert_eq!(world.hear(broken(), true, false).failed.len(), 1);
}

#[test]
fn whoever_asks_for_patience_gets_it_and_works() {
    let mut world = World::new();
    let after = Some(Duration::from_secs(90));
    world.hear(Err(NotifyError::Throttled { after, reason: "429".into() }), true, false);
    assert_eq!(
        (world.state.failures, world.state.blocked_until),
        (0, NOW.plus(Duration::from_secs(90)))
    );
}
