use mediaflow_core::{EventId, EventKind, JobId, Timestamp};

use super::view::DeliveryState;
use crate::db::Value;

/// The message of one event is grouped by it. Of one that has several, the first is in the message, and the others are in a
/// table of their own.
const EVENT: &str = "d.id IN (SELECT id FROM mediaflow_messages WHERE group_key = $
      UNION ALL SELECT id FROM mediaflow_messages WHERE event = $ AND events > 1
      UNION ALL SELECT message FROM mediaflow_message_events WHERE event = $)";

/// Of one that tells of several events, the job of the first is in the message.
const JOB: &str = "d.id IN (SELECT id FROM mediaflow_messages WHERE job = $
      UNION ALL SELECT m.message FROM mediaflow_events e JOIN mediaflow_message_events m ON m.event = e.id WHERE e.job = $)";

/// What has not ended, or has, has an index of its own: a condition has to say which one.
const PENDING: &str =
    "d.id IN (SELECT id FROM mediaflow_messages WHERE state = 'pending') AND d.state = $";
const SENDING: &str =
    "d.id IN (SELECT id FROM mediaflow_messages WHERE state = 'sending') AND d.state = $";
const ENDED: &str = "d.state = $ AND d.ended_at IS NOT NULL";

/// Which deliveries: those that everything said here is true of.
///
/// ```
/// use mediaflow_queue::{DeliveryFilter, DeliveryState};
/// # let yesterday = mediaflow_core::Timestamp::from_millis(0);
///
/// let lost = DeliveryFilter::new().state(DeliveryState::Dead).channel("webhook").since(yesterday);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct DeliveryFilter {
    id: Option<i64>,
    event: Option<EventId>,
    state: Option<DeliveryState>,
    channel: Option<String>,
    origin: Option<String>,
    job: Option<JobId>,
    kind: Option<EventKind>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    pub(super) limit: Option<u32>,
}

impl DeliveryFilter {
    /// All.
    pub fn new() -> Self {
        Self::default()
    }

    /// The one of this number.
    pub fn id(mut self, id: i64) -> Self {
        self.id = Some(id);
        self
    }

    /// Those of this event.
    pub fn event(mut self, event: EventId) -> Self {
        self.event = Some(event);
        self
    }

    /// Those in this state.
    pub fn state(mut self, state: DeliveryState) -> Self {
        self.state = Some(state);
        self
    }

    /// Those through this notifier.
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Those to this origin: `https://host:443`; empty for a notifier's own address that tells none.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Those about this job.
    pub fn job(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    /// Those of events of this kind.
    pub fn kind(mut self, kind: EventKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Those that were made at this moment or later.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Those that were made before this moment.
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    /// No more than so many.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Whether what has arrived is meant as well: nothing that arrived is sent again by the way.
    pub(super) fn names_delivered(&self) -> bool {
        self.state == Some(DeliveryState::Delivered) || self.id.is_some()
    }

    /// The newest first: what has ended by its end, for which there is an index.
    pub(super) fn order(&self) -> &'static str {
        match self.state {
            Some(DeliveryState::Delivered | DeliveryState::Dead) => "d.ended_at DESC, d.id DESC",
            _ => "d.id DESC",
        }
    }

    /// As a condition on a message `d`, with its values.
    pub(super) fn condition(&self) -> (String, Vec<Value>) {
        let origin = self.origin.as_ref();
        let state = match self.state {
            Some(DeliveryState::Pending) => PENDING,
            Some(DeliveryState::Sending) => SENDING,
            Some(DeliveryState::Delivered | DeliveryState::Dead) => ENDED,
            Some(DeliveryState::Other(_)) | None => "d.state = $",
        };
        let parts: [(&str, Option<Value>); 9] = [
            ("d.id = $", self.id.map(Value::from)),
            (EVENT, self.event.map(Value::from)),
            (state, self.state.map(|state| state.as_str().into())),
            ("d.channel = $", self.channel.as_ref().map(Value::from)),
            ("d.destination = d.channel || ' ' || $", origin.map(Value::from)),
            (JOB, self.job.map(Value::from)),
            ("d.kind = $", self.kind.map(|kind| kind.as_str().into())),
            ("d.created_at >= $", self.since.map(Value::from)),
            ("d.created_at < $", self.until.map(Value::from)),
        ];
        let (mut sql, mut values) = ("1 = 1".to_owned(), Vec::new());
        for (part, value) in parts {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {}", part.replace('$', &format!("${}", values.len()))));
            }
        }
        (sql, values)
    }
}
