use std::collections::{BTreeMap, HashMap};

use mediaflow_core::event::EventData;
use mediaflow_core::notify::Message;
use mediaflow_core::report::{BatchSummary, OutputReport, Report};
use mediaflow_core::{BatchId, Event, EventId, Failure, JobId, NotifyError, Timestamp};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use super::fit::{encode, fullest, shortened};

/// What stands around the data of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Envelope<'a> {
    /// `type`, `timestamp` and `data`, as Standard Webhooks have it.
    Standard,
    /// The attributes of `CloudEvents` beside the data, from this source.
    CloudEvents(&'a str),
    /// Nothing: the attributes stand in the headers.
    Bare,
}

/// The body of Standard Webhooks. What is long and least needed is left out until it keeps to the limit, and
/// `data.truncated` says so; what the caller gave is never left out.
pub(crate) fn standard(message: &Message, limit: usize) -> Result<Vec<u8>, NotifyError> {
    within(message, Envelope::Standard, limit)
}

/// The body of a message in its envelope, within the limit.
pub(crate) fn within(
    message: &Message,
    envelope: Envelope<'_>,
    limit: usize,
) -> Result<Vec<u8>, NotifyError> {
    let whole = LEVELS.iter().map(|level| Cut { level: *level, items: usize::MAX });
    whole
        .map(|cut| body(message, envelope, cut, limit))
        .find_map(|body| body)
        .or_else(|| {
            fullest(limit, |items| {
                body(message, envelope, Cut { level: Level::Least, items }, limit)
            })
        })
        .ok_or_else(|| too_large(limit))
}

pub(crate) fn too_large(limit: usize) -> NotifyError {
    NotifyError::too_large(format!(
        "without all that can be left out, the body still has more than {limit} bytes"
    ))
}

/// All of an event as its body has it, with its id, for templates.
pub(crate) fn data(event: &Event, reports: &[Report]) -> Value {
    let whole = Cut { level: Level::Whole, items: usize::MAX };
    serde_json::to_value(Told::new(Some(event.id), event, reports, whole)).unwrap_or_default()
}

/// The reports of a batch in the order of submission, if all of them are there.
pub(crate) fn in_order<'a>(summary: &BatchSummary, reports: &'a [Report]) -> Vec<&'a Report> {
    let mut reports: Vec<_> = reports.iter().collect();
    if reports.len() as u64 >= summary.jobs() {
        let places: HashMap<_, _> =
            summary.named.iter().enumerate().map(|(place, job)| (*job, place)).collect();
        reports.sort_by_key(|report| places.get(&report.job).copied().unwrap_or(usize::MAX));
    }
    reports
}

/// How much is left out.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    /// Nothing.
    Whole,
    /// How the work was done.
    WithoutPlans,
    /// Warnings, and of the source all but its name.
    Brief,
    /// The source, facts, and all but the beginning of what somebody else wrote.
    Least,
}

const LEVELS: [Level; 4] = [Level::Whole, Level::WithoutPlans, Level::Brief, Level::Least];

#[derive(Clone, Copy)]
struct Cut {
    level: Level,
    /// How many items a list may have.
    items: usize,
}

