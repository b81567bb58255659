//! Finding and rendering templates.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use mediaflow_core::event::Audience;
use mediaflow_core::notify::Message;
use mediaflow_core::{Event, Timestamp};
use minijinja::Environment;
use serde_json::{Value, json};

use super::notice::{Fact, Link, Notice, Picture};
use super::shipped::Shipped;
use super::template::Template;
use super::values;
use crate::payload::{PublicUrls, cut};

/// How many events a message lists.
const LISTED: usize = 20;

/// How much a message says, whatever somebody has called a file: characters of the title, paragraphs, labels with values, and
/// characters of each of them.
const TITLE: usize = 300;
const PARAGRAPHS: usize = 12;
const FACTS: usize = 40;
const LONGEST: usize = 3000;

/// The bytes of a link: services refuse a message with a longer one.
const LINK: usize = 2000;

/// The locale that has all templates.
pub(super) const COMPLETE: &str = "en";

/// All templates, checked.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) environment: Environment<'static>,
    /// By locale and name.
    pub(super) templates: BTreeMap<String, BTreeMap<String, Template>>,
    pub(super) link: Option<String>,
    pub(super) urls: PublicUrls,
}

/// Those that are shipped: read once.
pub(super) fn shipped() -> Arc<Set> {
    static SHIPPED: LazyLock<Arc<Set>> = LazyLock::new(|| {
        Arc::new(Set {
            environment: environment(),
            templates: shipped_templates(),
            link: None,
            urls: PublicUrls::default(),
        })
    });
    Arc::clone(&SHIPPED)
}

pub(super) fn shipped_templates() -> BTreeMap<String, BTreeMap<String, Template>> {
    let locales = [(COMPLETE, super::english::ALL), ("de", super::german::ALL)];
    let template = |(name, title, text, facts): &Shipped| {
        let facts = facts.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
        let template = Template {
            title: (*title).to_owned(),
            text: (*text).to_owned(),
            facts: facts.collect(),
        };
        ((*name).to_owned(), template)
    };
    let locales = locales.into_iter();
    locales.map(|(locale, all)| (locale.to_owned(), all.iter().map(template).collect())).collect()
}

pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // What a job has no value for is nothing, and not an error: templates are for all jobs.
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_filter("size", |bytes: u64| size(bytes));
    environment.add_filter("time", |seconds: f64| clock(seconds));
    let in_german = |code: Option<String>| super::german_failures::words(code.as_deref());
    environment.add_filter("in_german", in_german);
    environment
}

/// A number of bytes for people, in units of 1,000: `1.2 MB`.
fn size(bytes: u64) -> String {
    let mut tenths = u128::from(bytes) * 10;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if tenths < 10_000 {
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return match unit {
                "bytes" => format!("{whole} {unit}"),
                _ => format!("{whole}.{tenth} {unit}"),
            };
        }
        tenths /= 1000;
    }
    format!("{}.{} TB", tenths / 10, tenths % 10)
}

