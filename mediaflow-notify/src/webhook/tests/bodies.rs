//! Bodies of Standard Webhooks, and what they leave out.

use mediaflow_core::event::Severity;
use mediaflow_core::report::{BatchReport, BatchSummary, JobState, OutputState};
use mediaflow_core::{BatchId, Failure};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use crate::payload;

use super::*;

const LIMIT: usize = 256 << 10;

fn told(message: &Message, limit: usize) -> Value {
    let body = payload::standard(message, limit).unwrap();
    assert!(body.len() <= limit, "{} of {limit}", body.len());
    json_of(&body)
}

fn job_of(outputs: usize) -> Report {
    let outputs: Vec<_> =
        (0..outputs).map(|index| output(&format!("public/{index}.jpg"), 320, 240)).collect();
    report("succeeded", &json!(outputs))
}

fn ended(report: Report) -> Event {
    Event::new(EventKind::JobCompleted, NOW, EventData::Job(Box::new(report)))
}

fn callers() -> JobOptions {
    JobOptions::new().owner("user-7").metadata("album", 7).tag("avatar")
}

#[test]
fn what_fits_is_told_whole() {
    let data = &told(&Message::of(completed()), LIMIT)["data"];
    assert_eq!((&data["truncated"], &data["more"]), (&Value::Null, &Value::Null));
    assert_eq!(data["report"]["plan"][0]["stages"][0]["detail"], "at 1/4");
}

#[test]
fn many_outputs_are_counted_and_the_callers_own_stays() {
    let mut job = job_of(5_000);
    job.outputs[0].state = OutputState::Failed;
    let event = ended(job).about(JOB.parse().unwrap(), Some(BATCH.parse().unwrap()), &callers());
    let data = &told(&Message::of(event), LIMIT)["data"];
    assert_eq!((&data["job"], &data["batch"]), (&json!(JOB), &json!(BATCH)));
    assert_eq!(
        (&data["owner"], &data["metadata"], &data["tags"]),
        (&json!("user-7"), &json!({ "album": 7 }), &json!(["avatar"]))
    );
    assert_eq!((&data["truncated"], &data["more"]), (&json!(true), &json!({ "job": JOB })));
    let report = &data["report"];
    let outputs = report["outputs"].as_array().unwrap();
    assert!(outputs.len() > 500, "as many as fit: {}", outputs.len());
    assert_eq!(outputs[1]["output"], "public/1.jpg");
    assert_eq!((&report["outputs_total"], &report["state"]), (&json!(5_000), &json!("succeeded")));
    assert_eq!(report["outputs_counts"], json!({ "published": 4_999, "failed": 1 }));
}

#[test]
fn plans_go_before_outputs() {
    let mut job = job_of(10);
    job.plan[0].stages[0].detail = "very ".repeat(60_000);
    let data = &told(&Message::of(ended(job)), LIMIT)["data"];
    assert_eq!((&data["truncated"], &data["report"]["plan"]), (&json!(true), &Value::Null));
    assert_eq!(data["report"]["outputs"].as_array().unwrap().len(), 10);
    assert_eq!(data["report"]["outputs_total"], Value::Null, "none is missing");
    assert_eq!(data["report"]["source"]["info"]["format"], "jpeg");
}

#[test]
fn a_batch_has_its_counts_and_the_reports_that_came_with_it() {
    let jobs = vec![job_of(2); 3];
    let batch = BatchReport::new(BATCH.parse().unwrap(), jobs.clone());
    let event = |summary: BatchSummary| {
        let event = Event::new(EventKind::BatchCompleted, NOW, EventData::Batch(Box::new(summary)));
        event.about_batch(BATCH.parse().unwrap(), &callers())
    };
    let whole = Message::of(event(batch.summary())).with_reports(jobs.clone());
    let data = &told(&whole, LIMIT)["data"];
    let report = &data["report"];
    assert_eq!((&report["state"], &report["jobs_total"]), (&json!("succeeded"), &json!(3)));
    assert_eq!(report["counts"], json!({ "succeeded": 3 }));
    assert_eq!(report["jobs"][2]["outputs"][1]["output"], "public/1.jpg");
    assert_eq!((&data["truncated"], &data["metadata"]["album"]), (&Value::Null, &json!(7)));

    let large = BatchSummary::new(BATCH.parse().unwrap(), [(JobState::Succeeded, 10_000)]);
    let cut = Message::of(event(large)).with_reports(jobs);
    let data = &told(&cut, LIMIT)["data"];
    assert_eq!((&data["truncated"], &data["more"]), (&json!(true), &json!({ "batch": BATCH })));
    assert_eq!(data["report"]["jobs"].as_array().unwrap().len(), 3);
}