fn body(message: &Message, envelope: Envelope<'_>, cut: Cut, limit: usize) -> Option<Vec<u8>> {
    let of_one = |event| Data { event, reports: &message.reports, cut };
    let of_all = || {
        let (all, told) = (message.events(), message.events().iter().take(cut.items));
        let events: Vec<_> = told.map(|event| Told::new(Some(event.id), event, &[], cut)).collect();
        Events { truncated: events.len() < all.len(), events_total: all.len(), events }
    };
    match (envelope, message.events()) {
        (Envelope::Standard, [event]) => {
            encode(&Told::new(None, event, &message.reports, cut), limit)
        }
        (Envelope::Standard, _) => {
            encode(&Digest { r#type: DIGEST, timestamp: latest(message), data: of_all() }, limit)
        }
        (Envelope::CloudEvents(source), [event]) => {
            encode(&CloudEvent::new(message, source, of_one(event)), limit)
        }
        (Envelope::CloudEvents(source), _) => {
            encode(&CloudEvent::new(message, source, of_all()), limit)
        }
        (Envelope::Bare, [event]) => encode(&of_one(event), limit),
        (Envelope::Bare, _) => encode(&of_all(), limit),
    }
}

/// The type of a message of several events.
const DIGEST: &str = "digest";

fn latest(message: &Message) -> Timestamp {
    message.events().iter().map(|event| event.time).max().unwrap_or_default()
}

/// The attributes of [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md), in their order.
pub(crate) fn attributes(message: &Message, source: &str) -> Vec<(&'static str, String)> {
    let (event, events) = (message.event(), message.events());
    let kind = if events.len() == 1 { event.kind.as_str() } else { DIGEST };
    let about = |event: &Event| {
        let job = event.job.map(|job| job.to_string());
        job.or_else(|| event.batch.map(|batch| batch.to_string()))
    };
    // What is said of all of it is true of each.
    let subject =
        about(event).filter(|subject| events.iter().all(|e| about(e).as_ref() == Some(subject)));
    let tenant = event.tenant.clone();
    let tenant = tenant.filter(|tenant| events.iter().all(|e| e.tenant.as_ref() == Some(tenant)));
    let severity = events.iter().map(|event| event.severity).max().unwrap_or(event.severity);
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", message.id.to_string()),
        ("source", source.to_owned()),
        ("type", format!("mediaflow.{kind}")),
    ];
    attributes.extend(subject.map(|subject| ("subject", subject)));
    attributes.extend([
        ("time", latest(message).to_string()),
        ("severity", severity.to_string()),
        ("audience", event.audience.to_string()),
    ]);
    attributes.extend(tenant.map(|tenant| ("tenant", tenant)));
    attributes
}

struct CloudEvent<D> {
    attributes: Vec<(&'static str, String)>,
    data: D,
}

impl<D> CloudEvent<D> {
    fn new(message: &Message, source: &str, data: D) -> Self {
        Self { attributes: attributes(message, source), data }
    }
}

impl<D: Serialize> Serialize for CloudEvent<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.attributes {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("datacontenttype", "application/json")?;
        map.serialize_entry("data", &self.data)?;
        map.end()
    }
}

#[derive(Serialize)]
struct Digest<'a> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Events<'a>,
}

#[derive(Serialize)]
struct Events<'a> {
    events: Vec<Told<'a>>,
    events_total: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    /// A message of one event has its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<EventId>,
    r#type: &'a str,
    timestamp: Timestamp,
    data: Data<'a>,
}

impl<'a> Told<'a> {
    fn new(id: Option<EventId>, event: &'a Event, reports: &'a [Report], cut: Cut) -> Self {
        let data = Data { event, reports, cut };
        Self { id, r#type: event.kind.as_str(), timestamp: event.time, data }
    }
}

/// All of an event but its targets, whose addresses are nobody else's business.
struct Data<'a> {
    event: &'a Event,
    reports: &'a [Report],
    cut: Cut,
}

/// Whom to ask about for the rest.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum More {
    Job(JobId),
    Batch(BatchId),
}

impl Data<'_> {
    fn is_cut(&self) -> bool {
        let lacks_reports = || match &self.event.data {
            EventData::Batch(summary) => (self.reports.len() as u64) < summary.jobs(),
            _ => false,
        };
        self.cut.level > Level::Whole || lacks_reports()
    }

    fn more(&self) -> Option<More> {
        let job = || self.event.job.map(More::Job);
        match &self.event.data {
            EventData::Batch(summary) => Some(More::Batch(summary.batch)),
            EventData::Job(report) => Some(More::Job(report.job)),
            _ => job(),
        }
    }

    fn what<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Cut { level, items } = self.cut;
        let said = |text: &str| {
            if level < Level::Least { text.to_owned() } else { shortened(text) }
        };
        match &self.event.data {
            EventData::Progress(progress) => map.serialize_entry("progress", progress),
            EventData::Step { steps, failure } => {
                map.serialize_entry("steps", &steps[..steps.len().min(items)])?;
                map.serialize_entry("failure", &failure.as_ref().map(|why| self.cut.failure(why)))
            }
            EventData::Retry(failed) => {
                map.serialize_entry("attempt", &failed.attempt)?;
                some(map, "part", failed.part.as_ref())?;
                map.serialize_entry("failure", &self.cut.failure(&failed.failure))?;
                map.serialize_entry("due", &failed.due)
            }
            EventData::Output(output) => map.serialize_entry("output", &self.cut.output(output)),
            EventData::Job(report) => {
                map.serialize_entry("report", &JobReport { report, cut: self.cut })
            }
            EventData::Batch(summary) => {
                let reports = in_order(summary, self.reports);
                map.serialize_entry("report", &OfBatch { summary, reports, cut: self.cut })
            }
            EventData::Delivery(failure) => {
                let mut failure = failure.clone();
                failure.reason = said(&failure.reason);
                map.serialize_entry("delivery", &failure)
            }
            EventData::Disabled { channel, destination, since, reason, dead } => map
                .serialize_entry(
                    "disabled",
                    &json!({ "channel": channel, "destination": destination, "since": since,
                             "reason": said(reason), "dead": dead }),
                ),
            EventData::Unclaimed { needs, jobs } => {
                map.serialize_entry("unclaimed", &json!({ "needs": said(needs), "jobs": jobs }))
            }
            EventData::Missed { schedule, times, since } => map.serialize_entry(
                "missed",
                &json!({ "schedule": said(schedule), "times": times, "since": since }),
            ),
            EventData::None | _ => Ok(()),
        }
    }
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (event, mut map) = (self.event, serializer.serialize_map(None)?);
        map.serialize_entry("severity", &event.severity)?;
        map.serialize_entry("audience", &event.audience)?;
        some(&mut map, "job", event.job.as_ref())?;
        some(&mut map, "batch", event.batch.as_ref())?;
        some(&mut map, "owner", event.owner.as_ref())?;
        some(&mut map, "metadata", Some(&event.metadata).filter(|data| !data.is_empty()))?;
        some(&mut map, "tags", Some(&event.tags).filter(|tags| !tags.is_empty()))?;
        self.what(&mut map)?;
        if self.is_cut() {
            map.serialize_entry("truncated", &true)?;
            some(&mut map, "more", self.more().as_ref())?;
        }
        map.end()
    }
}

