use mediaflow_core::EventKind;
use mediaflow_core::event::Severity;

/// What a message says, in plain text of one locale. A channel gives it its form, and escapes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// What happened; of several events, the first.
    pub kind: EventKind,
    /// How bad it is; of several events, the worst.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Paragraphs.
    pub text: Vec<String>,
    /// Labels with their values.
    pub facts: Vec<Fact>,
    /// The titles of single events, if it tells of several.
    pub items: Vec<String>,
    /// Where there is more to see.
    pub link: Option<Link>,
    /// A small picture of what was made.
    pub picture: Option<Picture>,
}

/// A label with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact {
    /// `Error`.
    pub label: String,
    /// `image.truncated`.
    pub value: String,
}

/// A link with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// `Show details`.
    pub label: String,
    /// An address that begins with `https://` or `http://`.
    pub url: String,
}

/// A picture that the receiver's side loads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Picture {
    /// An address that begins with `https://` or `http://`.
    pub url: String,
    /// What it shows, in words.
    pub alt: String,
}

impl Notice {
    pub(super) fn empty() -> Self {
        Self {
            kind: EventKind::JobCompleted,
            severity: Severity::Info,
            title: String::new(),
            text: Vec::new(),
            facts: Vec::new(),
            items: Vec::new(),
            link: None,
            picture: None,
        }
    }

    /// A mark for its severity.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        match (self.severity, self.kind) {
            (Severity::Error, _) => "\u{274c}",
            (Severity::Warning, _) => "\u{26a0}\u{fe0f}",
            (_, EventKind::JobCompleted | EventKind::BatchCompleted | EventKind::OutputReady) => {
                "\u{2705}"
            }
            _ => "\u{2139}\u{fe0f}",
        }
    }

    /// A colour for its severity: red, green and blue in 24 bits.
    #[must_use]
    pub fn color(&self) -> u32 {
        match self.severity {
            Severity::Error => 0x00D0_2B2B,
            Severity::Warning => 0x00D9_8E04,
            _ => 0x002E_8B57,
        }
    }

    /// All of it but its title as lines of plain text.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let link = self.link.iter().map(|link| format!("{}: {}", link.label, link.url));
        self.lines_without_link().into_iter().chain(link).collect()
    }

    /// All of it but its title and its link, for services that take the link by itself.
    #[must_use]
    pub fn lines_without_link(&self) -> Vec<String> {
        let items = self.items.iter().map(|item| format!("- {item}"));
        let facts = self.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value));
        self.text.iter().cloned().chain(items).chain(facts).collect()
    }
}
