use crate::codes;
use crate::media::Media;
use crate::{Error, Result};

/// The inputs of a step or plan, in the order of its `from`, with the names that stand there.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Vec<(String, Media)>);

impl Inputs {
    /// No inputs yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One input, named `source`.
    #[must_use]
    pub fn one(media: impl Into<Media>) -> Self {
        Self::new().and("source", media)
    }

    /// With one more.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, media: impl Into<Media>) -> Self {
        self.0.push((name.into(), media.into()));
        self
    }

    /// The same under other names.
    #[must_use]
    pub(crate) fn renamed(mut self, name: impl Fn(&str) -> &str) -> Self {
        for (old, _) in &mut self.0 {
            *old = name(old).to_owned();
        }
        self
    }

    /// Each with its name.
    pub(crate) fn into_named(self) -> impl Iterator<Item = (String, Media)> {
        self.0.into_iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The input of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Media> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, media)| media)
    }

    /// The input at this position, from 0.
    ///
    /// # Errors
    /// `spec.inputs` if the step was given fewer.
    pub fn get(&self, index: usize) -> Result<&Media> {
        self.0.get(index).map(|(_, media)| media).ok_or_else(|| missing(index, self.0.len()))
    }

    /// The first input.
    ///
    /// # Errors
    /// `spec.inputs` if there is none.
    pub fn into_first(self) -> Result<Media> {
        let found = self.0.len();
        self.0.into_iter().next().map(|(_, media)| media).ok_or_else(|| missing(0, found))
    }
}

fn missing(index: usize, found: usize) -> Error {
    Error::input(
        codes::SPEC_INPUTS,
        format!("the step needs {} inputs and was given {found}", index + 1),
    )
    .help("name them in `from`")
}

/// Results by name. An operation has one, `main`; a plan has one for each step that it was asked for, and each can
/// fail by itself.
#[derive(Debug, Default)]
pub struct Outputs(Vec<(String, Result<Media>)>);

impl Outputs {
    /// The name of an operation's only result.
    pub const MAIN: &'static str = "main";

    /// No results yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One result, named `main`.
    #[must_use]
    pub fn one(media: impl Into<Media>) -> Self {
        Self::new().and(Self::MAIN, Ok(media.into()))
    }

    /// With one more.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, result: Result<Media>) -> Self {
        self.0.push((name.into(), result));
        self
    }

    /// What was made.
    pub(crate) fn made(&self) -> impl Iterator<Item = (&str, &Media)> {
        self.0.iter().filter_map(|(name, made)| Some((&**name, made.as_ref().ok()?)))
    }

    /// Takes the result of this name out.
    ///
    /// # Errors
    /// The result's own error, or `plan.no_result` if there is none of this name.
    pub fn take(&mut self, name: &str) -> Result<Media> {
        match self.0.iter().position(|(n, _)| n == name) {
            Some(index) => self.0.swap_remove(index).1,
            None => {
                Err(Error::internal(codes::PLAN_NO_RESULT, "a step gave no result")
                    .with("step", name))
            }
        }
    }
}