/// Seconds as a clock shows them: `1:02:03`.
fn clock(seconds: f64) -> String {
    // A length is positive and, as a float, far below the limits of a whole number.
    let all = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

impl Set {
    pub(super) fn has(&self, locale: &str) -> bool {
        self.templates.contains_key(locale)
    }

    pub(super) fn locales(&self) -> Vec<&str> {
        self.templates.keys().map(String::as_str).collect()
    }

    pub(super) fn notice(
        &self,
        message: &Message,
        locale: &str,
        audience: Option<Audience>,
    ) -> Notice {
        let (first, events) = (message.event(), message.events());
        let audience = |event: &Event| audience.unwrap_or(event.audience);
        let mut values = values::of(first, &message.reports, audience(first), locale);
        values["count"] = events.len().into();
        let of_event = |event: &Event| {
            [
                format!("{}.{}", event.kind, audience(event)),
                event.kind.as_str().to_owned(),
                "event".to_owned(),
            ]
        };
        let mut notice = Notice {
            kind: first.kind,
            severity: events.iter().map(|event| event.severity).max().unwrap_or(first.severity),
            link: self.link(locale, &values),
            ..Notice::empty()
        };
        if let [event] = events {
            self.fill(&mut notice, &of_event(event), locale, &values);
            notice.picture = values::thumbnail(event).and_then(|output| {
                Some(Picture { url: self.urls.of(&output.output)?, alt: notice.title.clone() })
            });
            return notice;
        }
        self.fill(&mut notice, &["digest".to_owned()], locale, &values);
        for event in &events[..events.len().min(LISTED)] {
            let values = values::of(event, &[], audience(event), locale);
            notice.items.push(self.title(&of_event(event), locale, &values));
        }
        if events.len() > LISTED {
            values["count"] = (events.len() - LISTED).into();
            notice.items.push(self.title(&["more".to_owned()], locale, &values));
        }
        notice
    }

    fn fill(&self, notice: &mut Notice, names: &[String], locale: &str, values: &Value) {
        let rendered = self.find(names, locale).and_then(|template| {
            let log = |error: &minijinja::Error| {
                tracing::error!(name = names[0], %error, "a template of a notification failed");
            };
            self.whole(template, values).inspect_err(log).ok()
        });
        // What is shipped is tried with everything: it does not fail.
        let spare = || {
            let shipped = shipped();
            shipped.whole(shipped.find(names, COMPLETE)?, values).ok()
        };
        let Some((title, text, facts)) = rendered.or_else(spare) else { return };
        let paragraphs = text.split("\n\n").map(one_line).filter(|text| !text.is_empty());
        (notice.title, notice.text) = (one_line(&title), paragraphs.take(PARAGRAPHS).collect());
        notice.facts = facts;
        notice.facts.truncate(FACTS);
        notice.title = cut(&notice.title, TITLE).into_owned();
        for long in
            notice.text.iter_mut().chain(notice.facts.iter_mut().map(|fact| &mut fact.value))
        {
            *long = cut(long, LONGEST).into_owned();
        }
    }

    fn whole(
        &self,
        template: &Template,
        values: &Value,
    ) -> Result<(String, String, Vec<Fact>), minijinja::Error> {
        let facts = template.facts.iter().map(|(label, value)| {
            let value = one_line(&self.render(value, values)?);
            Ok(Fact { label: label.clone(), value })
        });
        let mut facts: Vec<_> = facts.collect::<Result<_, minijinja::Error>>()?;
        facts.retain(|fact| !fact.value.is_empty());
        Ok((self.render(&template.title, values)?, self.render(&template.text, values)?, facts))
    }

    fn title(&self, names: &[String], locale: &str, values: &Value) -> String {
        let mut notice = Notice::empty();
        self.fill(&mut notice, names, locale, values);
        notice.title
    }

    /// The template of the first name that is there, in the locale, its language, or the complete one.
    fn find(&self, names: &[String], locale: &str) -> Option<&Template> {
        let locales = [locale, language(locale), COMPLETE].map(|locale| self.templates.get(locale));
        // What fits everything is the last resort of all locales.
        let (special, general) = names.split_at(names.len().saturating_sub(1).max(1));
        [special, general].into_iter().find_map(|names| {
            locales
                .into_iter()
                .flatten()
                .find_map(|templates| names.iter().find_map(|name| templates.get(name)))
        })
    }

    fn render(&self, source: &str, values: &Value) -> Result<String, minijinja::Error> {
        self.environment.render_str(source, minijinja::value::Serde(values))
    }

    fn link(&self, locale: &str, values: &Value) -> Option<Link> {
        let url = in_url(self.render(self.link.as_deref()?, values).ok()?.trim());
        let is_http = url.starts_with("https://") || url.starts_with("http://");
        let is_link = is_http && url.len() <= LINK;
        let label = self.title(&["link".to_owned()], locale, values);
        is_link.then_some(Link { label, url })
    }

    /// Renders everything once with values of a made-up event: gives the locale and the name of what fails.
    pub(super) fn check(&self) -> Result<(), (String, String, minijinja::Error)> {
        let sample = sample();
        if let Some(link) = &self.link {
            let rendered = self.render(link, &sample);
            rendered.map_err(|error| ("any".to_owned(), "link".to_owned(), error))?;
        }
        for (locale, name, source) in self.sources() {
            let rendered = self.render(source, &sample);
            rendered.map_err(|error| (locale.to_owned(), name.to_owned(), error))?;
        }
        Ok(())
    }

    /// The first value that a template asks for and no event has: its locale, its name, and the value.
    pub(super) fn unknown_value(&self) -> Option<(&str, &str, String)> {
        let link = self.link.iter().map(|link| ("any", "link", link.as_str()));
        link.chain(self.sources()).find_map(|(locale, name, source)| {
            let asked =
                self.environment.template_from_str(source).ok()?.undeclared_variables(false);
            let known = |name: &str| {
                VALUES.contains(&name)
                    || self.environment.globals().any(|(global, _)| global == name)
            };
            let unknown = asked.into_iter().filter(|asked| !known(asked)).min()?;
            Some((locale, name, unknown))
        })
    }

    /// Every text that is a template, with its locale and the name of what it belongs to.
    fn sources(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let all = self.templates.iter().flat_map(|(locale, templates)| {
            templates.iter().map(move |(name, template)| (locale.as_str(), name.as_str(), template))
        });
        all.flat_map(|(locale, name, template)| {
            let facts = template.facts.iter().map(|(_, value)| value);
            let texts = [&template.title, &template.text].into_iter().chain(facts);
            texts.map(move |text| (locale, name, text.as_str()))
        })
    }
}

/// What a template can ask for.
pub(super) const VALUES: [&str; 8] =
    ["audience", "count", "data", "id", "locale", "name", "timestamp", "type"];

/// Values of everything that any event has.
fn sample() -> Value {
    let failure = json!({ "kind": "input", "code": "a.b", "message": "a", "facts": [["a", "b"]], "help": "a" });
    let output = json!({ "output": "a/b", "state": "published", "format": "jpeg", "mime": "image/jpeg", "bytes": 1,
                         "width": 1, "height": 1, "duration": 1.0, "sha256": "a", "md5": "a", "warnings": ["a"],
                         "failure": failure });
    let report = json!({ "job": "a", "batch": "a", "state": "partial", "source": { "name": "a/b", "info": {} },
                         "outputs": [output], "facts": {}, "warnings": ["a"], "failure": failure, "attempts": 1,
                         "counts": { "failed": 1 }, "jobs_total": 1, "named": ["a"], "jobs": [] });
    json!({
        "type": "job.failed", "timestamp": Timestamp::from_millis(0), "id": "a", "name": "a", "audience": "owner",
        "locale": COMPLETE, "count": 2,
        "data": {
            "severity": "error", "audience": "owner", "job": "a", "batch": "a", "owner": "a", "metadata": {}, "tags": ["a"],
            "progress": 0.5, "steps": ["a"], "failure": failure, "output": output, "report": report,
            "delivery": { "channel": "a", "destination": "a", "event": "a", "attempts": 1, "reason": "a", "dead": 1, "waiting": 1 },
            "disabled": { "channel": "a", "destination": "a", "since": "a", "reason": "a", "dead": 1 },
            "unclaimed": { "needs": "a", "jobs": 1 }, "missed": { "schedule": "a", "times": 1, "since": "a" },
        },
    })
}

/// `de` of `de-AT`.
pub(super) fn language(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or(locale)
}

/// What is no part of a URL as it stands, encoded: values are put into links.
fn in_url(text: &str) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if !b"<>\"\\^`{|}".contains(&byte) => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([size(999), size(1234), size(20_000_000)], ["999 bytes", "1.2 kB", "20.0 MB"]);
        assert_eq!([clock(5.9), clock(3723.0), clock(f64::NAN)], ["0:05", "1:02:03", "0:00"]);
    }

    #[test]
    fn everything_that_is_shipped_renders_and_is_complete() {
        let shipped = shipped();
        shipped.check().unwrap();
        let all = mediaflow_core::EventKind::ALL;
        let kinds: Vec<_> = all.iter().map(|kind| kind.as_str()).collect();
        for (locale, templates) in &shipped.templates {
            for name in kinds.iter().copied().chain(["digest", "more", "link", "event"]) {
                assert!(templates.contains_key(name), "{locale} has no {name}");
            }
        }
    }
}
