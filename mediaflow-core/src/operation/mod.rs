//! A step of a pipeline: a word with parameters, and, for a custom step, how it runs.
//!
//! Uses: codes, context, error, media, plan.

mod any;
mod arity;
mod inputs;
mod run;

use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use any::AnyOperation;
pub use arity::Arity;
pub use inputs::{Inputs, Outputs};
pub use run::{OpContext, Run, Takes};

use crate::codes;
use crate::media::{Format, MediaInfo, Medium};
use crate::plan::Demand;
use crate::{Error, Result};

/// A word with parameters: `resize`, `jpeg`, `trim`. The type *is* its parameters, a serde struct; its functions are pure.
///
/// What is said here is what planning needs to know. The work is done by a [`Backend`](crate::backend::Backend) that
/// claims the word for the medium at hand, or by the operation itself if it implements [`Run`], too.
///
/// Inputs are described as the step gets them: decoded and upright. A step behind an encoder, or one that
/// [takes](Run::TAKES) encoded files, gets the file as it is.
///
/// ```
/// use mediaflow_core::media::{MediaInfo, Medium};
/// use mediaflow_core::plan::Demand;
/// use mediaflow_core::{Operation, Result};
/// use serde::{Deserialize, Serialize};
///
/// /// Keeps every second row.
/// #[derive(Debug, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Interlace {}
///
/// impl Operation for Interlace {
///     const KIND: &'static str = "acme.interlace";
///     const MEDIA: &'static [Medium] = &[Medium::Still];
///
///     fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
///         let input = &inputs[0];
///         Ok(input.clone().with_size(input.width, input.height.div_ceil(2)))
///     }
///
///     fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
///         vec![wanted]
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an operation",
    note = "derive `Serialize`, `Deserialize` and `Debug`, then implement `Operation` with a `KIND`"
)]
pub trait Operation: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The wire name: chosen, never changed, never derived from a Rust name. Kinds of your own are `yourname.verb`.
    const KIND: &'static str;
    /// The version of the parameters. Raise it when an old spec would mean something else; add [`Operation::upgrade`].
    const VERSION: u32 = 1;
    /// Earlier wire names, still understood.
    const ALIASES: &'static [&'static str] = &[];
    /// What its first input can be. Default, and if empty: anything.
    const MEDIA: &'static [Medium] = &[];

    /// How many inputs it takes. Checked at submit. Default: one.
    fn arity(&self) -> Arity {
        Arity::Exactly(1)
    }

    /// Checks the parameters, without looking at anything else. Called at submit and again before the work.
    ///
    /// # Errors
    /// The first parameter that makes no sense.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// What the result is, for a first input of this medium. Default: the same.
    fn gives(&self, input: Medium) -> Medium {
        input
    }

    /// The format of the file that it writes, if it is an encoder. Default: it writes none.
    fn writes(&self) -> Option<Format> {
        None
    }

    /// The formats that it may write, whatever its parameters are: no other format is written under an ending of theirs. Needed
    /// for a format that neither core nor a reader knows. Default: none.
    fn formats() -> Vec<Format> {
        Vec::new()
    }

    /// What the result will be, given what the inputs are: as many as [`Operation::arity`] allows. Default: the same as the
    /// first.
    ///
    /// # Errors
    /// The step can not be applied to such inputs. Default: a generator has to say what it makes.
    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        inputs.first().cloned().ok_or_else(|| {
            Error::internal(
                codes::OP_DESCRIBE,
                "an operation without inputs does not say what it makes",
            )
            .with("op", Self::KIND)
        })
    }

    /// How much of each input is needed so that `wanted` of the result can be had. Default: all of each. What is left out at
    /// the end is taken for all.
    fn demand(&self, _wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL; inputs.len()]
    }

    /// Turns parameters of an earlier version into today's. Only called for versions below [`Operation::VERSION`].
    ///
    /// # Errors
    /// Default: no earlier version is understood.
    fn upgrade(from: u32, _with: Value) -> Result<Value> {
        Err(Error::unsupported(
            codes::SPEC_VERSION,
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
