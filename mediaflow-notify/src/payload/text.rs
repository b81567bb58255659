use std::borrow::Cow;

/// The beginning of a text, of so many characters at most, the mark that something is missing included.
///
/// ```
/// assert_eq!(mediaflow_notify::channel::cut("a picture", 5), "a pi\u{2026}");
/// ```
#[must_use]
pub fn cut(text: &str, characters: usize) -> Cow<'_, str> {
    let Some((_, _)) = text.char_indices().nth(characters) else { return Cow::Borrowed(text) };
    let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
    Cow::Owned(format!("{}\u{2026}", kept.trim_end()))
}

/// What stands for markup in HTML, and in the texts of services that have taken this from it.
#[must_use]
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