#[test]
fn a_digest_has_each_event_with_its_id() {
    let (first, second) = (completed(), disabled("email"));
    let message = Message::digest(first.id.into(), first.clone(), [second.clone()]);
    let body = told(&message, LIMIT);
    assert_eq!(body["type"], "digest");
    let events = &body["data"]["events"];
    assert_eq!(events[0]["id"], first.id.to_string());
    assert_eq!(events[1]["type"], "destination.disabled");
    assert_eq!(events[1]["data"]["disabled"]["destination"], "https://hooks.example:443");
    assert_eq!(
        (&body["data"]["events_total"], &body["data"]["truncated"]),
        (&json!(2), &Value::Null)
    );

    let many = Message::digest(first.id.into(), first, (0..499).map(|_| completed()));
    let bytes = payload::standard(&many, 20_000).unwrap();
    let data = &json_of(&bytes)["data"];
    assert!((19_000..=20_000).contains(&bytes.len()), "{}", bytes.len());
    assert_eq!((&data["events_total"], &data["truncated"]), (&json!(500), &json!(true)));
}

#[test]
fn failures_to_tell_and_jobs_that_wait_are_told() {
    let mut failure = DeliveryFailure::new("email", completed().id, "refused");
    (failure.destination, failure.dead, failure.waiting) = ("https://h:443".to_owned(), 2, 3);
    let of = |kind, data| told(&Message::of(Event::new(kind, NOW, data)), LIMIT)["data"].clone();
    let lost = of(EventKind::DeliveryFailed, EventData::Delivery(Box::new(failure)));
    let said = &lost["delivery"];
    assert_eq!((&said["dead"], &said["waiting"]), (&json!(2), &json!(3)));
    assert_eq!(said["destination"], "https://h:443");
    let needs = "op:image.resize@2".to_owned();
    let waits = of(EventKind::JobsUnclaimed, EventData::Unclaimed { needs, jobs: 9 });
    assert_eq!(waits["unclaimed"], json!({ "needs": "op:image.resize@2", "jobs": 9 }));
}

#[test]
fn the_callers_own_is_never_left_out_but_may_be_too_much() {
    let options = JobOptions::new().metadata("m", "x".repeat(LIMIT));
    let event = completed().about(JOB.parse().unwrap(), None, &options);
    let error = payload::standard(&Message::of(event), LIMIT).unwrap_err();
    assert!(matches!(error, NotifyError::TooLarge { .. }), "{error:?}");
}

/// Reports in which anything may be long.
fn reports() -> impl Strategy<Value = Report> {
    let sizes = (0_usize..400, 0_usize..3000, 0_usize..3000, 0_usize..3000, any::<bool>());
    sizes.prop_map(|(outputs, plan, why, warning, failed)| {
        let mut job = job_of(outputs);
        job.plan[0].stages[0].detail = "p\"".repeat(plan);
        job.warnings = vec!["w\u{1}".repeat(warning); 3];
        if failed {
            let failure: Failure = serde_json::from_value(json!({
                "kind": "input", "code": "image.truncated", "message": "ü".repeat(why),
                "facts": [["path", "f".repeat(why)]], "help": "h".repeat(why),
            }))
            .unwrap();
            job.failure = Some(failure.clone());
            job.outputs.iter_mut().for_each(|output| output.failure = Some(failure.clone()));
        }
        job
    })
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]
    #[test]
    fn a_body_keeps_to_its_limit_and_has_the_callers_own(
        jobs in proptest::collection::vec(reports(), 1..4),
        total in 0_u64..5,
        metadata in 0_usize..12_000,
        limit in select(vec![8 << 10, 20_000, 64 << 10, LIMIT]),
        of_batch in any::<bool>(),
    ) {
        let options = callers().metadata("long", "m".repeat(metadata));
        let batch: BatchId = BATCH.parse().unwrap();
        let message = if of_batch {
            let mut summary = BatchReport::new(batch, jobs.clone()).summary();
            *summary.counts.entry("succeeded".to_owned()).or_default() += total;
            let data = EventData::Batch(Box::new(summary));
            let event = Event::new(EventKind::BatchCompleted, NOW, data);
            Message::of(event.about_batch(batch, &options)).with_reports(jobs)
        } else {
            let event = ended(jobs.into_iter().next().unwrap());
            Message::of(event.about(JOB.parse().unwrap(), Some(batch), &options))
        };
        match payload::standard(&message, limit) {
            Ok(body) => {
                prop_assert!(body.len() <= limit);
                let data = &json_of(&body)["data"];
                prop_assert_eq!(&data["metadata"], &json!(options.metadata));
                prop_assert_eq!(&data["batch"], &json!(BATCH));
                prop_assert_eq!(&data["tags"], &json!(["avatar"]));
                prop_assert!(data["report"]["state"].is_string());
            }
            Err(error) => {
                let too_large = matches!(error, NotifyError::TooLarge { .. });
                prop_assert!(too_large, "{error:?}");
                prop_assert!(metadata + 4096 > limit, "{metadata} of {limit}");
            }
        }
    }
}

