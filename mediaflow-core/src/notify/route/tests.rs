use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::EventKind::{JobCompleted, JobFailed};
use crate::event::EventData;
use crate::notify::{Address, DeliveryContext, Message, Notifier, NotifyError, Receipt, Terms};
use crate::{Error, Result, Timestamp, codes};

const MINUTE: Duration = Duration::from_secs(60);

fn event(change: impl FnOnce(&mut Event)) -> Event {
    let mut event = Event::new(JobFailed, Timestamp::default(), EventData::None);
    change(&mut event);
    event
}

fn read(text: &str) -> serde_json::Result<Route> {
    serde_json::from_str(text)
}

#[test]
fn a_route_takes_what_fits_it() {
    let route = Route::on([JobFailed]).to("email");
    assert!(route.takes(&event(|_| {})));
    assert!(!route.takes(&event(|event| event.kind = JobCompleted)));
    let worse = route.clone().severity(Severity::Warning..);
    assert!(worse.takes(&event(|_| {})));
    assert!(!worse.takes(&event(|event| event.severity = Severity::Info)));
    let tagged = route.clone().tags(["a", "b"]);
    assert!(tagged.takes(&event(|event| event.tags = vec!["x".into(), "b".into()])));
    assert!(!tagged.takes(&event(|_| {})));
    let of = route.clone().tenants(["acme"]).owners(["ada"]);
    assert!(of.takes(&event(|event| {
        (event.tenant, event.owner) = (Some("acme".into()), Some("ada".into()));
    })));
    assert!(!of.takes(&event(|event| event.tenant = Some("acme".into()))));
    let to = |audience| route.clone().audience(audience).takes(&event(|_| {}));
    assert_eq!([Audience::Owner, Audience::Admin, Audience::Ops].map(to), [true, true, false]);
}

/// It is stored with messages: whoever updates goes on with what waits.
#[test]
fn the_name_of_a_route_without_one_stays() {
    let route =
        Route::on([JobFailed]).severity(Severity::Error..).to("slack").escalate(after(3), "pager");
    assert_eq!(route.rule(), "route-cc7bb06badfb0d2a");
    let others = [
        route.clone().severity(..),
        route.clone().severity(..Severity::Error),
        route.clone().tags(["a"]),
    ];
    assert!(others.iter().all(|other| other.rule() != route.rule()));
    assert_eq!(route.clone().quiet(22, 7).rule(), route.rule());
}

#[test]
fn owners_of_two_tenants_are_not_one() {
    let of = |tenant: Option<&str>, owner: Option<&str>| {
        GroupBy::Owner.of(&event(|event| {
            (event.tenant, event.owner) = (tenant.map(Into::into), owner.map(Into::into));
        }))
    };
    assert_eq!(of(Some("acme"), Some("ada")), of(Some("acme"), Some("ada")));
    let groups = [
        (Some("acme"), Some("ada")),
        (Some("other"), Some("ada")),
        (None, Some("ada")),
        (None, None),
    ];
    let groups: std::collections::BTreeSet<_> =
        groups.into_iter().map(|(tenant, owner)| of(tenant, owner)).collect();
    assert_eq!(groups.len(), 4);
}

#[test]
fn a_configuration_says_what_code_says() {
    let text = r#"{ "name": "team", "on": ["job.failed", "job.completed"], "severity": "warning", "audience": "admin",
        "tags": ["a"], "tenants": ["acme"], "owners": ["ada"],
        "to": ["slack", { "channel": "email", "at": "ops@example.com", "fallback": ["push", { "channel": "pager", "at": "7" }] }],
        "quiet": { "from": 22, "to": 7, "zone": "Europe/Berlin" },
        "digest": { "window": "1m", "by": "tenant" },
        "escalate": [{ "after": 3, "within": "1h", "to": "pager" }, { "after": "15m", "to": "pager", "at": "8" }] }"#;
    let route = Route::on([JobFailed, JobCompleted])
        .name("team")
        .severity(Severity::Warning..)
        .audience(Audience::Admin)
        .tags(["a"])
        .tenants(["acme"])
        .owners(["ada"])
        .to("slack")
        .to("email")
        .at("ops@example.com")
        .fallback("push")
        .fallback("pager")
        .at("7")
        .quiet(22, 7)
        .zone("Europe/Berlin")
        .digest(MINUTE)
        .group_by(GroupBy::Tenant)
        .escalate(after(3).within(60 * MINUTE), "pager")
        .escalate(after(15 * MINUTE), "pager")
        .at("8");
    assert_eq!(read(text).unwrap().said(), route.said());
    let throttle = read(
        r#"{ "on": ["job.failed"], "to": "slack", "throttle": { "messages": 5, "per": "1h" } }"#,
    );
    let expected = Route::on([JobFailed]).to("slack").throttle(5, 60 * MINUTE);
    assert_eq!(throttle.unwrap().said(), expected.said());
}

