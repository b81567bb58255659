use std::sync::Arc;

use serde_json::{Map, Value};

use super::Source;
use crate::operation::{AnyOperation, Operation};
use crate::{Error, Result};

/// One branch of a pipeline, from a source towards an output. Cloning it makes a fork: what both share is computed once.
///
/// Crates of operations add their verbs as extension traits over [`Chain::then`]: `photo.resize(..).webp(82)`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Chain {
    pub(super) end: Arc<Node>,
    /// The first mistake in this branch.
    pub(super) mistake: Option<Arc<Mistake>>,
}

#[derive(Debug)]
pub(super) enum Node {
    Main,
    Input(Source),
    Step {
        op: &'static str,
        v: u32,
        with: Map<String, Value>,
        from: Vec<Arc<Self>>,
        on_error: Policy,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Policy {
    Fail,
    Skip,
    Fallback(Arc<Node>),
}

/// An error that clones: branches share it.
#[derive(Debug)]
pub(super) struct Mistake(pub(super) crate::Failure);

impl Chain {
    pub(super) fn main() -> Self {
        Self { end: Arc::new(Node::Main), mistake: None }
    }

    /// Begins at another source: a logo to lay over, a clip to append.
    pub fn source(source: impl Into<Source>) -> Self {
        Self { end: Arc::new(Node::Input(source.into())), mistake: None }
    }

    /// With one more step.
    pub fn then<O: Operation>(self, op: O) -> Self {
        self.then_with(op, [])
    }

    /// With one more step, which takes from these other branches too.
    pub fn then_with<O: Operation>(
        mut self,
        op: O,
        others: impl IntoIterator<Item = Self>,
    ) -> Self {
        let mut from = vec![Arc::clone(&self.end)];
        for other in others {
            self.mistake = self.mistake.or(other.mistake);
            from.push(other.end);
        }
        let op = AnyOperation::new(op);
        let with = self.note(op.validate().and_then(|()| object(&op))).unwrap_or_default();
        self.end = Arc::new(Node::Step {
            op: op.kind(),
            v: op.version(),
            with,
            from,
            on_error: Policy::Fail,
        });
        self
    }

    /// If the last step fails, only the outputs that hang on it fail.
    pub fn or_skip(self) -> Self {
        self.on_error(Policy::Skip)
    }

    /// If the last step fails, this branch is used in its place.
    pub fn or_else(mut self, other: Self) -> Self {
        self.mistake = self.mistake.or(other.mistake);
        self.on_error(Policy::Fallback(other.end))
    }

    fn on_error(mut self, policy: Policy) -> Self {
        match &*self.end {
            Node::Step { op, v, with, from, .. } => {
                let (op, v, with, from) = (*op, *v, with.clone(), from.clone());
                self.end = Arc::new(Node::Step { op, v, with, from, on_error: policy });
            }
            Node::Main | Node::Input(_) => {
                let _ = self.note::<()>(Err(Error::input(
                    "spec.on_error",
                    "a source has no error policy",
                )
                .help("call `or_skip` or `or_else` right after the step that it is for")));
            }
        }
        self
    }

    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistake.get_or_insert_with(|| Arc::new(Mistake((&error).into())));
                None
            }
        }
    }
}

fn object(op: &AnyOperation) -> Result<Map<String, Value>> {
    match op.params()? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(Error::internal("op.params", "the parameters of an operation are a JSON object")
            .with("op", op.kind())),
    }
}
