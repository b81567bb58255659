//! The values that templates see.

use mediaflow_core::Event;
use mediaflow_core::event::{Audience, EventData};
use mediaflow_core::report::{OutputReport, OutputState, Report};
use serde_json::{Map, Value};

use crate::payload;

/// Those of an event, for an audience and in a locale.
pub(super) fn of(event: &Event, reports: &[Report], audience: Audience, locale: &str) -> Value {
    let mut values = match payload::data(event, reports) {
        Value::Object(values) => values,
        _ => Map::new(),
    };
    values.insert("name".to_owned(), name(event).into());
    values.insert("audience".to_owned(), audience.as_str().into());
    values.insert("locale".to_owned(), locale.into());
    let mut values = Value::Object(values);
    clean(&mut values);
    values
}

/// What an event is about: the name that the host gave, or that of the source without its folder, or the job's id.
fn name(event: &Event) -> String {
    if let Some(Value::String(name)) = event.metadata.get("name") {
        return name.clone();
    }
    let source = report(event).and_then(|report| report.source.as_ref());
    // What could not be read at all is in no report; its failure knows it.
    let failed = report(event).and_then(|report| report.failure.as_ref());
    let fact = |wanted: &str| {
        failed.and_then(|failure| failure.facts.iter().find(|(name, _)| name == wanted))
    };
    let own = fact("input").is_none_or(|(_, input)| input == "source");
    let unread = fact("source").filter(|_| own).map(|(_, source)| source.as_str());
    let output = match &event.data {
        EventData::Output(output) => Some(output.output.as_str()),
        _ => None,
    };
    let path = source.map(|source| source.name.as_str()).or(unread).or(output).unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if !last.is_empty() {
        return last.to_owned();
    }
    let job = event.job.map(|job| job.to_string());
    job.or_else(|| event.batch.map(|batch| batch.to_string())).unwrap_or_default()
}

pub(super) fn report(event: &Event) -> Option<&Report> {
    match &event.data {
        EventData::Job(report) => Some(report),
        _ => None,
    }
}

/// The smallest picture among what was made: place and size are known.
pub(super) fn thumbnail(event: &Event) -> Option<&OutputReport> {
    let outputs = match &event.data {
        EventData::Job(report) => report.outputs.as_slice(),
        EventData::Output(output) => std::slice::from_ref(&**output),
        _ => &[],
    };
    let shown = |output: &&OutputReport| {
        output.state == OutputState::Published
            && matches!(
                output.mime.as_str(),
                "image/jpeg" | "image/png" | "image/webp" | "image/gif"
            )
    };
    outputs.iter().filter(shown).min_by_key(|output| output.bytes)
}

/// Texts without line breaks, control characters and marks of writing direction: what somebody called a file makes no
/// second line, and turns none around.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.contains(|c| c == '\n' || is_odd(c)) {
                *text = cleaned(text);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(values) => values.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cleaned(text: &str) -> String {
    let spaced = text.chars().map(|c| if is_odd(c) { ' ' } else { c });
    spaced.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line() {
        let mut value = serde_json::json!({ "a": ["x\r\nBcc: a@b\u{202e}c"], "b": "fine" });
        clean(&mut value);
        assert_eq!(value, serde_json::json!({ "a": ["x Bcc: a@b c"], "b": "fine" }));
    }
}
