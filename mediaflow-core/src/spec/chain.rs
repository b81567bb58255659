use std::sync::Arc;

use serde_json::{Map, Value};

use super::{OnMissing, Source, SourceSet};
use crate::codes;
use crate::media::Format;
use crate::operation::{AnyOperation, Operation};
use crate::{Error, Result};

/// One branch of a pipeline, from a source towards an output. Cloning it makes a fork: what both share is computed once.
///
/// The words of the [vocabulary](crate::ops) are its verbs, and crates of encoders add theirs as extension traits over
/// [`Chain::then`]: `photo.resize((320, 320, Fit::Cover)).webp(82)`. For options that a verb does not take, give it or `then`
/// the step itself: `photo.resize(Resize::cover(320, 320).north())`.
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
    Set(SourceSet),
    Step {
        op: &'static str,
        v: u32,
        with: Map<String, Value>,
        from: Vec<Arc<Self>>,
        on_error: Policy,
        /// The format of the file that it writes.
        writes: Option<Format>,
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

    /// Begins at many equal sources, for a step that takes all of them: the cells of a sheet, the pages of a book. In the key of
    /// one in a storage, `*` stands for any characters but `/`: see [`SourceSet`]. With [`Chain::or_skip`], one that can not be
    /// had is left out.
    pub fn sources(sources: impl IntoIterator<Item = impl Into<Source>>) -> Self {
        Self { end: Arc::new(Node::Set(SourceSet::of(sources))), mistake: None }
    }

    /// Begins with what an operation makes out of its parameters alone: a text, a colour.
    pub fn generate<O: Operation>(op: O) -> Self {
        Self::step(op, Vec::new(), None)
    }

    /// With one more step.
    pub fn then<O: Operation>(self, op: O) -> Self {
        self.then_with(op, [])
    }

    /// With one more step, which takes from these other branches too.
    pub fn then_with<O: Operation>(self, op: O, others: impl IntoIterator<Item = Self>) -> Self {
        let (mut from, mut mistake) = (vec![self.end], self.mistake);
        for other in others {
            mistake = mistake.or(other.mistake);
            from.push(other.end);
        }
        Self::step(op, from, mistake)
    }

    fn step<O: Operation>(op: O, from: Vec<Arc<Node>>, mistake: Option<Arc<Mistake>>) -> Self {
        let op = AnyOperation::new(op);
        let single = from.iter().filter(|node| !matches!(***node, Node::Set(_))).count();
        let checked = op.validate().and_then(|()| {
            let counted = if single == from.len() {
                op.arity().check(single)
            } else {
                op.arity().check_beside_several(single)
            };
            counted.map_err(|e| e.with("op", op.kind()))?;
            object(&op)
        });
        let mut chain = Self { end: Arc::new(Node::Main), mistake };
        let with = chain.note(checked).unwrap_or_default();
        let (on_error, writes) = (Policy::Fail, op.writes());
        let (op, v) = (op.kind(), op.version());
        chain.end = Arc::new(Node::Step { op, v, with, from, on_error, writes });
        chain
    }

    /// If the last step fails, only the outputs that hang on it fail. Of [several sources](Chain::sources), those that can not
    /// be had are left out.
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
            Node::Step { op, v, with, from, writes, .. } => {
                let (op, v, with, from) = (*op, *v, with.clone(), from.clone());
                let (on_error, writes) = (policy, writes.clone());
                self.end = Arc::new(Node::Step { op, v, with, from, on_error, writes });
            }
            Node::Set(set) if matches!(policy, Policy::Skip) => {
                let (of, on_missing) = (set.of.clone(), OnMissing::Skip);
                self.end = Arc::new(Node::Set(SourceSet { of, on_missing }));
            }
            Node::Main | Node::Input(_) | Node::Set(_) => {
                let _ = self.note::<()>(Err(Error::input(
                    codes::SPEC_ON_ERROR,
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
        _ => Err(Error::internal(
            codes::OP_PARAMS,
            "the parameters of an operation are a JSON object",
        )
        .with("op", op.kind())),
    }
}
