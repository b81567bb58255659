//! A step of a pipeline: its parameters, which can run.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::media::{Media, MediaInfo};
use crate::plan::{CostClass, Demand, Estimate};
use crate::{Error, Result, RunContext};

/// A step. The type *is* its parameters: a serde struct that can run.
///
/// [`run`](Operation::run) is the whole contract of a custom step: media in, media out, idempotent. The rest has
/// defaults that are right, if not optimal: a step that tells the planner its [`demand`](Operation::demand) lets the
/// source be decoded smaller; one that does not gets its input in full.
///
/// ```
/// use mediaflow_core::media::{Image, Media};
/// use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result, async_trait};
/// use serde::{Deserialize, Serialize};
///
/// /// Keeps the darkest tones and clips the rest.
/// #[derive(Debug, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Posterize {
///     levels: u8,
/// }
///
/// #[async_trait]
/// impl Operation for Posterize {
///     const KIND: &'static str = "acme.posterize";
///
///     async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
///         let image = inputs.into_first()?.into_image()?;
///         let step = 255 / self.levels.max(1);
///         let image = cx
///             .cpu(move |cx| {
///                 cx.check()?;
///                 let (width, height, channels) = (image.width(), image.height(), image.channels());
///                 let pixels = image.into_pixels().iter().map(|value| value / step * step).collect();
///                 Image::new(width, height, channels, pixels)
///             })
///             .await?;
///         Ok(Outputs::one(image))
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an operation",
    note = "derive `Serialize`, `Deserialize` and `Debug`, then implement `Operation` with a `KIND` and `run`"
)]
pub trait Operation: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The wire name, `domain.verb`: chosen, never changed, never derived from a Rust name.
    const KIND: &'static str;
    /// The version of the parameters. Raise it when an old spec would mean something else; add [`Operation::upgrade`].
    const VERSION: u32 = 1;
    /// Earlier wire names, still understood.
    const ALIASES: &'static [&'static str] = &[];
    /// Whether inputs come as pixels or as encoded files.
    const TAKES: Takes = Takes::Decoded;

    /// Does the work. May run twice; must give the same result and leave nothing behind when it fails.
    ///
    /// # Errors
    /// Whatever goes wrong. The kind decides on a retry: `input` is final, `transient` is tried again.
    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs>;

    /// Checks the parameters, without looking at anything else. Called at submit and again before the work.
    ///
    /// # Errors
    /// The first parameter that makes no sense.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// What the result will be, given what the first input is. Default: the same.
    ///
    /// # Errors
    /// The step can not be applied to such an input.
    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        Ok(input.clone())
    }

    /// How much of its first input is needed so that `wanted` of its result can be had. Default: all of it.
    fn demand(&self, _wanted: Demand, _input: &MediaInfo) -> Demand {
        Demand::FULL
    }

    /// Which kind of work it is where it runs by itself; where a backend claims it, that says so. Default: `image`.
    fn class() -> CostClass {
        CostClass::Image
    }

    /// What it will cost. Default: room for the input and one copy of it.
    fn estimate(&self, input: &MediaInfo) -> Estimate {
        Estimate::cpu(input.pixels() * 8)
    }

    /// Turns parameters of an earlier version into today's. Only called for versions below [`Operation::VERSION`].
    ///
    /// # Errors
    /// Default: no earlier version is understood.
    fn upgrade(from: u32, _with: Value) -> Result<Value> {
        Err(Error::unsupported(
            "spec.version",
            "parameters of this version are no longer understood",
        )
        .with("op", Self::KIND)
        .with("version", from))
    }

    /// The JSON Schema of the parameters. Default: none, so the schema of the spec leaves them open.
    fn schema() -> Option<Schema> {
        None
    }
}

/// The JSON Schema of a type that derives it: the one-line body of [`Operation::schema`].
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Option<Schema> {
    Some(schemars::schema_for!(T))
}

/// In which form a step wants its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Takes {
    /// Pixels; the planner sees to the decoding.
    Decoded,
    /// Encoded files as they are: a virus scan, a checksum, a remux.
    Encoded,
}

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
        "spec.inputs",
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

    /// Takes the result of this name out.
    ///
    /// # Errors
    /// The result's own error, or `plan.no_result` if there is none of this name.
    pub fn take(&mut self, name: &str) -> Result<Media> {
        match self.0.iter().position(|(n, _)| n == name) {
            Some(index) => self.0.swap_remove(index).1,
            None => {
                Err(Error::internal("plan.no_result", "a step gave no result").with("step", name))
            }
        }
    }
}

