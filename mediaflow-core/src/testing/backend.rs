use crate::backend::{Backend, Group};
use crate::media::{Format, Media, MediaFile};
use crate::operation::Inputs;
use crate::plan::Demand;
use crate::wait::Ran;
use crate::{ErrorKind, Limits};

/// The conformance suite of [`Backend`]: `samples` are files of formats that it reads, one at least.
///
/// Checks that it probes them, that a broken, an empty and a foreign file are typed errors, that its plan for decoding a
/// sample explains itself and can be cancelled, and that a sample passes its own verification.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_backend(backend: &dyn Backend, samples: &[MediaFile]) {
    let (name, limits) = (backend.name(), Limits::default());
    assert!(!name.is_empty(), "a backend has a name");
    assert!(!samples.is_empty(), "{name}: a sample is needed");
    for sample in samples {
        let shown = sample.name();
        assert!(
            backend.capability().formats.contains(sample.format()),
            "{name}: must read {}",
            sample.format()
        );
        let info =
            backend.probe(sample, &limits).await.unwrap_or_else(|e| panic!("{name}: {shown}: {e}"));
        assert_eq!(info.format, *sample.format(), "{name}: {shown}");
        let again = backend.probe(sample, &limits).await.expect("a second probe");
        assert_eq!(info, again, "{name}: two probes of {shown} differ");
        let found = backend.verify(sample, &info, &super::context()).await;
        found.unwrap_or_else(|e| panic!("{name}: {shown} does not pass verification: {e}"));

        let broken = broken(sample);
        let error = match backend.probe(&broken, &limits).await {
            Err(error) => error,
            Ok(info) => backend
                .verify(&broken, &info, &super::context())
                .await
                .expect_err("a broken file must be found out"),
        };
        assert!(
            matches!(error.kind(), ErrorKind::Input | ErrorKind::Limit),
            "{name}: broken {shown}: {error:?}"
        );
        cancelled(backend, sample).await;
    }
    let foreign =
        MediaFile::new("foreign", Format::named("nothing-known"), b"nothing known".to_vec().into());
    backend.probe(&foreign, &limits).await.expect_err("a foreign format must be refused");
}

/// The first third of it: enough for most headers, too little for the content.
fn broken(sample: &MediaFile) -> MediaFile {
    let third = usize::try_from(sample.blob().len() / 3).unwrap_or(usize::MAX);
    let head = sample.blob().head(third).expect("a sample must be readable");
    MediaFile::new("broken", sample.format().clone(), head.into())
}

async fn cancelled(backend: &dyn Backend, sample: &MediaFile) {
    let info = backend.probe(sample, &Limits::default()).await.expect("probe");
    let group =
        Group::new(Limits::default()).with_input("source", info, Demand::FULL).with_exit("source");
    // A backend that gives out no decoded media has nothing to cancel here.
    let Ok(plan) = backend.plan(&group) else { return };
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