#[test]
fn a_mistake_in_a_configuration_is_named() {
    for (text, says) in [
        (r#"{ "on": ["job.failed"], "too": "a" }"#, "unknown key `too`: did you mean `to`?"),
        (
            r#"{ "on": ["job.failure"], "to": "a" }"#,
            "unknown name `job.failure`: did you mean `job.failed`?",
        ),
        (r#"{ "on": ["job.failed"], "to": "a", "audience": "owners" }"#, "did you mean `owner`?"),
        (r#"{ "on": ["job.failed"], "to": "a", "severity": "err" }"#, "unknown name `err`"),
        (
            r#"{ "on": ["job.failed"], "to": "a", "escalate": { "after": [], "to": "b" } }"#,
            "`after` looks otherwise: write { \"after\": \"15m\"",
        ),
        (
            r#"{ "on": ["job.failed"], "to": "a", "escalate": { "after": "3 events", "to": "b" } }"#,
            "`after` looks otherwise",
        ),
        (
            r#"{ "on": ["job.failed"], "to": { "channels": "a" } }"#,
            "unknown key `channels` in `to`: did you mean `channel`?",
        ),
        (
            r#"{ "on": ["job.failed"], "to": ["a", { "channel": "b", "fallback": { "too": "c" } }] }"#,
            "unknown key `too` in `fallback`",
        ),
        (r#"{ "on": ["job.failed"], "to": [7] }"#, "`to` looks otherwise: write \"email\""),
        (
            r#"{ "on": ["job.failed"], "to": "a", "quiet": "22-7" }"#,
            "`quiet` looks otherwise: write { \"from\": 22",
        ),
        (
            r#"{ "on": ["job.failed"], "to": "a", "quiet": { "from": 22, "to": 7, "zon": "UTC" } }"#,
            "unknown key `zon` in `quiet`: did you mean `zone`?",
        ),
        (r#"{ "on": ["job.failed"], "to": "a", "digest": "5m" }"#, "{ \"window\": \"5m\""),
        (
            r#"{ "on": ["job.failed"], "to": "a", "digest": { "window": "5 apples" } }"#,
            "in `digest`: unknown time unit",
        ),
        (
            r#"{ "on": ["job.failed"], "to": "a", "throttle": { "messages": 5 } }"#,
            "in `throttle`: missing field `per`",
        ),
        (
            r#"{ "on": ["job.failed"], "to": { "channel": "a", "at": -1001234567 } }"#,
            "in `to`: an address is a text, in quotes; write",
        ),
        (
            r#"{ "on": ["job.failed"], "to": "a", "escalate": { "after": "5m", "within": "1h", "to": "b" } }"#,
            "`within` is for a number of events",
        ),
        (r#"{ "on": ["job.failed"] }"#, "missing field `to`"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("1001234567"), "{error}");
    }
}

#[test]
fn what_can_not_be_kept_to_is_refused() {
    let on = || Route::on([JobFailed]);
    for (route, code) in [
        (Route::on([]).to("email"), codes::ROUTE_INVALID),
        (on(), codes::ROUTE_INVALID),
        (on().fallback("email"), codes::ROUTE_INVALID),
        (on().at("x").to("email"), codes::ROUTE_INVALID),
        (on().to("email").zone("UTC"), codes::ROUTE_INVALID),
        (on().to("email").group_by(GroupBy::Job), codes::ROUTE_INVALID),
        (on().to("email").digest(Duration::ZERO), codes::ROUTE_INVALID),
        (on().to("email").throttle(0, MINUTE), codes::ROUTE_INVALID),
        (on().to("email").throttle(1, Duration::ZERO), codes::ROUTE_INVALID),
        (on().to("email").escalate(after(0), "email"), codes::ROUTE_INVALID),
        (on().to("email").escalate(after(Duration::ZERO), "email"), codes::ROUTE_INVALID),
        (on().to("email").tags([""; 0]), codes::ROUTE_INVALID),
        (on().to("email").tenants(Vec::<String>::new()), codes::ROUTE_INVALID),
        (on().to("email").owners([""; 0]), codes::ROUTE_INVALID),
        (on().to("email").at(""), codes::ROUTE_INVALID),
        (on().to("email").fallback("email"), codes::ROUTE_INVALID),
        (on().to("email").to("email"), codes::ROUTE_INVALID),
        (on().to("email").at("b").to("email").at("b"), codes::ROUTE_INVALID),
        (on().to("email").digest(MINUTE).throttle(1, MINUTE), codes::ROUTE_INVALID),
        (on().to("email").name("a b"), codes::ROUTE_INVALID),
        (on().to("email").quiet(7, 7), codes::ROUTE_QUIET),
        (on().to("email").quiet(22, 7).zone("Nowhere"), codes::SCHEDULE_ZONE),
        (on().to("e-mail"), codes::NOTIFY_UNKNOWN),
        (on().to("email").escalate(after(3), "pager"), codes::NOTIFY_UNKNOWN),
    ] {
        let error = route.check(&known(&["email"])).unwrap_err();
        assert_eq!(error.code(), code, "{route:?}");
    }
    let error = on().to("email").escalate(after(3).within(8 * 24 * 60 * MINUTE), "email");
    let error = error.check(&known(&["email"])).unwrap_err();
    assert_eq!(error.fact("word"), Some("escalate"));
    let error = on().to("e-mail").check(&known(&["email", "slack"])).unwrap_err();
    assert!(format!("{error:?}").contains("did you mean `email`?"), "{error:?}");
    for address in ["slack://T0/B0/secret", "secret@example.com"] {
        let error = on().to(address).check(&known(&["slack"])).unwrap_err();
        assert_eq!(error.code(), codes::NOTIFY_UNKNOWN);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret") && shown.contains("say the name"), "{shown}");
    }
    let route = on().to("email").fallback("email").at("b").quiet(22, 7);
    route.check(&known(&["email"])).unwrap();
}

#[test]
fn a_route_whose_events_never_have_its_severity_is_refused() {
    let refused = |route: Route| {
        let error = route.to("email").check(&known(&["email"])).err();
        error.map(|error| format!("{error:?}"))
    };
    let on = |kind| Route::on([kind]);
    let range = |from, to| (Bound::Included(from), Bound::Excluded(to));
    for empty in [
        on(JobFailed).severity(Severity::Error..Severity::Error),
        on(JobFailed).severity(range(Severity::Error, Severity::Debug)),
        on(JobFailed).severity((Bound::Excluded(Severity::Error), Bound::Unbounded)),
    ] {
        assert!(refused(empty).unwrap().contains("no severity lies in the range"));
    }
    let error = refused(on(JobCompleted).severity(Severity::Error..)).unwrap();
    assert!(error.contains("they have: info, warning"), "{error}");
    assert!(refused(on(JobFailed).severity(..Severity::Error)).is_some());
    // Administrators are concerned by a loss only, which is left out here.
    let plain = on(JobCompleted).severity(..=Severity::Info);
    assert_eq!(refused(plain.clone()), None);
    assert!(refused(plain.audience(Audience::Admin)).unwrap().contains("concerns its audience"));
    assert_eq!(
        refused(Route::on(EventKind::ALL).severity(Severity::Debug..=Severity::Debug)),
        None
    );
}

#[test]
fn a_configuration_is_refused_for_what_code_is_refused_for() {
    for keys in [
        r#" "throttle": { "messages": 0, "per": "1h" } "#,
        r#" "throttle": { "messages": 1, "per": "0s" } "#,
        r#" "digest": { "window": "5m", "most": 0 } "#,
        r#" "digest": { "window": "5m", "most": 1001 } "#,
        r#" "digest": { "window": "0s" } "#,
        r#" "escalate": { "after": 0, "to": "email" } "#,
        r#" "escalate": { "after": "0s", "to": "email" } "#,
        r#" "escalate": { "after": 3, "within": "0s", "to": "email" } "#,
        r#" "escalate": { "after": 3, "to": "email", "at": "" } "#,
        r#" "tags": [] "#,
        r#" "tenants": [] "#,
        r#" "owners": [] "#,
        r#" "name": "" "#,
        r#" "severity": "error", "on": ["job.completed"] "#,
        r#" "to": [] "#,
        r#" "to": ["email", "email"] "#,
        r#" "to": { "channel": "email", "fallback": "email" } "#,
        r#" "to": { "channel": "email", "at": "" } "#,
        r#" "on": [] "#,
    ] {
        let read = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>;
        let mut map = read(r#"{ "on": ["job.failed"], "to": "email" }"#).unwrap();
        map.extend(read(&format!("{{ {keys} }}")).unwrap());
        let route: Route = serde_json::from_value(map.into()).unwrap();
        let error = route.check(&known(&["email"])).unwrap_err();
        assert_eq!(error.code(), codes::ROUTE_INVALID, "{keys}");
    }
}

#[test]
fn an_address_that_its_channel_refuses_is_found_at_the_start() {
    let letters: Arc<dyn Notifier> = Arc::new(Letters);
    let check = |route: Route| route.check_addresses(std::slice::from_ref(&letters));
    check(Route::on([JobFailed]).to("letters").at("abc")).unwrap();
    for route in [
        Route::on([JobFailed]).to("letters").at("secret-7"),
        Route::on([JobFailed]).to("letters").fallback("letters").at("secret-7"),
        Route::on([JobFailed]).to("letters").escalate(after(2), "letters").at("secret-7"),
    ] {
        let error = check(route).unwrap_err();
        assert_eq!((error.code(), error.fact("channel")), (codes::ROUTE_INVALID, Some("letters")));
        assert!(!format!("{error:?} {error}").contains("secret-7"), "{error:?}");
    }
}

/// Its addresses are letters, and it says which text is none.
#[derive(Debug)]
struct Letters;

#[async_trait]
impl Notifier for Letters {
    fn name(&self) -> &'static str {
        "letters"
    }

    fn wants(&self, _event: &Event) -> bool {
        false
    }

    fn address(&self, text: &str) -> Result<Address> {
        if text.chars().all(char::is_alphabetic) {
            return Ok(Address::opaque(text));
        }
        Err(Error::input(codes::CHANNEL_ADDRESS, format!("`{text}` has more than letters")))
    }

    async fn notify(
        &self,
        _message: &Message,
        _cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        Ok(Receipt::new())
    }
}

#[test]
fn a_route_whose_people_are_never_concerned_is_refused() {
    let refused = |kinds: &[EventKind], audience| {
        let route = Route::on(kinds.iter().copied()).audience(audience).to("email");
        route.check(&known(&["email"])).err().map(|error| error.to_string())
    };
    let error = refused(&[JobFailed], Audience::Ops).unwrap();
    assert!(error.contains("they concern: owner, admin;"), "{error}");
    let error = refused(&[EventKind::DeliveryFailed], Audience::Owner).unwrap();
    assert!(error.contains("they concern: ops;"), "{error}");
    assert_eq!(refused(&EventKind::ALL, Audience::Ops), None);
    // With a loss, it concerns those who answer for the application.
    assert_eq!(refused(&[JobCompleted], Audience::Admin), None);
}

fn known<'a>(channels: &[&'a str]) -> Vec<(&'a str, Terms)> {
    channels.iter().map(|channel| (*channel, Terms::default())).collect()
}

#[test]
fn what_has_no_words_for_it_ends_no_chain() {
    let mut channels = known(&["email", "encoder"]);
    (channels[1].1.digests, channels[1].1.kinds) = (false, Some(vec![JobFailed]));
    let on = || Route::on([JobFailed]);
    for route in [
        on().to("encoder").digest(MINUTE),
        on().to("email").to("encoder").throttle(1, MINUTE),
        on().to("email").fallback("encoder").digest(MINUTE),
        Route::on([JobFailed, JobCompleted]).to("encoder"),
        Route::on([JobCompleted]).to("email").escalate(after(3), "encoder"),
    ] {
        let error = route.check(&channels).unwrap_err();
        assert_eq!(error.code(), codes::ROUTE_INVALID, "{route:?}");
        assert!(error.to_string().contains("`encoder`"), "{error}");
    }
    for route in [
        on().to("encoder"),
        on().to("encoder").fallback("email").digest(MINUTE),
        Route::on([JobCompleted]).to("encoder").fallback("email"),
        on().to("email").digest(MINUTE).escalate(after(3), "encoder"),
    ] {
        route.check(&channels).unwrap();
    }
}

#[test]
fn a_name_changes_with_people_and_not_with_hours() {
    let route = Route::on([JobFailed]).to("email");
    let name = route.rule();
    assert_eq!(route.clone().quiet(22, 7).digest(MINUTE).rule(), name);
    for other in [
        route.clone().to("push"),
        route.clone().audience(Audience::Owner),
        route.clone().severity(Severity::Error..),
        route.clone().tags(["a"]),
        Route::on([JobCompleted]).to("email"),
    ] {
        assert_ne!(other.rule(), name, "{other:?}");
    }
    assert_eq!(route.clone().at("a@b.example").rule(), name, "an address is in no name");
    assert_eq!(route.name("mine").rule(), "mine");
}