struct JobReport<'a> {
    report: &'a Report,
    cut: Cut,
}

impl Serialize for JobReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, cut } = self;
        if cut.level == Level::Whole {
            return report.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("job", &report.job)?;
        map.serialize_entry("state", &report.state)?;
        match (&report.source, cut.level) {
            (Some(source), Level::WithoutPlans) => map.serialize_entry("source", source)?,
            (Some(source), Level::Brief) => {
                map.serialize_entry("source", &json!({ "name": source.name }))?;
            }
            _ => {}
        }
        map.serialize_entry("outputs", &Outputs { outputs: &report.outputs, cut: *cut })?;
        if report.outputs.len() > cut.items {
            map.serialize_entry("outputs_total", &report.outputs.len())?;
            map.serialize_entry("outputs_counts", &counts(&report.outputs))?;
        }
        if cut.level < Level::Least && !report.facts.is_empty() {
            map.serialize_entry("facts", &report.facts)?;
        }
        if cut.level < Level::Least && !report.facts_failed.is_empty() {
            map.serialize_entry("facts_failed", &report.facts_failed)?;
        }
        if cut.level < Level::Brief && !report.warnings.is_empty() {
            map.serialize_entry("warnings", &report.warnings)?;
        }
        some(&mut map, "failure", report.failure.as_ref().map(|why| cut.failure(why)).as_ref())?;
        map.serialize_entry("decodes", &report.decodes)?;
        map.serialize_entry("attempts", &report.attempts)?;
        map.serialize_entry("queued_at", &report.queued_at)?;
        some(&mut map, "started_at", report.started_at.as_ref())?;
        map.serialize_entry("finished_at", &report.finished_at)?;
        map.end()
    }
}

/// How many outputs are in which state.
fn counts(outputs: &[OutputReport]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for output in outputs {
        *counts.entry(output.state.as_str()).or_default() += 1;
    }
    counts
}

struct Outputs<'a> {
    outputs: &'a [OutputReport],
    cut: Cut,
}

impl Serialize for Outputs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let told = self.outputs.iter().take(self.cut.items);
        serializer.collect_seq(told.map(|output| self.cut.output(output)))
    }
}

struct OfBatch<'a> {
    summary: &'a BatchSummary,
    reports: Vec<&'a Report>,
    cut: Cut,
}

impl Serialize for OfBatch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { summary, reports, cut } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("batch", &summary.batch)?;
        map.serialize_entry("state", &summary.state)?;
        map.serialize_entry("counts", &summary.counts)?;
        map.serialize_entry("jobs_total", &summary.jobs())?;
        map.serialize_entry("named", &summary.named[..summary.named.len().min(cut.items)])?;
        if !summary.failures.is_empty() {
            let failures = &summary.failures[..summary.failures.len().min(cut.items)];
            map.serialize_entry("failures", failures)?;
        }
        let told = reports.iter().take(cut.items);
        let told: Vec<_> = told.map(|report| JobReport { report, cut: *cut }).collect();
        map.serialize_entry("jobs", &told)?;
        map.end()
    }
}

impl Cut {
    fn failure(self, why: &Failure) -> Failure {
        let mut why = why.clone();
        if self.level == Level::Least {
            (why.code, why.message) = (shortened(&why.code), shortened(&why.message));
            why.facts.clear();
            why.help = None;
        }
        why
    }

    fn output(self, output: &OutputReport) -> OutputReport {
        let mut output = output.clone();
        if self.level >= Level::Brief {
            output.warnings.clear();
        }
        output.failure = output.failure.map(|why| self.failure(&why));
        output
    }
}

fn some<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    value: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}
