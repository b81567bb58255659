use crate::event::{Event, EventData, EventKind};
use crate::notify::{DeliveryContext, Message, Notifier};
use crate::time::{Clock as _, SystemClock};

/// The conformance suite of [`Notifier`]: its receiver works. Sends an event of each kind that it wants, each twice
/// with the same id, as after a lost answer. None of `secrets` may be seen in its `Debug` form, nor in
/// the origin of its own address.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_notifier(notifier: &dyn Notifier, secrets: &[&str]) {
    let name = notifier.name().to_owned();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    assert!(!name.is_empty() && name.chars().all(valid), "`{name}` is no name for a channel");

    let address = notifier.own_address();
    let origin = address.as_ref().map(|address| address.origin());
    let shown = format!("{notifier:?}{notifier:#?}{address:?}{origin:?}");
    for secret in secrets {
        assert!(!shown.contains(secret), "{name}: its Debug form or its origin shows a secret");
    }

    let now = SystemClock::default().now();
    let mut wanted = 0;
    for kind in EventKind::ALL {
        let event = Event::new(kind, now, EventData::None);
        if !notifier.wants(&event) {
            continue;
        }
        wanted += 1;
        assert!(notifier.wants(&event), "{name}: changes its mind about {kind}");
        let message = Message::of(event);
        for attempt in 1..=2 {
            let cx = DeliveryContext::attempt(attempt, now);
            let sent = super::soon("answer", notifier.notify(&message, &cx)).await;
            sent.unwrap_or_else(|e| panic!("{name}: attempt {attempt} to tell of {kind}: {e}"));
        }
        assert_eq!(notifier.name(), name, "a notifier keeps its name");
    }
    assert!(wanted > 0, "{name}: wants no event at all");
}
