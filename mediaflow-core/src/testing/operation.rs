use serde_json::Value;

use super::backend::by_backend;
use super::media::{check_made, same};
use crate::backend::Backend;
use crate::media::{Media, MediaInfo};
use crate::operation::{AnyOperation, Inputs, OpContext, Operation, Outputs, Run};
use crate::{ErrorKind, Registry};

/// The conformance suite of [`Run`]: `operation` has valid parameters, and `inputs` are media that it takes.
///
/// Checks what [`exercise_word`] checks, that two runs give the same result, that the result is what `describe` promised
/// (a picture, frames, sound, pages, a file, several files or facts), that frames give the same in each pass and can be
/// stopped, and that a cancelled job stops. For one that a backend claims, too, there is [`exercise_agreement`].
///
/// # Panics
/// With what is wrong.
pub async fn exercise_operation<O: Run>(operation: O, inputs: Inputs) {
    let kind = O::KIND;
    let mut registry = Registry::new();
    registry.operation::<O>();
    let operation = AnyOperation::running(operation);
    check_word(&operation, &registry);
    let first = run(&operation, inputs.clone()).await;
    let second = run(&operation, inputs.clone()).await;
    assert!(same(&first, &second).await, "{kind}: two runs must give the same result");
    check_made(&operation, &infos(&inputs), &first).await;

    let cancelled = OpContext::new(super::cancelled_context(), "cancelled");
    if let Err(error) = operation.run(inputs, &cancelled).await {
        assert_eq!(
            error.kind(),
            ErrorKind::Cancelled,
            "{kind}: a cancelled job must end as cancelled, not with: {error}"
        );
    }
}

/// The conformance suite of an operation that `backend` claims and that can run by itself as well: both give the same.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_agreement<O: Run>(operation: O, inputs: Inputs, backend: &dyn Backend) {
    let operation = AnyOperation::running(operation);
    let here = run(&operation, inputs.clone()).await;
    let infos = infos(&inputs);
    let there = claimed(&operation, inputs, backend).await;
    let (kind, name) = (O::KIND, backend.name());
    let agree = same(&here, &there).await;
    assert!(agree, "{kind}: its own run and the backend {name} must give the same");
    check_made(&operation, &infos, &there).await;
}

/// The conformance suite of an [`Operation`] that `backend` does: `operation` has valid parameters, and `inputs` are decoded
/// media that it takes.
///
/// Checks the wire name, that the parameters come back from JSON as they were and refuse unknown fields, that it asks for no
/// more than there is of each input, that the backend gives the same twice, and that this is what `describe` promised.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_word<O: Operation>(operation: O, inputs: Inputs, backend: &dyn Backend) {
    let kind = O::KIND;
    let mut registry = Registry::new();
    if !registry.is_known(kind) {
        registry.word::<O>();
    }
    let operation = AnyOperation::new(operation);
    check_word(&operation, &registry);
    let demands = operation.demand(crate::plan::Demand::FULL, &infos(&inputs));
    assert_eq!(demands.len(), inputs.len(), "{kind}: a demand for each input");
    let first = claimed(&operation, inputs.clone(), backend).await;
    let second = claimed(&operation, inputs.clone(), backend).await;
    assert!(same(&first, &second).await, "{kind}: two runs must give the same result");
    check_made(&operation, &infos(&inputs), &first).await;
}

fn check_word(operation: &AnyOperation, registry: &Registry) {
    let kind = operation.kind();
    check_kind(kind);
    operation
        .validate()
        .unwrap_or_else(|e| panic!("{kind}: the example's parameters must be valid: {e}"));
    let params = operation.params().expect("parameters must serialise");
    let Value::Object(params) = params else {
        panic!("{kind}: parameters must be a JSON object, not {params}")
    };
    let again = registry
        .parse(kind, operation.version(), &params)
        .unwrap_or_else(|e| panic!("{kind}: does not read back: {e}"));
    assert_eq!(
        again.params().expect("params"),
        Value::Object(params.clone()),
        "{kind}: parameters change on the wire"
    );

    let mut misspelt = params;
    misspelt.insert("no_such_parameter".to_owned(), Value::Bool(true));
    let error = registry
        .parse(kind, operation.version(), &misspelt)
        .expect_err("unknown parameters must be refused");
    assert_eq!(error.code(), "spec.params", "{kind}: add #[serde(deny_unknown_fields)]");
}

async fn claimed(operation: &AnyOperation, inputs: Inputs, backend: &dyn Backend) -> Media {
    let (kind, name, infos) = (operation.kind(), backend.name(), infos(&inputs));
    let said = backend.claim(operation, &infos);
    let claims = backend.capability().claims(said, operation, &infos);
    assert!(claims, "{name} does not claim {kind}");
    by_backend(backend, operation, inputs, &infos)
        .await
        .unwrap_or_else(|e| panic!("{kind} by {name}: {e}"))
}

fn infos(inputs: &Inputs) -> Vec<MediaInfo> {
    (0..inputs.len()).map(|index| inputs.get(index).expect("an input").info()).collect()
}

pub(super) fn check_kind(kind: &str) {
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let parts: Vec<_> = kind.split('.').collect();
    assert!(
        parts.len() <= 2 && parts.iter().all(|p| part(p)),
        "a kind is written `yourname.verb`, not `{kind}`"
    );
}

async fn run(operation: &AnyOperation, inputs: Inputs) -> Media {
    let kind = operation.kind();
    let cx = OpContext::new(super::context(), "step");
    let mut outputs: Outputs =
        operation.run(inputs, &cx).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
    outputs.take(Outputs::MAIN).unwrap_or_else(|e| panic!("{kind}: gives no result `main`: {e}"))
}
