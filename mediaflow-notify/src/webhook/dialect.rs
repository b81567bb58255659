//! What the dialects of vendors share.

use std::time::Duration;

use mediaflow_core::notify::Message;
use mediaflow_core::report::OutputReport;
use mediaflow_core::{Event, EventKind, NotifyError, Timestamp};
use serde_json::{Map, Value, json};

use crate::payload::{encode, fullest, shortened, too_large};

/// How much of a body is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// So many entries of its list are told.
    pub(super) entries: usize,
    /// What somebody else wrote is told from its beginning only.
    short: bool,
}

impl Cut {
    /// A text that somebody else wrote.
    pub(super) fn text(self, text: &str) -> String {
        if self.short { shortened(text) } else { text.to_owned() }
    }

    /// As many of these as are told; the body says of the others whom to ask about.
    pub(super) fn list<'a, T>(
        self,
        body: &mut Map<String, Value>,
        all: &'a [T],
        more: impl FnOnce() -> Value,
    ) -> &'a [T] {
        if all.len() > self.entries {
            body.insert("mediaflow".into(), json!({ "truncated": true, "more": more() }));
        }
        &all[..all.len().min(self.entries)]
    }
}

/// A body that keeps to the limit: first what somebody else wrote is shortened, then its list loses its end.
pub(super) fn fitted(
    limit: usize,
    body: impl Fn(Cut) -> Map<String, Value>,
) -> Result<Vec<u8>, NotifyError> {
    let whole = Cut { entries: usize::MAX, short: false };
    encode(&body(whole), limit)
        .or_else(|| fullest(limit, |entries| encode(&body(Cut { entries, short: true }), limit)))
        .ok_or_else(|| too_large(limit))
}

/// The event of a message, if the vendor has a word for it.
pub(super) fn only<'a>(
    message: &'a Message,
    vendor: &str,
    has_word_for: impl Fn(EventKind) -> bool,
) -> Result<&'a Event, NotifyError> {
    let [event] = message.events() else {
        let reason = format!("{vendor}'s dialect tells of one event at a time");
        return Err(NotifyError::unsupported(reason));
    };
    if has_word_for(event.kind) {
        Ok(event)
    } else {
        let reason = format!("{vendor} has no notification for `{}`", event.kind);
        Err(NotifyError::unsupported(reason))
    }
}

/// Where an output is: of several files, the main one.
pub(super) fn place(output: &OutputReport) -> &str {
    output.files.last().map_or(&output.output, |file| &file.output)
}

/// What the caller said of an output in the job's metadata, under this name: `{"labels": {"public/cat.mp4": "web"}}`.
pub(super) fn said_of<'a>(
    event: &'a Event,
    name: &str,
    output: &OutputReport,
) -> Option<&'a Value> {
    event.metadata.get(name)?.get(&output.output)
}

/// Bits per second of so many bytes in this time.
pub(super) fn bits_per_second(bytes: u64, length: Duration) -> Option<u64> {
    let bits = (u128::from(bytes) * 8000).checked_div(length.as_millis())?;
    u64::try_from(bits).ok()
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_millis(time.seconds() * 1000).to_string().replace(".000Z", "Z")
}
