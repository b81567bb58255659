use mediaflow_core::event::EventData;
use mediaflow_core::{Event, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What Standard Webhooks recommends as the largest body.
const MAX_BODY: usize = 20_000;

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: &'a Value,
}

/// The body of Standard Webhooks, below 20,000 bytes: what is long and least needed goes first, and `data.truncated`
/// says so.
pub(super) fn standard(event: &Event) -> Vec<u8> {
    let mut data = data(event);
    let mut body = encode(event, &data);
    for cut in CUTS {
        if body.len() < MAX_BODY {
            break;
        }
        cut(&mut data);
        data["truncated"] = json!(true);
        body = encode(event, &data);
    }
    body
}

/// From the least needed to the most.
const CUTS: [fn(&mut Value); 5] = [
    |data| each_report(data, |report| drop(report.remove("plan"))),
    |data| each_report(data, |report| drop((report.remove("source"), report.remove("warnings")))),
    |data| drop(data.as_object_mut().and_then(|data| data.remove("metadata"))),
    |data| each_report(data, |report| drop(report.remove("outputs"))),
    |data| {
        let state = data["report"]["state"].take();
        let (job, batch) = (data["job"].take(), data["batch"].take());
        *data = json!({ "job": job, "batch": batch, "report": { "state": state } });
    },
];

fn encode(event: &Event, data: &Value) -> Vec<u8> {
    let body = Body { r#type: event.kind.as_str(), timestamp: event.time, data };
    // A `Value` and two strings: there is nothing that could fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// All but the event's id, which is the message's, and the targets, whose addresses are nobody else's business.
fn data(event: &Event) -> Value {
    let mut data = json!({
        "severity": event.severity,
        "audience": event.audience,
    });
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            data[name] = value;
        }
    };
    set("job", json!(event.job));
    set("batch", json!(event.batch));
    set("owner", json!(event.owner));
    if !event.metadata.is_empty() {
        set("metadata", json!(event.metadata));
    }
    if !event.tags.is_empty() {
        set("tags", json!(event.tags));
    }
    match &event.data {
        EventData::Progress(progress) => set("progress", json!(progress)),
        EventData::Step { steps, failure } => {
            set("steps", json!(steps));
            set("failure", json!(failure));
        }
        EventData::Output(output) => set("output", json!(output)),
        EventData::Job(report) => set("report", json!(report)),
        EventData::Batch(report) => set("report", json!(report)),
        EventData::Delivery { channel, event, attempts, reason } => {
            set(
                "delivery",
                json!({ "channel": channel, "event": event, "attempts": attempts, "reason": reason }),
            );
        }
        EventData::None | _ => {}
    }
    data
}

/// The report of the job, or those of all jobs of the batch.
fn each_report(data: &mut Value, mut change: impl FnMut(&mut Map<String, Value>)) {
    let Some(report) = data.get_mut("report").and_then(Value::as_object_mut) else { return };
    match report.get_mut("jobs").and_then(Value::as_array_mut) {
        Some(jobs) => jobs.iter_mut().filter_map(Value::as_object_mut).for_each(change),
        None => change(report),
    }
}
