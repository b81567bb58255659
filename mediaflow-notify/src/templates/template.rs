use serde::Deserialize;

/// The words for one kind of event, in one locale.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Template {
    /// One line.
    pub title: String,
    /// Paragraphs, with empty lines between them.
    #[serde(default)]
    pub text: String,
    /// Labels with their values, in their order. One whose value is empty is left out.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
}

impl Template {
    /// With this title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// With these paragraphs.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// With one more label and value.
    #[must_use]
    pub fn fact(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((label.into(), value.into()));
        self
    }
}
