use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Arity, Inputs, OpContext, Operation, Outputs, Run, Takes};
use crate::codes;
use crate::media::{Format, MediaInfo, Medium};
use crate::plan::{Demand, Estimate};
use crate::{Error, Result};

/// An operation whose type is known only at run time.
#[derive(Clone)]
pub struct AnyOperation {
    word: Arc<dyn Word>,
    runs: Option<Arc<dyn Runs>>,
}

impl AnyOperation {
    /// Erases the type of a word whose work is a backend's.
    #[must_use]
    pub fn new<O: Operation>(operation: O) -> Self {
        Self { word: Arc::new(operation), runs: None }
    }

    /// Erases the type of an operation that can run by itself.
    #[must_use]
    pub fn running<O: Run>(operation: O) -> Self {
        let operation = Arc::new(operation);
        let word: Arc<dyn Word> = Arc::clone(&operation) as _;
        Self { word, runs: Some(operation) }
    }

    /// The wire name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.word.kind()
    }

    /// The version of the parameters.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.word.version()
    }

    /// What its first input can be; empty for anything. One that does not say so is for what has the form that it
    /// [takes](Run::TAKES).
    #[must_use]
    pub fn media(&self) -> &'static [Medium] {
        match (self.word.media(), &self.runs) {
            ([], Some(runs)) => runs.takes().media(),
            (media, _) => media,
        }
    }

    /// Whether its first input can be of this medium.
    #[must_use]
    pub fn takes_medium(&self, medium: Medium) -> bool {
        self.media().is_empty() || self.media().contains(&medium)
    }

    /// See [`Operation::gives`].
    #[must_use]
    pub fn gives(&self, input: Medium) -> Medium {
        self.word.gives_erased(input)
    }

    /// See [`Operation::writes`].
    #[must_use]
    pub fn writes(&self) -> Option<Format> {
        self.word.writes_erased()
    }

    /// See [`Operation::arity`].
    #[must_use]
    pub fn arity(&self) -> Arity {
        self.word.arity_erased()
    }

    /// The parameters as JSON.
    ///
    /// # Errors
    /// `op.params` if they do not serialise.
    pub fn params(&self) -> Result<Value> {
        self.word.params()
    }

    /// See [`Operation::validate`]; the error names the operation.
    ///
    /// # Errors
    /// The first parameter that makes no sense.
    pub fn validate(&self) -> Result<()> {
        self.word.validate_erased().map_err(|e| e.with("op", self.kind()))
    }

    /// See [`Operation::describe`]; the error names the operation.
    ///
    /// # Errors
    /// `spec.inputs` for a wrong number of inputs, `plan.medium` for a first one that it is not for, or what the operation
    /// says.
    pub fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let described = self.arity().check(inputs.len()).and_then(|()| {
            match inputs.first().filter(|input| !self.takes_medium(input.medium)) {
                Some(input) => Err(self.not_for(input.medium)),
                None => self.word.describe_erased(inputs),
            }
        });
        described.map_err(|e| e.with("op", self.kind()))
    }

    /// See [`Operation::demand`]: one for each input.
    #[must_use]
    pub fn demand(&self, wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        let mut demands = self.word.demand_erased(wanted, inputs);
        demands.resize(inputs.len(), Demand::FULL);
        demands
    }

    /// Whether it can run by itself.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.runs.is_some()
    }

    /// In which form it wants its inputs when it runs by itself.
    #[must_use]
    pub fn takes(&self) -> Takes {
        self.runs.as_ref().map_or(Takes::Decoded, |runs| runs.takes())
    }

    /// See [`Run::estimate`]; nothing if it can not run by itself.
    #[must_use]
    pub fn estimate(&self, inputs: &[MediaInfo]) -> Estimate {
        self.runs.as_ref().map_or(Estimate::cpu(0), |runs| runs.estimate_erased(inputs))
    }

    /// See [`Run::run`]; the error names the operation and the step.
    ///
    /// # Errors
    /// `op.not_run` if it can not run by itself, or what the operation gives.
    pub async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let ran = match &self.runs {
            Some(runs) => runs.run_erased(inputs, cx).await,
            None => {
                Err(Error::unsupported(codes::OP_NOT_RUN, "the operation is done by backends only"))
            }
        };
        ran.map_err(|e| e.with("op", self.kind()).with("step", cx.step()))
    }

    /// The operation itself, if it is an `O`.
    #[must_use]
    pub fn downcast_ref<O: Operation>(&self) -> Option<&O> {
        self.word.as_any().downcast_ref()
    }

    /// The error of a first input that it is not for.
    pub(crate) fn not_for(&self, medium: Medium) -> Error {
        let media: Vec<_> = self.media().iter().map(|medium| medium.to_string()).collect();
        let what = format!("`{}` is for {}, not for {medium}", self.kind(), media.join(", "));
        let error = Error::input(codes::PLAN_MEDIUM, what);
        match medium {
            Medium::Video if self.media().contains(&Medium::Still) => {
                error.help("take a picture from the video first, with `poster`")
            }
            _ => error,
        }
    }
}

impl fmt::Debug for AnyOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.word.fmt(f)
    }
}

trait Word: fmt::Debug + Send + Sync {
    fn kind(&self) -> &'static str;
    fn version(&self) -> u32;
    fn media(&self) -> &'static [Medium];
    fn gives_erased(&self, input: Medium) -> Medium;
    fn writes_erased(&self) -> Option<Format>;
    fn arity_erased(&self) -> Arity;
    fn params(&self) -> Result<Value>;
    fn validate_erased(&self) -> Result<()>;
    fn describe_erased(&self, inputs: &[MediaInfo]) -> Result<MediaInfo>;
    fn demand_erased(&self, wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand>;
    fn as_any(&self) -> &dyn Any;
}

impl<O: Operation> Word for O {
    fn kind(&self) -> &'static str {
        O::KIND
    }

    fn version(&self) -> u32 {
        O::VERSION
    }

    fn media(&self) -> &'static [Medium] {
        O::MEDIA
    }

    fn gives_erased(&self, input: Medium) -> Medium {
        self.gives(input)
    }

    fn writes_erased(&self) -> Option<Format> {
        self.writes()
    }

    fn arity_erased(&self) -> Arity {
        self.arity()
    }

    fn params(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|e| {
            Error::internal(codes::OP_PARAMS, "the parameters can not be written as JSON")
                .with("op", O::KIND)
                .because(e)
        })
    }

    fn validate_erased(&self) -> Result<()> {
        self.validate()
    }

    fn describe_erased(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        self.describe(inputs)
    }

    fn demand_erased(&self, wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        self.demand(wanted, inputs)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
trait Runs: Send + Sync {
    fn takes(&self) -> Takes;
    fn estimate_erased(&self, inputs: &[MediaInfo]) -> Estimate;
    async fn run_erased(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs>;
}

#[async_trait]
impl<O: Run> Runs for O {
    fn takes(&self) -> Takes {
        O::TAKES
    }

    fn estimate_erased(&self, inputs: &[MediaInfo]) -> Estimate {
        self.estimate(inputs)
    }

    async fn run_erased(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        self.run(inputs, cx).await
    }
}
