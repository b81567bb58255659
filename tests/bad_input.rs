//! What can be wrong with an upload or a spec: each gets a typed error that says what, where and what to do, in bounded
//! time and memory, with a `job.failed`, and no file is left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use mediaflow::ErrorKind;
use mediaflow::event::EventData;
use mediaflow::prelude::*;
use mediaflow::testing::RecordingNotifier;
use serde_json::json;

const TYPO: &str = "widht"; // misspelt on purpose

/// A host whose `public` storage can be looked at.
struct Host {
    media: Mediaflow,
    public: tempfile::TempDir,
    scratch: tempfile::TempDir,
    told: RecordingNotifier,
}

impl Host {
    async fn new() -> Self {
        let (public, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let told = RecordingNotifier::new("told");
        let builder = Mediaflow::builder()
            .storage("public", &format!("file:{}", public.path().display()))
            .scratch(scratch.path())
            .with(image::operations)
            .notify(told.clone());
        #[cfg(feature = "video")]
        let builder = builder.with(video::operations);
        Self { media: builder.start().await.unwrap(), public, scratch, told }
    }

    /// Runs a pipeline that must fail, and checks what has to hold for every failure.
    async fn fails(&self, what: &str, pipeline: Pipeline, code: &str) -> Error {
        let before = self.told.attempts().len();
        let job = self.media.submit(pipeline).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let error = tokio::time::timeout(Duration::from_secs(30), job.done())
            .await
            .unwrap_or_else(|_| panic!("{what}: hangs"))
            .expect_err(what);
        assert_eq!(error.code(), code, "{what}: {error:?}");
        assert!(error.fact("source").or(error.fact("step")).is_some(), "{what}: where? {error}");

        let mut seen = before;
        let failure = loop {
            seen += 1;
            let told = self.told.attempted(seen).await;
            let event = told[seen - 1].0.event();
            if event.kind == JobFailed && event.job == Some(job.id()) {
                break event.clone();
            }
        };
        let EventData::Job(report) = failure.data else { panic!("{what}: {:?}", failure.data) };
        assert_eq!(report.failure.unwrap().code, code);
        assert_eq!(entries(self.public.path()), 0, "{what}: leaves something behind");
        assert_eq!(temporary(self.scratch.path()), 0, "{what}: leaves temporary files behind");
        error
    }
}

/// What lies in the folders that processes have made here, beside the lock of each.
fn temporary(folder: &Path) -> usize {
    let own = fs::read_dir(folder).unwrap().map(|own| own.unwrap().path());
    own.map(|own| entries(&own) - 1).sum()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn media(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media").join(name)).unwrap()
}

fn thumbnail(source: impl Into<Source>) -> Pipeline {
    Pipeline::from(source)
        .output("public/x/thumb.jpg", |photo| photo.resize((64, 64, Fit::Cover)).jpeg(80))
        .build()
        .unwrap()
}

/// A PNG that begins with these chunks, with correct checksums.
fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let mut body = kind.to_vec();
        body.extend_from_slice(data);
        file.extend(&body);
        file.extend(crc32(&body).to_be_bytes());
    }
    file
}

