//! Whole stories, with real photos, through the facade.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::time::Duration;

use mediaflow::Builder;
use mediaflow::DeliveryPolicy;
use mediaflow::notifiers::webhook::standard::Verifier;
use mediaflow::prelude::*;
use mediaflow::report::JobState;
use mediaflow::testing::{self, RecordingNotifier, Reply, WebhookReceiver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn host(folder: &tempfile::TempDir) -> Builder {
    Mediaflow::builder()
        .storage("uploads", concat!("file:", env!("CARGO_MANIFEST_DIR"), "/examples/media"))
        .storage("public", &format!("file:{}", folder.path().display()))
        .with(image::operations)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_outputs_of_one_photo_decode_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).start().await.unwrap();
    let photo = Pipeline::from("uploads/mountains.jpg")
        .output("public/a/large.webp", |photo| photo.resize((800, 800, Fit::Inside)).webp(80))
        .output("public/a/small.jpg", |photo| photo.resize((200, 200, Fit::Cover)).jpeg(80))
        .build()
        .unwrap();

    let plan = media.plan(photo.clone()).await.unwrap();
    assert_eq!(plan.explain().iter().map(|group| group.decodes).sum::<u32>(), 1);
    let told = media.explain(photo.clone()).await.unwrap();
    assert!(told.contains("1/2"), "the source is 3264 wide, and 1632 are enough for 800: {told}");

    let report = media.submit(photo).await.unwrap().done().await.unwrap();
    assert_eq!((report.state, report.decodes), (JobState::Succeeded, 1));
    let sizes: Vec<_> =
        report.outputs.iter().map(|o| (o.width, o.height, o.mime.as_str())).collect();
    assert_eq!(sizes, [(800, 600, "image/webp"), (200, 200, "image/jpeg")]);
    for output in &report.outputs {
        let path = folder.path().join(output.output.strip_prefix("public/").unwrap());
        assert_eq!(std::fs::metadata(path).unwrap().len(), output.bytes);
    }
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_dies_and_returns_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let media = host(&folder)
        .notify(
            Webhook::to(receiver.url("/hooks"))
                .sign(SECRET)
                .allow_private(&receiver.address())
                .on([JobCompleted]),
        )
        .delivery(DeliveryPolicy::every(Duration::from_millis(50), 1000))
        .start()
        .await
        .unwrap();
    let photo = |index: usize| {
        Pipeline::from("uploads/coffee.png")
            .output(format!("public/{index}.jpg"), |photo| {
                photo.resize((100, 100, Fit::Cover)).jpeg(80)
            })
            .build()
            .unwrap()
    };
    let first = media.submit(photo(0)).await.unwrap();
    let mut seen = vec![verified(&receiver.next().await.unwrap())];

    receiver.stop().await;
    let mut jobs = vec![first];
    for index in 1..6 {
        jobs.push(media.submit(photo(index)).await.unwrap());
    }
    for job in &jobs {
        job.done().await.unwrap();
    }
    receiver.restart().await.unwrap();
    while seen.len() < jobs.len() {
        let id = verified(&receiver.next().await.unwrap());
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Checks a request's signature; gives its id.
fn verified(request: &testing::Received) -> String {
    let now = std::time::SystemTime::now().into();
    let header = |name: &str| {
        request.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    };
    Verifier::new(SECRET).unwrap().verify(header, &request.body, now).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_fit_its_content_is_refused_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).start().await.unwrap();
    let photo = |place: &str| {
        Pipeline::from("uploads/coffee.png")
            .output(place, |photo| photo.resize((60, 40, Fit::Cover)).jpeg(80))
            .build()
    };
    for place in ["public/a.jpg", "public/a.JPEG", "public/a", "public/a.v2"] {
        let report = media.submit(photo(place).unwrap()).await.unwrap().done().await.unwrap();
        assert_eq!(report.outputs[0].warnings.len(), 0, "{place}");
    }
    let error = photo("public/a.webp").unwrap_err();
    assert_eq!((error.code(), error.fact("output")), ("spec.extension", Some("public/a.webp")));
    let mut renamed = photo("public/a.jpg").unwrap();
    let output = renamed.outputs.remove("public/a.jpg").unwrap();
    renamed.outputs.insert("public/a.png".to_owned(), output);
    assert_eq!(media.submit(renamed).await.unwrap_err().code(), "spec.extension");

    // What a copy is can not be known before.
    let copy = Pipeline::from("uploads/coffee.png").output("public/a.webp", |photo| photo).build();
    let report = media.submit(copy.unwrap()).await.unwrap().done().await.unwrap();
    assert_eq!(report.outputs[0].warnings, ["the name says webp, the content is png"]);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_comes_by_url_from_a_host_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = WebhookReceiver::start().await.unwrap();
    let photo =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/media/coffee.png")).unwrap();
    server.answer([Reply::status(200).body(photo)]);
    let media = host(&folder).allow_private_host(server.address()).start().await.unwrap();
    let url = server.url("/cup.jpg?token=secret");
    let small = Pipeline::from(url.as_str())
        .output("public/cup.webp", |photo| photo.resize((90, 60, Fit::Cover)).webp(80))
        .build()
        .unwrap();
    let report = media.submit(small).await.unwrap().done().await.unwrap();
    let source = report.source.unwrap();
    assert_eq!(source.info.format.name(), "png", "the content counts, not the name");
    assert!(!source.name.contains("secret"), "{}", source.name);
    assert_eq!(server.next().await.unwrap().method, "GET");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_in_one_process_do_not_meet() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (here, there) = (RecordingNotifier::new("here"), RecordingNotifier::new("there"));
    let first = host(&folder).notify(here.clone()).start().await.unwrap();
    let second = host(&other).notify(there.clone()).start().await.unwrap();
    let copy =
        Pipeline::from("uploads/coffee.png").output("public/copy.png", |photo| photo).build();
    let job = first.submit(copy.unwrap()).await.unwrap();
    job.done().await.unwrap();
    here.attempted(4).await;
    assert_eq!(second.handle(job.id()).status().await.unwrap_err().code(), "job.unknown");
    second.shutdown(Duration::from_secs(5)).await.unwrap();
    assert!(there.attempts().is_empty());
    assert!(!other.path().join("copy.png").exists());
    first.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_at_once_and_reports_when_all_are_done() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = RecordingNotifier::new("all");
    let media = host(&folder).notify(receiver.clone()).start().await.unwrap();
    let eager = Pipeline::from("uploads/fig.jpg")
        .output("public/e/300.jpg", |photo| photo.resize((300, 300, Fit::Inside)).jpeg(80))
        .output("public/e/100.png", |photo| photo.resize((100, 100, Fit::Cover)).grayscale().png())
        .build()
        .unwrap();
    let batch = media.eager([eager]).await.unwrap();
    let ticket = serde_json::to_value(batch.ticket()).unwrap();
    assert_eq!(
        (&ticket["status"], &ticket["batch_id"]),
        (&"processing".into(), &batch.id().to_string().into())
    );
    let report = batch.done().await.unwrap();
    assert_eq!((report.state, report.jobs[0].outputs.len()), (JobState::Succeeded, 2));
    media.shutdown(Duration::from_secs(5)).await.unwrap();
    let told = receiver.attempts();
    assert_eq!(
        told.iter().filter(|(message, _)| message.event().kind == BatchCompleted).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_step_between_groups_keeps_the_small_decode() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder)
        .with(|registry| {
            registry.operation::<Keep>();
        })
        .start()
        .await
        .unwrap();
    let photo = Pipeline::from("uploads/mountains.jpg")
        .output("public/k.jpg", |photo| {
            photo.resize((360, 360, Fit::Inside)).then(Keep {}).jpeg(80)
        })
        .output("public/l.jpg", |photo| photo.resize((200, 200, Fit::Inside)).jpeg(80))
        .build()
        .unwrap();
    let told = media.explain(photo.clone()).await.unwrap();
    assert!(told.contains("1/8"), "360 of 3264 are wanted: {told}");
    let report = media.submit(photo).await.unwrap().done().await.unwrap();
    assert_eq!((report.decodes, report.outputs.len()), (1, 2));
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Keep {}

impl Operation for Keep {
    const KIND: &'static str = "test.keep";
}

#[async_trait]
impl Run for Keep {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        Ok(Outputs::one(inputs.into_first()?.into_image()?))
    }
}
