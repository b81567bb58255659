use crate::backend::{Backend, Group};
use crate::media::{Media, MediaFile, MediaInfo};
use crate::operation::{AnyOperation, Inputs};
use crate::plan::Demand;
use crate::wait::Ran;
use crate::{ErrorKind, Limits};

/// The conformance suite of [`Backend`]: `samples` are files that it opens, each with what its reader says of it; one at
/// least, if it opens any.
///
/// Checks that it says the same of itself each time, and that its plan for decoding a sample explains itself and can be
/// cancelled. [`exercise_word`](super::exercise_word)
/// checks the steps that it claims.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_backend(backend: &dyn Backend, samples: &[(MediaFile, MediaInfo)]) {
    let name = backend.name();
    assert!(!name.is_empty(), "a backend has a name");
    let capability = backend.capability();
    let needed = !capability.formats.is_empty();
    assert!(!samples.is_empty() || !needed, "{name}: a sample is needed");
    let again = format!("{:?}", backend.capability());
    assert_eq!(format!("{capability:?}"), again, "{name}: says something else the second time");
    assert!(!capability.kinds.is_empty(), "{name}: claims nothing");
    for (sample, info) in samples {
        assert!(
            capability.formats.contains(sample.format()),
            "{name}: must open {}",
            sample.format()
        );
        if capability.decodes {
            let group = Group::new(Limits::default())
                .with_input("source", info.clone(), Demand::FULL)
                .with_exit("source");
            cancelled(backend, &group, sample).await;
        }
    }
}

async fn cancelled(backend: &dyn Backend, group: &Group, sample: &MediaFile) {
    let plan = backend.plan(group).expect("a plan for decoding");
    assert_eq!(plan.explain().backend, backend.name(), "an explanation names its backend");
    let inputs = Inputs::one(Media::from(sample.clone()));
    let mut outputs =
        match plan.run(inputs, &super::cancelled_context()).await.and_then(Ran::into_outputs) {
            Ok(outputs) => outputs,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{}: {error}", backend.name());
                return;
            }
        };
    let error = outputs.take("source").expect_err("a cancelled plan must not give a result");
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{}: {error}", backend.name());
}

/// Lets a backend do one step on decoded inputs.
pub(super) async fn by_backend(
    backend: &dyn Backend,
    op: &AnyOperation,
    inputs: Inputs,
    infos: &[MediaInfo],
) -> crate::Result<Media> {
    let names: Vec<String> = (0..infos.len()).map(|index| format!("in-{index}")).collect();
    let mut group = Group::new(Limits::default());
    for (name, info) in names.iter().zip(infos) {
        group = group.with_input(name, info.clone(), Demand::FULL);
    }
    let from: Vec<&str> = names.iter().map(String::as_str).collect();
    let group = group.with_step("step", op.clone(), &from)?.with_exit("step");
    let mut given = Inputs::new();
    for (index, name) in names.iter().enumerate() {
        given = given.and(name, inputs.get(index)?.clone());
    }
    let ran = backend.plan(&group)?.run(given, &super::context()).await?;
    ran.into_outputs()?.take("step")
}