/// ISO 3309, as PNG wants it.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn header(width: u32, height: u32) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_photos_are_told_apart() {
    let host = Host::new().await;
    host.fails(
        "text named .jpg",
        thumbnail(Source::bytes(&b"hello, I am a photo"[..])),
        "media.unrecognised",
    )
    .await;
    for name in ["mountains.jpg", "spaniels.jpg", "coffee.png"] {
        let whole = media(name);
        for part in [3, 6, 9] {
            let cut = whole[..whole.len() * part / 10].to_vec();
            let what = format!("{name} cut at {part}0 %");
            host.fails(&what, thumbnail(Source::bytes(cut)), "image.truncated").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_by_their_headers() {
    let host = Host::new().await;
    let huge = png(&[(b"IHDR", &header(30_000, 30_000)), (b"IDAT", &[]), (b"IEND", &[])]);
    let error = host.fails("30,000 x 30,000", thumbnail(Source::bytes(huge)), "limit.pixels").await;
    assert!(error.to_string().contains("Limits::pixels"), "{error}");

    // 1 GiB of zeros deflates to a few MB.
    let mut profile = b"icc\0\0".to_vec();
    profile.extend(deflated_zeros(1 << 30));
    let bomb =
        png(&[(b"IHDR", &header(8, 8)), (b"iCCP", &profile), (b"IDAT", &[]), (b"IEND", &[])]);
    host.fails("1 GiB iCCP", thumbnail(Source::bytes(bomb)), "limit.metadata_bytes").await;
}

/// A zlib stream of this many zeros.
fn deflated_zeros(bytes: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.jpg"), b"").unwrap();
    let media = Mediaflow::builder()
        .storage("uploads", &format!("file:{}", folder.path().display()))
        .storage("public", "memory:")
        .with(image::operations)
        .start()
        .await
        .unwrap();
    let error =
        media.submit(thumbnail("uploads/empty.jpg")).await.unwrap().done().await.unwrap_err();
    assert_eq!((error.code(), error.fact("source")), ("media.empty", Some("uploads/empty.jpg")));
    let error =
        media.submit(thumbnail("uploads/missing.jpg")).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "storage.not_found");
}

#[cfg(feature = "video")]
#[tokio::test(flavor = "multi_thread")]
async fn broken_clips_are_told_apart() {
    let host = Host::new().await;
    let clip = |bytes: Vec<u8>| {
        Pipeline::from(Source::bytes(bytes))
            .output("public/x/clip.mp4", |clip| clip.resize((320, 180, Fit::Inside)).mp4(30))
            .build()
            .unwrap()
    };
    let whole = media("bunny.mp4");
    let cut = whole[..whole.len() * 6 / 10].to_vec();
    let error = host.media.submit(clip(cut.clone())).await.unwrap().done().await.unwrap_err();
    host.fails("truncated MP4", clip(cut), error.code()).await;
    assert!(["video.truncated", "video.no_moov"].contains(&error.code()), "{error:?}");

    let mut without_moov = whole.clone();
    let at = without_moov.windows(4).position(|four| four == b"moov").unwrap();
    without_moov[at..at + 4].copy_from_slice(b"free");
    host.fails("MP4 without moov", clip(without_moov), "video.no_moov").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_specs_are_refused_at_submit() {
    let host = Host::new().await;
    let spec = |op: &str, with: serde_json::Value| {
        let spec = json!({
            "schema": "mediaflow.job/1", "kind": "pipeline", "v": 1,
            "with": {
                "source": "public/cat.jpg",
                "steps": { "small": { "op": op, "with": with }, "file": { "op": "image.jpeg", "from": ["small"] } },
                "outputs": { "public/thumb.jpg": { "from": "file" } }
            }
        });
        JobSpec::from_json(&spec.to_string()).unwrap()
    };
    let error = host.media.submit(spec("image.resze", json!({}))).await.unwrap_err();
    assert_eq!((error.code(), error.fact("step")), ("spec.unknown_op", Some("small")));
    assert!(error.to_string().contains("did you mean `image.resize`?"), "{error}");

    let error = host.media.submit(spec("image.resize", json!({ TYPO: 3 }))).await.unwrap_err();
    assert_eq!((error.code(), error.fact("step")), ("spec.params", Some("small")));
    assert!(error.to_string().contains(TYPO), "{error}");

    let error = Pipeline::from("uploads/../../etc/passwd")
        .output("public/x", |file| file)
        .build()
        .unwrap_err();
    assert_eq!(error.code(), "storage.key");
    let error =
        Pipeline::from("public/a.jpg").output("public/../x.jpg", |file| file).build().unwrap_err();
    assert_eq!((error.code(), error.fact("output")), ("storage.key", Some("public/../x.jpg")));

    let error = host.media.submit(thumbnail("pubilc/cat.jpg")).await.unwrap_err();
    assert!(error.to_string().contains("did you mean `public`?"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_can_not_raise_what_the_host_allows() {
    let host = Host::new().await;
    let spec = || JobSpec::new(&thumbnail("public/cat.jpg")).unwrap();
    let day = Duration::from_secs(86_400);
    for (options, code) in [
        (JobOptions::new().deadline(300_000 * day), "limit.deadline"),
        (JobOptions::new().max_attempts(4_000_000_000), "limit.attempts"),
        (JobOptions::new().idempotency_key("x".repeat(1 << 20)), "limit.option_bytes"),
        (JobOptions::new().priority(i16::MAX), "limit.priority"),
        ((0..100_000).fold(JobOptions::new(), |all, _| all.tag("t")), "limit.tags"),
        (
            (0..10_000).fold(JobOptions::new(), |all, _| all.notify("told", "x")),
            "limit.notify_targets",
        ),
    ] {
        let error = host.media.submit(spec().with_options(options)).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), (code, ErrorKind::Limit), "{error}");
        assert!(error.to_string().contains("raise `"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_addresses_are_not_told() {
    let host = Host::new().await;
    for source in [
        "ftp://user:s3cret@host.example/cat.jpg",
        "Ftp:user:s3cret@host.example/cat.jpg",
        "HTTPS://user:s3cret@127.0.0.1/cat.jpg?X-Amz-Signature=s3cret",
        "hTTp://127.0.0.1/cat.jpg?X-Amz-Signature=s3cret",
    ] {
        let pipeline =
            json!({ "source": source, "outputs": { "public/x.jpg": { "from": "source" } } });
        let pipeline: Pipeline = serde_json::from_value(pipeline).unwrap();
        let error = match host.media.submit(pipeline).await {
            Ok(job) => job.done().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_out_of_reach() {
    let host = Host::new().await;
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "http://127.0.0.1:1/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
    ] {
        let error = host.fails(url, thumbnail(url), "http.forbidden_address").await;
        // What stands in the URL its giver knows; what a name stands for is not told.
        let told = format!("{error:?}");
        let inside = ["127.0.0.1", "::1", "loopback"].into_iter().find(|it| told.contains(it));
        assert!(!url.contains("localhost") || inside.is_none(), "{url}: {told}");
    }
    let path = host.fails("a local file", thumbnail("file:/etc/passwd"), "source.path").await;
    assert!(path.to_string().contains("allow_paths"), "{path}");

    for url in ["http://169.254.169.254/hook", "http://2130706433/"] {
        let told = RecordingNotifier::new("told");
        let media = Mediaflow::builder()
            .storage("public", "memory:")
            .notify(
                Webhook::to(url).sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").on([JobCompleted]),
            )
            .notify(told.clone());
        let media = match media.start().await {
            Ok(media) => media,
            Err(error) => {
                assert_eq!(error.code(), "http.forbidden_address", "{url}");
                continue;
            }
        };
        let copy =
            Pipeline::from(mediaflow::testing::dot()).output("public/dot.gif", |dot| dot).build();
        media.submit(copy.unwrap()).await.unwrap().done().await.unwrap();
        media.shutdown(Duration::from_secs(10)).await.unwrap();
        let attempts = told.attempts();
        let mut events = attempts.iter().flat_map(|(message, _)| message.events());
        let lost = events.find_map(|event| match &event.data {
            EventData::Delivery(lost) => Some(lost),
            _ => None,
        });
        let lost = lost.unwrap_or_else(|| panic!("{url}: the refusal is told"));
        assert_eq!((lost.channel.as_str(), lost.attempts), ("webhook", 1), "a refusal is final");
        assert!(lost.reason.contains("address"), "{url}: {}", lost.reason);
    }
}
