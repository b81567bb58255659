//! Templates of hosts.

use mediaflow_core::event::{Audience, EventData};
use mediaflow_core::notify::Message;
use mediaflow_notify::templates::{Template, Templates, TemplatesBuilder};

use crate::common::{JOB, NOW, failed, words};

fn title(words: &Templates, locale: &str, audience: Option<Audience>) -> String {
    words.notice(&Message::of(failed("cat.jpg")), locale, audience).title
}

#[test]
fn the_nearest_template_is_taken() {
    let words = Templates::builder()
        .add("fr", "job.failed.owner", Template::new("{{ name }} : zut"))
        .add("en", "job.failed", Template::new("{{ name }}: {{ data.report.failure.code }}"))
        .build()
        .unwrap();
    assert_eq!(title(&words, "fr-CA", Some(Audience::Owner)), "cat.jpg : zut");
    // French has no words for others: those of a locale that has all.
    assert_eq!(title(&words, "fr", None), "cat.jpg: image.truncated");
    assert_eq!(title(&words, "en", Some(Audience::Owner)), "cat.jpg could not be processed");
    assert_eq!(title(&words, "de", None), "cat.jpg konnte nicht verarbeitet werden");
}

#[test]
fn a_failure_is_told_in_one_language() {
    let said = |code: &str, locale: &str, audience| {
        let mut event = failed("cat.jpg");
        let EventData::Job(report) = &mut event.data else { panic!("{event:?}") };
        report.failure.as_mut().unwrap().code = code.to_owned();
        words().notice(&Message::of(event), locale, Some(audience)).text.join(" ")
    };
    let english = "the image ends too early";
    for audience in [Audience::Owner, Audience::Admin] {
        assert!(said("image.truncated", "en", audience).contains(english));
        let german = said("image.truncated", "de-AT", audience);
        assert!(german.contains("nicht vollst\u{e4}ndig."), "{german}");
        assert!(!german.contains(english), "{german}");
        // What has no words of its own is told by its code, among the facts.
        assert!(!said("acme.odd", "de", audience).contains(english));
    }
    assert_eq!(said("acme.odd", "de", Audience::Admin), "");
    assert!(
        said("acme.odd", "de", Audience::Owner)
            .starts_with("Mit der Datei stimmt etwas nicht. Bitte")
    );
}

#[test]
fn mistakes_are_found_when_they_are_built() {
    let mistake = |builder: TemplatesBuilder| builder.build().unwrap_err();
    let error = mistake(Templates::builder().add("en", "job.fail", Template::new("x")));
    assert_eq!(error.code(), "templates.name");
    assert!(format!("{error:?}").contains("job.failed"), "{error:?}");
    let error = mistake(Templates::builder().add("en", "job.failed", Template::new("{{ name")));
    assert_eq!((error.code(), error.fact("template")), ("templates.syntax", Some("job.failed")));
    let error = mistake(Templates::builder().link("https://app.example/{% if %}"));
    assert_eq!(error.code(), "templates.syntax");
    for link in ["app.example/{{ data.job }}", "/media/{{ data.job }}", ""] {
        assert_eq!(mistake(Templates::builder().link(link)).code(), "templates.syntax", "{link}");
    }
    let error = mistake(Templates::builder().add("fr", "more", Template::new(" ")));
    assert_eq!((error.code(), error.fact("template")), ("templates.syntax", Some("more")));
    let unknown =
        Template::new("{{ named }}").text("{% for fact in data.a %}{{ fact }}{% endfor %}");
    let error = mistake(Templates::builder().add("fr", "job.failed", unknown));
    assert_eq!((error.code(), error.fact("value")), ("templates.value", Some("named")));
    assert!(format!("{error:?}").contains("did you mean `name`?"), "{error:?}");
    let own = Template::new(
        "{% set a = name %}{% for n in range(3) %}{{ n }}{{ a }}{{ loop.index }}{% endfor %}",
    );
    Templates::builder()
        .add("fr", "job.failed", own)
        .link("{{ data.metadata.page }}")
        .build()
        .unwrap();
    let filter = Template::new("x").fact("a", "{{ name | shout }}");
    assert_eq!(mistake(Templates::builder().add("en", "event", filter)).code(), "templates.syntax");
}