#[tokio::test]
async fn cloud_events_have_their_attributes_in_the_body_or_in_headers() {
    let mut receiver = receiver().await;
    let mut event = completed();
    event.job = Some(JOB.parse().unwrap());
    event.tenant = Some("na\u{ef}ve \"1\"".to_owned());
    let structured = hook(&receiver).cloud_events("https://app.example/media");
    deliver(structured, &event).await.unwrap();
    let received = receiver.next().await.unwrap();
    assert_eq!(received.header("content-type"), Some("application/cloudevents+json"));
    verified(&received, SECRET, NOW);
    let body = json_of(&received.body);
    let data = body["data"].clone();
    assert_eq!(data["report"]["state"], "succeeded");
    for (name, value) in [
        ("specversion", "1.0"),
        ("id", &*event.id.to_string()),
        ("source", "https://app.example/media"),
        ("type", "mediaflow.job.completed"),
        ("subject", JOB),
        ("time", "2025-10-09T08:53:20.000Z"),
        ("datacontenttype", "application/json"),
        ("severity", "info"),
        ("tenant", "na\u{ef}ve \"1\""),
    ] {
        assert_eq!(body[name], value, "{name}");
    }

    let binary = hook(&receiver).cloud_events_binary("https://app.example/media");
    deliver(binary, &event).await.unwrap();
    let received = receiver.next().await.unwrap();
    verified(&received, SECRET, NOW);
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("ce-type"), Some("mediaflow.job.completed"));
    assert_eq!(received.header("ce-specversion"), Some("1.0"));
    assert_eq!(received.header("ce-tenant"), Some("na%C3%AFve%20%221%22"));
    assert_eq!(json_of(&received.body), data);

    let digest = Message::digest(completed().id.into(), completed(), [completed()]);
    let cloud = hook(&receiver).cloud_events("urn:media").build().unwrap();
    cloud.notify(&digest, &DeliveryContext::first(NOW)).await.unwrap();
    let body = json_of(&receiver.next().await.unwrap().body);
    assert_eq!(
        (&body["type"], body["data"]["events"].as_array().unwrap().len()),
        (&"mediaflow.digest".into(), 2)
    );

    // What is said of all is true of each.
    let of = |tenant: &str, severity| {
        let mut event = completed();
        (event.tenant, event.severity) = (Some(tenant.to_owned()), severity);
        event
    };
    let (first, second) = (of("acme", Severity::Info), of("acme", Severity::Error));
    let same = Message::digest(first.id.into(), first.clone(), [second]);
    let said = payload::attributes(&same, "urn:media");
    assert!(said.contains(&("tenant", "acme".to_owned())), "{said:?}");
    assert!(said.contains(&("severity", "error".to_owned())), "{said:?}");
    let mixed = Message::digest(first.id.into(), first, [of("other", Severity::Info)]);
    let said = payload::attributes(&mixed, "urn:media");
    assert!(said.iter().all(|(name, _)| *name != "tenant"), "{said:?}");

    let mistake = Webhook::to("https://a.example").cloudinary("abcd").cloud_events("urn:media");
    assert_eq!(mistake.build().unwrap_err().code(), "webhook.dialect");
}
