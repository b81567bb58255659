use async_trait::async_trait;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::checksum::checksums;
use crate::media::{Facts, MediaInfo, Medium};
use crate::operation::{Inputs, OpContext, Operation, Outputs, Run, Takes, schema_of};
use crate::plan::Estimate;
use crate::spec::Chain;

/// `checksum`: of a file as it is, whatever is in it: to know it again.
///
/// A fact, an object: `{"bytes": 14, "sha256": "1f19970f...", "md5": "bc4be32f..."}`, in hexadecimal. Of outputs the report has both
/// in any case.
///
/// ```
/// use mediaflow_core::spec::Pipeline;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("file", |photo| photo.checksum()).build()?;
/// assert_eq!(asked.facts["file"].from, "checksum");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Checksum {}

/// What it gives.
#[derive(Serialize)]
struct Found {
    bytes: u64,
    sha256: String,
    md5: String,
}

impl Operation for Checksum {
    const KIND: &'static str = "checksum";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(Facts::info())
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

#[async_trait]
impl Run for Checksum {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let blob = inputs.into_first()?.into_file()?.blob().clone();
        let bytes = blob.len();
        let (sha256, md5) = cx.cpu(move |cx| checksums(&blob, cx)).await?;
        Ok(Outputs::one(Facts::new(Found { bytes, sha256, md5 })?))
    }

    /// A buffer.
    fn estimate(&self, _inputs: &[MediaInfo]) -> Estimate {
        Estimate::cpu(1 << 18)
    }
}

impl Chain {
    /// Its [`Checksum`], SHA-256 and MD5: a fact.
    pub fn checksum(self) -> Self {
        self.then(Checksum::default())
    }
}
