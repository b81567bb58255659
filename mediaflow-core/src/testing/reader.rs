use super::media::check_frames;
use crate::media::{Format, Media, MediaFile};
use crate::plan::Demand;
use crate::reader::Reader;
use crate::{ErrorKind, Registry};

/// The conformance suite of [`Reader`]: `samples` are files of formats that it knows, one at least.
///
/// Checks that it recognises and probes them, that a broken, an empty and a foreign file are typed errors, that a sample
/// passes its own verification, and that what it decodes (a picture, frames, pages) is as it said, and can be cancelled.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_reader<R: Reader + Clone>(reader: &R, samples: &[MediaFile]) {
    let (name, cx) = (reader.name(), super::context());
    assert!(!name.is_empty(), "a reader has a name");
    assert!(!samples.is_empty(), "{name}: a sample is needed");
    let mut registry = Registry::new();
    registry.reader(reader.clone());
    for sample in samples {
        let shown = sample.name();
        let head = sample.blob().head(Format::SNIFF_BYTES).expect("a sample must be readable");
        let known = registry.format(sample.format());
        assert!(known.is_some(), "{name}: must know {}", sample.format());
        let sniffed = registry.sniff(&head);
        assert_eq!(sniffed.as_ref(), Some(sample.format()), "{name}: {shown} is not recognised");

        let info = reader.probe(sample, &cx).await;
        let info = info.unwrap_or_else(|e| panic!("{name}: {shown}: {e}"));
        assert_eq!(info.format, *sample.format(), "{name}: {shown}");
        let again = reader.probe(sample, &cx).await.expect("a second probe");
        assert_eq!(info, again, "{name}: two probes of {shown} differ");
        let found = reader.verify(sample, &info, &cx).await;
        found.unwrap_or_else(|e| panic!("{name}: {shown} does not pass verification: {e}"));

        let broken = broken(sample);
        let error = match reader.probe(&broken, &cx).await {
            Err(error) => error,
            Ok(info) => {
                let found = reader.verify(&broken, &info, &cx).await;
                found.expect_err("a broken file must be found out")
            }
        };
        assert!(
            matches!(error.kind(), ErrorKind::Input | ErrorKind::Limit),
            "{name}: broken {shown}: {error:?}"
        );
        decoded(reader, sample).await;
    }
    let foreign =
        MediaFile::new("foreign", Format::named("nothing-known"), b"nothing known".to_vec().into());
    reader.probe(&foreign, &cx).await.expect_err("a foreign format must be refused");
}

/// The first third of it: enough for most headers, too little for the content.
fn broken(sample: &MediaFile) -> MediaFile {
    let third = usize::try_from(sample.blob().len() / 3).unwrap_or(usize::MAX);
    let head = sample.blob().head(third).expect("a sample must be readable");
    MediaFile::new("broken", sample.format().clone(), head.into())
}

async fn decoded(reader: &impl Reader, sample: &MediaFile) {
    let (name, shown, cx) = (reader.name(), sample.name(), super::context());
    let info = reader.probe(sample, &cx).await.expect("probe");
    match reader.decode(sample, Demand::FULL, &cx).await {
        Ok(Media::Image(image)) => {
            let found = (image.width(), image.height());
            assert_eq!(found, (info.width, info.height), "{name}: {shown} is decoded upright");
        }
        Ok(Media::Frames(frames)) => {
            let found = (frames.width(), frames.height());
            assert_eq!(found, (info.width, info.height), "{name}: {shown} is decoded upright");
            let count = check_frames(name, &frames).await;
            let said = info.frames;
            assert!(said == 0 || said == count, "{name}: {shown} has {count} frames, not {said}");
        }
        Ok(Media::Pages(pages)) => {
            assert_eq!(
                info.pages,
                u64::from(pages.count()),
                "{name}: {shown}: the number of pages"
            );
        }
        Ok(_) => {}
        // It leaves its files to a backend.
        Err(error) => return assert_eq!(error.code(), "reader.not_decoded", "{name}: {error}"),
    }
    let cancelled = reader.decode(sample, Demand::FULL, &super::cancelled_context()).await;
    let error = cancelled.expect_err("a cancelled decode must not give a result");
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{name}: {error}");
}
