use super::{cancelled_context, context};
use crate::media::{
    Audio, Bundle, Format, Frame, Frames, Media, MediaFile, MediaInfo, Medium, Pages,
};
use crate::operation::AnyOperation;
use crate::{ErrorKind, Limits, RunContext};

/// Whether two results are the same to their last bit. Of frames and sound every one is pulled.
pub(super) async fn same(first: &Media, second: &Media) -> bool {
    let (first, second) = (first.clone(), second.clone());
    pulling(context(), move |cx| same_now(&first, &second, cx)).await
}

/// Checks that a result is what `describe` promised, and that what is pulled can be pulled again, and stopped.
pub(super) async fn check_made(operation: &AnyOperation, inputs: &[MediaInfo], made: &Media) {
    let kind = operation.kind();
    let described = operation
        .describe(inputs)
        .unwrap_or_else(|e| panic!("{kind}: describe refuses the example: {e}"));
    let medium = |expected| {
        let promised = described.medium;
        assert_eq!(promised, expected, "{kind}: the medium that `describe` gives");
    };
    let size = |width, height| {
        let promised = (described.width, described.height);
        assert_eq!((width, height), promised, "{kind}: the size that `describe` gives");
    };
    match made {
        Media::Image(image) => size(image.width(), image.height()),
        Media::Frames(frames) => {
            medium(Medium::Animation);
            size(frames.width(), frames.height());
            let count = check_frames(kind, frames).await;
            let promised = described.frames;
            assert!(promised == 0 || promised == count, "{kind}: {count} frames, not {promised}");
        }
        Media::Audio(_) => {
            medium(Medium::Audio);
            assert!(same(made, made).await, "{kind}: each pass over sound gives the same");
        }
        Media::Pages(pages) => {
            medium(Medium::Document);
            assert_eq!(described.pages, u64::from(pages.count()), "{kind}: the number of pages");
        }
        Media::File(file) => {
            let promised = (&described.format, operation.writes());
            assert_eq!(promised.0, file.format(), "{kind}: the format that `describe` gives");
            assert!(
                promised.1.is_none_or(|format| format == *file.format()),
                "{kind}: the format that `writes` gives"
            );
        }
        Media::Bundle(bundle) => {
            medium(Medium::Bundle);
            check_bundle(kind, bundle, &described.format);
        }
        Media::Facts(facts) => {
            medium(Medium::Facts);
            let bytes = facts.as_value().to_string().len();
            assert!(bytes <= Limits::default().fact_bytes, "{kind}: {bytes} bytes of facts");
        }
    }
}

/// Checks frames by themselves: each pass gives the same, and ends when the job is cancelled. Gives their number.
pub(super) async fn check_frames(whose: &str, frames: &Frames) -> u64 {
    let media = Media::from(frames.clone());
    assert!(same(&media, &media).await, "{whose}: each pass over frames gives the same");
    let all = frames.clone();
    let count = pulling(context(), move |cx| {
        let (mut pass, mut count) = (all.open(cx.limits()).expect("a pass"), 0);
        while pass.next(cx).expect("a frame").is_some() {
            count += 1;
        }
        count
    });
    let (count, stopped) = (count.await, frames.clone());
    let cancelled = tokio::task::spawn_blocking(move || {
        let cx = cancelled_context();
        stopped.open(cx.limits()).and_then(|mut pass| pass.next(&cx)).map(drop)
    });
    let error = cancelled.await.expect("a pass").expect_err("frames of a cancelled job stop");
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{whose}: {error}");
    count
}

fn check_bundle(kind: &str, bundle: &Bundle, promised: &Format) {
    assert!(!bundle.is_empty(), "{kind}: gives no files");
    for (name, file) in bundle.files() {
        let named = !name.is_empty() && !name.starts_with('/') && !name.contains("..");
        assert!(named, "{kind}: `{name}` can stand in no place");
        assert!(!file.blob().is_empty(), "{kind}: `{name}` is empty");
        let known = *promised == Format::RAW || promised == file.format();
        assert!(known, "{kind}: `{name}` has another format than `describe` gives");
    }
}

async fn pulling<T: Send + 'static>(
    cx: RunContext,
    work: impl FnOnce(&RunContext) -> T + Send + 'static,
) -> T {
    cx.cpu(move |cx| Ok(work(cx))).await.expect("pulling")
}

fn same_now(first: &Media, second: &Media, cx: &RunContext) -> bool {
    match (first, second) {
        (Media::Image(a), Media::Image(b)) => {
            (a.width(), a.layout(), a.depth()) == (b.width(), b.layout(), b.depth())
                && a.pixels() == b.pixels()
        }
        (Media::Frames(a), Media::Frames(b)) => same_frames(a, b, cx),
        (Media::Audio(a), Media::Audio(b)) => same_audio(a, b, cx),
        (Media::Pages(a), Media::Pages(b)) => same_pages(a, b, cx),
        (Media::File(a), Media::File(b)) => {
            let read =
                |file: &MediaFile| file.blob().read(u64::MAX).expect("a result must be readable");
            a.format() == b.format() && read(a) == read(b)
        }
        (Media::Facts(a), Media::Facts(b)) => a == b,
        (Media::Bundle(a), Media::Bundle(b)) => {
            let same = |(a, b): ((&str, &MediaFile), (&str, &MediaFile))| {
                a.0 == b.0 && same_now(&a.1.clone().into(), &b.1.clone().into(), cx)
            };
            a.len() == b.len() && a.files().zip(b.files()).all(same)
        }
        _ => false,
    }
}

fn same_frames(a: &Frames, b: &Frames, cx: &RunContext) -> bool {
    let open = |frames: &Frames| frames.open(cx.limits()).expect("a pass");
    let same = |a: &Frame, b: &Frame| {
        (a.start, a.duration) == (b.start, b.duration)
            && same_now(&a.image.clone().into(), &b.image.clone().into(), cx)
    };
    let (mut first, mut second) = (open(a), open(b));
    loop {
        match (first.next(cx).expect("a frame"), second.next(cx).expect("a frame")) {
            (None, None) => return a.loops() == b.loops(),
            (Some(a), Some(b)) if same(&a, &b) => {}
            _ => return false,
        }
    }
}

fn same_audio(a: &Audio, b: &Audio, cx: &RunContext) -> bool {
    let samples = |audio: &Audio| {
        let (mut pass, mut samples) = (audio.open().expect("a pass"), Vec::new());
        while let Some(block) = pass.next(cx).expect("a block") {
            samples.extend(block.samples);
        }
        samples
    };
    (a.rate(), a.channels()) == (b.rate(), b.channels()) && samples(a) == samples(b)
}

fn same_pages(a: &Pages, b: &Pages, cx: &RunContext) -> bool {
    let page = |pages: &Pages, number| {
        let size = pages.size(number).expect("a page");
        Media::from(pages.render(number, size, cx.limits(), cx).expect("a page"))
    };
    a.count() == b.count() && (0..a.count()).all(|n| same_now(&page(a, n), &page(b, n), cx))
}