/// What a running operation can see and use: a [`RunContext`], and the name of the step.
#[derive(Clone, Debug)]
pub struct OpContext {
    run: RunContext,
    step: Arc<str>,
}

impl OpContext {
    /// For the step of this name.
    #[must_use]
    pub fn new(run: RunContext, step: &str) -> Self {
        Self { run, step: step.into() }
    }

    /// The name of the step in its pipeline.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }
}

impl Deref for OpContext {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}

/// An operation whose type is known only at run time.
#[derive(Clone)]
pub struct AnyOperation(Arc<dyn Erased>);

impl AnyOperation {
    /// Erases the type.
    #[must_use]
    pub fn new<O: Operation>(operation: O) -> Self {
        Self(Arc::new(operation))
    }

    /// The wire name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.0.kind()
    }

    /// The version of the parameters.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.0.version()
    }

    /// In which form it wants its inputs.
    #[must_use]
    pub fn takes(&self) -> Takes {
        self.0.takes()
    }

    /// The parameters as JSON.
    ///
    /// # Errors
    /// `op.params` if they do not serialise.
    pub fn params(&self) -> Result<Value> {
        self.0.params()
    }

    /// See [`Operation::validate`]; the error names the operation.
    ///
    /// # Errors
    /// The first parameter that makes no sense.
    pub fn validate(&self) -> Result<()> {
        self.0.validate_erased().map_err(|e| e.with("op", self.kind()))
    }

    /// See [`Operation::describe`]; the error names the operation.
    ///
    /// # Errors
    /// The step can not be applied to such an input.
    pub fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        self.0.describe_erased(input).map_err(|e| e.with("op", self.kind()))
    }

    /// See [`Operation::demand`].
    #[must_use]
    pub fn demand(&self, wanted: Demand, input: &MediaInfo) -> Demand {
        self.0.demand_erased(wanted, input)
    }

    /// See [`Operation::estimate`].
    #[must_use]
    pub fn estimate(&self, input: &MediaInfo) -> Estimate {
        self.0.estimate_erased(input)
    }

    /// See [`Operation::run`]; the error names the operation and the step.
    ///
    /// # Errors
    /// What the operation gives.
    pub async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        self.0
            .run_erased(inputs, cx)
            .await
            .map_err(|e| e.with("op", self.kind()).with("step", cx.step()))
    }

    /// The operation itself, if it is an `O`.
    #[must_use]
    pub fn downcast_ref<O: Operation>(&self) -> Option<&O> {
        self.0.as_any().downcast_ref()
    }
}

impl fmt::Debug for AnyOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
trait Erased: fmt::Debug + Send + Sync {
    fn kind(&self) -> &'static str;
    fn version(&self) -> u32;
    fn takes(&self) -> Takes;
    fn params(&self) -> Result<Value>;
    fn validate_erased(&self) -> Result<()>;
    fn describe_erased(&self, input: &MediaInfo) -> Result<MediaInfo>;
    fn demand_erased(&self, wanted: Demand, input: &MediaInfo) -> Demand;
    fn estimate_erased(&self, input: &MediaInfo) -> Estimate;
    async fn run_erased(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs>;
    fn as_any(&self) -> &dyn std::any::Any;
}

#[async_trait]
impl<O: Operation> Erased for O {
    fn kind(&self) -> &'static str {
        O::KIND
    }

    fn version(&self) -> u32 {
        O::VERSION
    }

    fn takes(&self) -> Takes {
        O::TAKES
    }

    fn params(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|e| {
            Error::internal("op.params", "the parameters can not be written as JSON")
                .with("op", O::KIND)
                .because(e)
        })
    }

    fn validate_erased(&self) -> Result<()> {
        self.validate()
    }

    fn describe_erased(&self, input: &MediaInfo) -> Result<MediaInfo> {
        self.describe(input)
    }

    fn demand_erased(&self, wanted: Demand, input: &MediaInfo) -> Demand {
        self.demand(wanted, input)
    }

    fn estimate_erased(&self, input: &MediaInfo) -> Estimate {
        self.estimate(input)
    }

    async fn run_erased(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        self.run(inputs, cx).await
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
