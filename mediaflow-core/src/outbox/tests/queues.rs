use std::time::Duration;

use super::*;
use crate::EventKind;
use crate::event::{Event, EventData};
use crate::notify::Message;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn key(name: &str) -> DestinationKey {
    DestinationKey::new("hooks", name)
}

fn waiting(name: &str, failures: u32, due: Timestamp) -> Waiting {
    let state = DestinationState { failures, ..DestinationState::default() };
    Waiting::new(key(name), state, due)
}

fn policies(change: impl FnOnce(&mut DeliveryPolicy)) -> Policies {
    let mut policy = DeliveryPolicy::default();
    change(&mut policy);
    HashMap::from([("hooks".to_owned(), (policy, 0))])
}

fn ready(queues: &Queues, policies: &Policies) -> Vec<(String, usize, bool)> {
    let ready = queues.ready(policies, NOW).into_iter();
    ready.map(|request| (request.key.name, request.messages, request.probe)).collect()
}

#[test]
fn a_destination_that_works_goes_first_and_none_takes_all_places() {
    let policies = policies(|policy| {
        (policy.concurrency, policy.channel_concurrency) = (3, 7);
    });
    let older = Timestamp::from_millis(5);
    let mut queues = Queues::default();
    queues.look(vec![waiting("a", 1, older), waiting("b", 0, NOW), waiting("c", 0, older)]);
    let all = |b| [("c".into(), 3, false), ("b".into(), b, false), ("a".into(), 1, false)];
    assert_eq!(ready(&queues, &policies), all(3));
    queues.begun(&key("b"));
    assert_eq!(ready(&queues, &policies), all(2));
    queues.over(&key("b"));
    assert_eq!(ready(&queues, &policies), all(3));
}

#[test]
fn a_few_free_places_wait_for_more_of_them() {
    let policies = policies(|policy| policy.concurrency = 4);
    let mut queues = Queues::default();
    queues.look(vec![waiting("a", 0, NOW)]);
    let urgent = |queues: &Queues, all| {
        let ready = queues.ready(&policies, NOW);
        let urgent = ready.iter().map(|request| queues.is_urgent(request, &policies, all));
        urgent.collect::<Vec<_>>()
    };
    for (half, all) in [(true, true), (true, false), (true, false), (false, false)] {
        assert_eq!((urgent(&queues, false), urgent(&queues, true)), (vec![half], vec![all]));
        queues.begun(&key("a"));
    }
    assert!(urgent(&queues, false).is_empty());
    queues.look(vec![waiting("a", 5, NOW)]);
    queues.over(&key("a"));
    assert_eq!(urgent(&queues, true), [true], "a probe");
}

#[test]
fn an_open_breaker_lets_one_probe_through_and_what_comes_back_has_few_places() {
    let policies = policies(|_| {});
    let mut queues = Queues::default();
    queues.look(vec![waiting("a", 5, NOW)]);
    assert_eq!(ready(&queues, &policies), [("a".into(), 1, true)]);
    let mut back = waiting("a", 0, NOW);
    back.state.ramp = 2;
    queues.look(vec![back]);
    assert_eq!(ready(&queues, &policies), [("a".into(), 2, false)]);
    queues.begun(&key("a"));
    assert_eq!(ready(&queues, &policies), [("a".into(), 1, false)]);
}

fn claimed(name: &str, number: i64) -> Claimed {
    let event = Event::new(EventKind::JobCreated, NOW, EventData::None);
    Claimed::new(number, key(name), "", Ok(Message::of(event)))
}

/// Claims what is ready, and begins.
fn claim(queues: &mut Queues, policies: &Policies) -> (usize, usize) {
    let (mut all, mut now) = (0, 0);
    for request in queues.ready(policies, NOW) {
        let claims = 0..i64::try_from(request.messages).unwrap();
        let claims = claims.map(|number| claimed(&request.key.name, number)).collect();
        all += request.messages;
        now += queues.begin(claims, policies).len();
    }
    (all, now)
}