#[test]
fn a_template_that_fails_later_loses_nothing() {
    let broken = Template::new("{{ data.report.outputs[0].nothing.at.all + 1 }}");
    let words = Templates::builder().add("en", "job.failed", broken).build();
    // Either it is found when it is built, or the shipped words take its place.
    if let Ok(words) = words {
        assert_eq!(title(&words, "en", None), "cat.jpg could not be processed");
    }
    let late = Template::new("{% if data.report %}{{ data.report | nothing }}{% endif %}x");
    assert!(Templates::builder().add("en", "job.failed", late).build().is_err());
}

#[test]
fn templates_are_read_from_files_of_any_format() {
    let read: std::collections::BTreeMap<String, Template> = serde_json::from_str(
        r#"{ "job.failed": { "title": "Zut: {{ name }}", "facts": [["Code", "{{ data.report.failure.code }}"]] } }"#,
    )
    .unwrap();
    let words = Templates::builder().locale("fr", read).build().unwrap();
    let notice = words.notice(&Message::of(failed("cat.jpg")), "fr", None);
    assert_eq!(
        (notice.title.as_str(), notice.facts[0].value.as_str()),
        ("Zut: cat.jpg", "image.truncated")
    );
    let typo = serde_json::from_str::<Template>(r#"{ "title": "x", "txet": "y" }"#);
    assert!(typo.unwrap_err().to_string().contains("txet"));
}

#[test]
fn several_events_are_one_list() {
    let events = (0..30).map(|n| failed(&format!("{n}.jpg")));
    let message = Message::digest(failed("a").id.into(), failed("first.jpg"), events);
    let notice = words().notice(&message, "en", None);
    assert_eq!(notice.title, "31 notifications");
    assert_eq!(notice.items.len(), 21);
    assert_eq!(notice.items[0], "first.jpg could not be processed");
    assert_eq!(notice.items[20], "and 11 more");
}

#[test]
fn the_link_of_several_may_be_one_to_all() {
    let link =
        "https://app.example/{% if count > 1 %}media{% else %}media/{{ data.job }}{% endif %}";
    let words = Templates::builder().link(link).build().unwrap();
    let url = |message| words.notice(&message, "en", None).link.unwrap().url;
    assert_eq!(url(Message::of(failed("a"))), format!("https://app.example/media/{JOB}"));
    let digest = Message::digest(failed("a").id.into(), failed("a"), [failed("b")]);
    assert_eq!(url(digest), "https://app.example/media");
}

#[test]
fn one_is_no_several() {
    let said = |data: serde_json::Value, locale: &str| {
        let kind = if data.get("missed").is_some() { "schedule.missed" } else { "jobs.unclaimed" };
        let event = serde_json::json!({ "kind": kind, "id": JOB, "time": NOW, "audience": "ops",
            "severity": "warning", "data": data });
        let message = Message::of(serde_json::from_value(event).unwrap());
        words().notice(&message, locale, None).title
    };
    let missed = |times: u64| serde_json::json!({ "missed": { "schedule": "s", "times": times, "since": NOW } });
    let waiting =
        |jobs: u64| serde_json::json!({ "unclaimed": { "needs": "op:a@1", "jobs": jobs } });
    assert_eq!(said(missed(1), "en"), "s was missed once");
    assert_eq!(said(missed(2), "en"), "s was missed 2 times");
    assert_eq!(said(missed(1), "de"), "s wurde einmal vers\u{e4}umt");
    assert_eq!(said(missed(2), "de"), "s wurde 2-mal vers\u{e4}umt");
    assert_eq!(said(waiting(1), "en"), "One job waits for a worker that is not there");
    assert_eq!(said(waiting(2), "en"), "2 jobs wait for a worker that is not there");
    assert!(said(waiting(1), "de").contains(" Auftrag wartet auf"));
    assert!(said(waiting(2), "de").starts_with("2 Auftr\u{e4}ge warten auf"));
}
