use async_trait::async_trait;
use serde_json::Value;

use crate::job::{Job, PlanContext, Prober};
use crate::media::MediaInfo;
use crate::spec::{JobSpec, Source};
use crate::{Limits, Registry, Result};

/// The conformance suite of [`Job`]: `job` has valid parameters, and every source that it looks at is what `info` says.
///
/// Checks that it comes back from JSON as it was and refuses unknown fields, and that it plans the same valid pipeline
/// twice.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_job<J: Job>(job: J, info: MediaInfo) {
    let kind = J::KIND;
    let spec = JobSpec::new(&job).unwrap_or_else(|e| panic!("{kind}: {e}"));
    let stored = serde_json::to_string(&spec).expect("a spec serialises");
    assert_eq!(JobSpec::from_json(&stored).expect("a spec reads back"), spec);

    let mut registry = Registry::new();
    if kind != "pipeline" {
        registry.job::<J>();
    }
    let mut misspelt = spec.clone();
    let Value::Object(with) = &mut misspelt.with else {
        panic!("{kind}: parameters must be a JSON object")
    };
    with.insert("no_such_parameter".to_owned(), Value::Bool(true));
    let error = registry
        .check_spec(&misspelt, &Limits::default())
        .expect_err("unknown parameters must be refused");
    assert_eq!(error.code(), "spec.params", "{kind}: add #[serde(deny_unknown_fields)]");

    let known = Known(info);
    let cx = PlanContext::new(&known);
    let first = registry.plan_job(&spec, &cx).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
    let second = registry.plan_job(&spec, &cx).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
    assert_eq!(first, second, "{kind}: two plans of the same job must be the same");
    first
        .validate(&Limits::default())
        .unwrap_or_else(|e| panic!("{kind}: plans a wrong pipeline: {e}"));
}

#[derive(Debug)]
struct Known(MediaInfo);

#[async_trait]
impl Prober for Known {
    async fn probe(&self, _source: &Source) -> Result<MediaInfo> {
        Ok(self.0.clone())
    }
}
