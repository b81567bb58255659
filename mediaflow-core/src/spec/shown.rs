//! Texts of a spec as errors and logs may show them.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

/// No more of a text is shown.
const LONGEST: usize = 200;

/// A text that may be the URL of a source: without credentials, query and fragment, and not too much of it.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let known = text.split(['?', '#']).next().unwrap_or_default();
    let Some(scheme) = scheme_of(known) else { return cut(known) };
    if scheme.eq_ignore_ascii_case("data") {
        return Cow::Borrowed("data:[REDACTED]");
    }
    let Some((_, rest)) = known.split_once(':') else { return cut(known) };
    // Browsers and libraries take as many slashes, and either kind.
    let slash = |c| matches!(c, '/' | '\\');
    let rest = rest.trim_start_matches(slash);
    let end = rest.find(slash).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let shown = format!("{}://{host}{path}", scheme.escape_debug());
    Cow::Owned(cut(&shown).into_owned())
}

/// The scheme that a text begins with. What a URL's reader would skip before it is skipped.
pub(crate) fn scheme_of(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let (scheme, _) = text.split_once(':')?;
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(valid))
        .then_some(scheme)
}

/// A message in which somebody else quotes parts of a spec.
pub(crate) fn quoted(message: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',');
    message
        .split_inclusive(ends)
        .map(|word| {
            let end = word.rfind(ends).unwrap_or(word.len());
            let (word, rest) = word.split_at(end);
            let is_url = word.contains("://") || scheme_of(word) == Some("data");
            let word = if is_url { shown(word) } else { cut(word) };
            format!("{word}{rest}")
        })
        .collect()
}

/// Parameters, for `Debug`.
pub(super) struct Shown<'a>(pub(super) &'a Value);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => fmt::Debug::fmt(&*shown(text), f),
            Value::Array(items) => f.debug_list().entries(items.iter().map(Shown)).finish(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (shown(name), Shown(value)));
                f.debug_map().entries(fields).finish()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => fmt::Display::fmt(self.0, f),
        }
    }
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
