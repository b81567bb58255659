use std::collections::{BTreeMap, BTreeSet};

use super::Registry;
use crate::codes;
use crate::media::{Format, Medium};
use crate::operation::AnyOperation;
use crate::spec::{OnError, Pipeline, check_extension};
use crate::{Error, Result};

/// What a source can be.
const SOURCES: [Medium; 6] = [
    Medium::Still,
    Medium::Animation,
    Medium::Video,
    Medium::Audio,
    Medium::Document,
    Medium::File,
];

/// What a step is given, by what the source can be that it hangs on.
type Given = BTreeMap<Medium, Medium>;

impl Registry {
    /// Checks the steps of a pipeline, the endings of its outputs' names, and whether there is any medium of its sources with which each step gets what it is
    /// for, and that somebody here works on.
    pub(super) fn check_media(&self, pipeline: &Pipeline) -> Result<()> {
        let mut given: BTreeMap<&str, (Option<&str>, Given)> = BTreeMap::new();
        let mut left: BTreeMap<&str, (BTreeSet<Medium>, &str)> = BTreeMap::new();
        let mut written: BTreeMap<&str, Format> = BTreeMap::new();
        let strict = pipeline.steps.values().all(|step| step.on_error == OnError::Fail);
        for name in pipeline.ordered()? {
            let step = &pipeline.steps[name];
            let op = self.parse_step(name, step, pipeline)?;
            if let Some(format) = op.writes() {
                written.insert(name, format);
            }
            let Some(main) = step.from.first() else {
                // What a generator makes hangs on no source.
                let made = op.describe(&[]).map_err(|e| e.with("step", name))?.medium;
                given.insert(name, (None, Given::from([(made, made)])));
                continue;
            };
            let whole = || (Some(main.as_str()), SOURCES.map(|medium| (medium, medium)).into());
            let (root, before) = given.get(main.as_str()).cloned().unwrap_or_else(whole);
            let takes = |medium: &Medium| op.takes_medium(*medium) && self.done_on(&op, *medium);
            let after: Given = before
                .iter()
                .filter(|(_, medium)| takes(medium))
                .map(|(source, medium)| (*source, op.gives(*medium)))
                .collect();
            if after.is_empty() {
                return Err(self.nothing_fits(&op, &before).with("step", name));
            }
            if let Some(root) = root.filter(|_| strict) {
                let (media, by) = left.entry(root).or_insert_with(|| (SOURCES.into(), name));
                let both: BTreeSet<_> =
                    media.iter().copied().filter(|medium| after.contains_key(medium)).collect();
                if both.is_empty() {
                    let here = after.keys().copied().collect();
                    let other = (*by, &*media);
                    return Err(self.contradiction(&op, &before, &here, other))
                        .map_err(|e| e.with("step", name).with("source", root));
                }
                if both.len() < media.len() {
                    *by = name;
                }
                *media = both;
            }
            given.insert(name, (root, after));
        }
        for (place, output) in &pipeline.outputs {
            if let Some(format) = written.get(output.from.as_str()) {
                check_extension(place, format, |ending| self.is_named(format, ending))
                    .map_err(|e| e.with("step", &output.from).with("output", place))?;
            }
        }
        Ok(())
    }

    /// Whether the ending of a name, without the dot, may stand for a format: that of another format may not, be it one of
    /// core's or one that is only read or written here.
    pub(crate) fn is_named(&self, format: &Format, ending: &str) -> bool {
        let ending = ending.to_ascii_lowercase();
        let has_it = |known: &Format| known.name() == ending || known.extension() == ending;
        let read = self.formats().any(|(_, spec)| has_it(&spec.format));
        let written = || self.operations.values().flat_map(|known| (known.formats)());
        format.is_named(&ending)
            && (has_it(format) || !(read || written().any(|known| has_it(&known))))
    }

    /// Whether somebody here does this on this medium.
    fn done_on(&self, op: &AnyOperation, medium: Medium) -> bool {
        let mut backends = self.backends_for(op.kind());
        op.can_run() || backends.any(|backend| backend.capability.media.contains(&medium))
    }

    /// The error of a step that nobody does on these media.
    pub(super) fn unclaimed(&self, op: &AnyOperation, on: &[Medium]) -> Error {
        let kind = op.kind();
        let of = if on.is_empty() { String::new() } else { format!(" on {}", listed(on)) };
        let error =
            Error::unsupported(codes::PLAN_UNCLAIMED, format!("nothing here does `{kind}`{of}"))
                .with("op", kind);
        let mut does: Vec<Medium> = self
            .backends_for(kind)
            .flat_map(|known| known.capability.media.iter().copied())
            .filter(|medium| op.takes_medium(*medium))
            .collect();
        does.sort();
        does.dedup();
        if does.is_empty() {
            return error.help("add the backend for it, for instance `.with(video::operations)`");
        }
        error.help(format!(
            "here it is done on {}: add the backend that does it{of}, or give it something else",
            listed(&does)
        ))
    }

    fn nothing_fits(&self, op: &AnyOperation, before: &Given) -> Error {
        let fitting: BTreeSet<_> =
            before.values().copied().filter(|medium| op.takes_medium(*medium)).collect();
        match before.values().next() {
            Some(medium) if fitting.is_empty() => op.not_for(*medium).with("op", op.kind()),
            // What a source is is not known: only that nobody does it on whatever it can be.
            _ if before.len() == SOURCES.len() => self.unclaimed(op, &[]),
            _ => self.unclaimed(op, &fitting.into_iter().collect::<Vec<_>>()),
        }
    }

    /// The error of a step that can be done here on a source of these media only, beside one that needs others.
    fn contradiction(
        &self,
        op: &AnyOperation,
        before: &Given,
        here: &BTreeSet<Medium>,
        (other, media): (&str, &BTreeSet<Medium>),
    ) -> Error {
        let kind = op.kind();
        // With more backends it could be done on what the other one is for.
        let could: BTreeSet<_> = before
            .iter()
            .filter(|(source, given)| media.contains(source) && op.takes_medium(**given))
            .map(|(_, given)| *given)
            .collect();
        let what = format!(
            "one source can not be for all steps: here `{kind}` works on {}, and `{other}` on {}",
            listed(here),
            listed(media)
        );
        let error = Error::input(codes::PLAN_MEDIUM, what).with("op", kind);
        if could.is_empty() {
            return error
                .help("one source is of one medium: make separate jobs, or take a `poster` first");
        }
        error.help(format!("add the backend that does `{kind}` on {}", listed(&could)))
    }
}

/// The names of media, for people.
fn listed<'m>(media: impl IntoIterator<Item = &'m Medium>) -> String {
    media.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
