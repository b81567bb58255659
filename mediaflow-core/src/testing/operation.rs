use serde_json::Value;

use crate::media::Media;
use crate::operation::{AnyOperation, Inputs, OpContext, Operation, Outputs};
use crate::{ErrorKind, Registry};

/// The conformance suite of [`Operation`]: `operation` has valid parameters, and `inputs` are media that it takes.
///
/// Checks the wire name, that the parameters come back from JSON as they were and refuse unknown fields, that two runs
/// give the same result, that the result is what `describe` promised, and that a cancelled job stops.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_operation<O: Operation>(operation: O, inputs: Inputs) {
    let kind = O::KIND;
    check_kind(kind);
    let operation = AnyOperation::new(operation);
    operation
        .validate()
        .unwrap_or_else(|e| panic!("{kind}: the example's parameters must be valid: {e}"));

    let mut registry = Registry::new();
    registry.operation::<O>();
    let params = operation.params().expect("parameters must serialise");
    let Value::Object(params) = params else {
        panic!("{kind}: parameters must be a JSON object, not {params}")
    };
    let again = registry
        .parse(kind, O::VERSION, &params)
        .unwrap_or_else(|e| panic!("{kind}: does not read back: {e}"));
    assert_eq!(
        again.params().expect("params"),
        Value::Object(params.clone()),
        "{kind}: parameters change on the wire"
    );

    let mut misspelt = params;
    misspelt.insert("no_such_parameter".to_owned(), Value::Bool(true));
    let error = registry
        .parse(kind, O::VERSION, &misspelt)
        .expect_err("unknown parameters must be refused");
    assert_eq!(error.code(), "spec.params", "{kind}: add #[serde(deny_unknown_fields)]");

    let info = inputs.get(0).expect("an example input").info();
    let described = operation
        .describe(&info)
        .unwrap_or_else(|e| panic!("{kind}: describe refuses the example: {e}"));
    let first = run(&operation, inputs.clone()).await;
    let second = run(&operation, inputs.clone()).await;
    assert!(same(&first, &second), "{kind}: two runs must give the same result");
    if let Media::Image(image) = &first {
        let promised = (described.width, described.height);
        assert_eq!(
            (image.width(), image.height()),
            promised,
            "{kind}: the result must have the size that `describe` gives"
        );
    }

    let cancelled = OpContext::new(super::cancelled_context(), "cancelled");
    if let Err(error) = operation.run(inputs, &cancelled).await {
        assert_eq!(
            error.kind(),
            ErrorKind::Cancelled,
            "{kind}: a cancelled job must end as cancelled, not with: {error}"
        );
    }
}

pub(super) fn check_kind(kind: &str) {
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let parts: Vec<_> = kind.split('.').collect();
    assert!(
        parts.len() == 2 && parts.iter().all(|p| part(p)),
        "a kind is written `domain.verb`, not `{kind}`"
    );
}

async fn run(operation: &AnyOperation, inputs: Inputs) -> Media {
    let kind = operation.kind();
    let cx = OpContext::new(super::context(), "step");
    let mut outputs: Outputs =
        operation.run(inputs, &cx).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
    outputs.take(Outputs::MAIN).unwrap_or_else(|e| panic!("{kind}: gives no result `main`: {e}"))
}

fn same(first: &Media, second: &Media) -> bool {
    match (first, second) {
        (Media::Image(a), Media::Image(b)) => a.width() == b.width() && a.pixels() == b.pixels(),
        (Media::File(a), Media::File(b)) => {
            let read = |file: &crate::media::MediaFile| {
                file.blob().read(u64::MAX).expect("a result must be readable")
            };
            a.format() == b.format() && read(a) == read(b)
        }
        _ => false,
    }
}