#[test]
fn a_quick_receiver_has_its_next_messages_here_and_a_failure_gives_them_back() {
    let policies = policies(|policy| policy.concurrency = 2);
    let mut queues = Queues::default();
    queues.look(vec![waiting("a", 0, NOW)]);
    assert_eq!(claim(&mut queues, &policies), (2, 2), "nothing is known of it");
    queues.over(&key("a"));
    assert!(queues.next_turn(&key("a"), true).is_none());
    assert_eq!(claim(&mut queues, &policies), (7, 1));
    assert_eq!(claim(&mut queues, &policies), (0, 0));
    // In their order, and none besides.
    for number in 1..=5 {
        queues.over(&key("a"));
        assert_eq!(queues.next_turn(&key("a"), true).unwrap().id, number);
        assert_eq!(queues.under_way[&key("a")], 2);
    }
    assert_eq!(claim(&mut queues, &policies), (5, 0), "while two are under way");
    queues.over(&key("a"));
    assert_eq!(queues.end_turns(&key("a")).count(), 6);
    assert_eq!(claim(&mut queues, &policies), (1, 1), "and no more turns");
    // What is slow has none either, but those that it has go on.
    queues.over(&key("a"));
    assert!(queues.next_turn(&key("a"), true).is_none());
    assert_eq!(claim(&mut queues, &policies), (7, 1));
    queues.over(&key("a"));
    assert!(queues.next_turn(&key("a"), false).is_some());
    assert_eq!(claim(&mut queues, &policies), (0, 0));
    assert_eq!(queues.end_all_turns().count(), 5);
}

#[test]
fn turns_are_for_receivers_that_are_known_to_work_and_take_nobodys_place() {
    let quick = |queues: &mut Queues, name| {
        queues.begun(&key(name));
        queues.over(&key(name));
        queues.next_turn(&key(name), true);
    };
    let rate = |policy: &mut DeliveryPolicy| {
        policy.rate = Some(crate::notify::RateLimit::per_second(1000));
    };
    let back = DestinationState { ramp: 5, ..DestinationState::default() };
    for (policies, state) in [
        (policies(|policy| policy.ordered = true), DestinationState::default()),
        (policies(rate), DestinationState::default()),
        (policies(|_| {}), back),
    ] {
        let mut queues = Queues::default();
        quick(&mut queues, "a");
        queues.look(vec![Waiting { state, ..waiting("a", 0, NOW) }]);
        let (_, messages, _) = ready(&queues, &policies).remove(0);
        assert!(messages <= policies["hooks"].0.concurrency, "{messages}");
    }
    // Of many, each has what it can send at once.
    let policies = policies(|_| {});
    let names: Vec<_> = (0..30).map(|number| number.to_string()).collect();
    let mut queues = Queues::default();
    queues.look(names.iter().map(|name| waiting(name, 0, NOW)).collect());
    names.iter().for_each(|name| quick(&mut queues, name));
    let ready = ready(&queues, &policies);
    assert_eq!(ready.iter().map(|(_, messages, _)| messages).sum::<usize>(), TOGETHER);
    assert!(ready.iter().all(|(_, messages, _)| *messages >= 8) && ready.len() == 30);
}

#[test]
fn what_is_blocked_is_ready_later() {
    let policies = policies(|_| {});
    let later = NOW.plus(Duration::from_secs(1));
    let mut blocked = waiting("a", 0, NOW);
    blocked.state.blocked_until = later;
    let mut queues = Queues::default();
    queues.look(vec![blocked]);
    assert_eq!((ready(&queues, &policies), queues.next(&policies, NOW)), (vec![], Some(later)));
}

#[test]
fn what_waits_goes_before_what_was_just_made() {
    let (policies, mut queues) = (policies(|_| {}), Queues::default());
    let policy = &policies["hooks"].0;
    assert_eq!(queues.at_once(&key("a"), policy), policy.concurrency);
    queues.begun(&key("a"));
    assert_eq!(queues.at_once(&key("a"), policy), policy.concurrency - 1);
    queues.look(vec![waiting("a", 0, NOW)]);
    assert_eq!(queues.at_once(&key("a"), policy), 0);
}
