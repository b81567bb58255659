//! Jobs that are submitted by the clock.
//!
//! A schedule has a name, a cron line and a job. Each time that the line names is one run: whichever process is first submits
//! it, and no other does. Times that pass while nobody is there are not made up for one by one: the latest is run when
//! somebody comes back, and the others are told of (`schedule.missed`).
//!
//! Uses: codes, error, event, id, spec, time.

use std::fmt;
use std::str::FromStr;

use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::event::{Event, EventData, EventKind};
use crate::id::JobId;
use crate::spec::JobSpec;
use crate::{Error, Result, Timestamp};

/// When: five fields (minute, hour, day of the month, month, day of the week), or six with the second before them, in a time
/// zone. Names (`mon`, `jan`), ranges, steps, `L`, `#`, `W` and `@daily` are known, as
/// [croner](https://github.com/hexagon/croner-rust) has them.
///
/// A time that a change of clocks leaves out is run at the change, and one that it brings twice is run once.
///
/// ```
/// use mediaflow_core::schedule::Cron;
///
/// let nightly: Cron = "0 3 * * *".parse()?; // in UTC
/// let morning = Cron::new("30 7 * * mon-fri")?.in_zone("Europe/Berlin")?;
/// assert_eq!("0 25 * * *".parse::<Cron>().unwrap_err().code(), "schedule.cron");
/// # Ok::<_, mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cron {
    /// The line, as it was given.
    pub line: String,
    /// The name of the time zone, as the IANA database has it.
    pub zone: String,
}

impl Cron {
    /// In UTC.
    ///
    /// # Errors
    /// `schedule.cron`: what is wrong with the line; also if no time fits it.
    pub fn new(line: impl Into<String>) -> Result<Self> {
        let cron = Self { line: line.into(), zone: "UTC".to_owned() };
        cron.next(Timestamp::from_millis(0)).map(|_| cron)
    }

    /// In this time zone, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// `schedule.zone` if there is none of this name.
    pub fn in_zone(mut self, name: impl Into<String>) -> Result<Self> {
        self.zone = name.into();
        time_zone(&self.zone).map(|_| self)
    }

    /// The first time after a moment.
    ///
    /// # Errors
    /// `schedule.cron`, `schedule.zone`: as when it was made, on another machine perhaps.
    pub fn next(&self, after: Timestamp) -> Result<Timestamp> {
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser.parse(&self.line).map_err(|e| wrong(&self.line).because(e))?;
        let millis = i64::try_from(after.millis()).unwrap_or(i64::MAX);
        let after = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        let after = after.to_zoned(time_zone(&self.zone)?);
        let next =
            cron.find_next_occurrence(&after, false).map_err(|e| wrong(&self.line).because(e))?;
        let millis = next.timestamp().as_millisecond();
        Ok(Timestamp::from_millis(u64::try_from(millis).unwrap_or_default()))
    }
}

impl FromStr for Cron {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        Self::new(line)
    }
}

impl TryFrom<&str> for Cron {
    type Error = Error;

    fn try_from(line: &str) -> Result<Self> {
        Self::new(line)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.line, self.zone)
    }
}

/// The time zone of this name.
pub(crate) fn time_zone(name: &str) -> Result<TimeZone> {
    TimeZone::get(name).map_err(|e| {
        Error::input(codes::SCHEDULE_ZONE, "there is no such time zone here")
            .with("zone", name.escape_debug())
            .help("use a name such as `Europe/Berlin` or `UTC`")
            .because(e)
    })
}

fn wrong(line: &str) -> Error {
    let shown: String = line.chars().take(100).collect();
    Error::input(codes::SCHEDULE_CRON, "this is no cron line, or no time fits it")
        .with("cron", shown.escape_debug())
        .help("write minute, hour, day of the month, month and day of the week: `0 3 * * *`")
}

/// A job and when it is submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Schedule {
    /// Its name: there is one of each.
    pub name: String,
    /// When.
    pub cron: Cron,
    /// What.
    pub spec: JobSpec,
}

impl Schedule {
    /// This job at these times.
    ///
    /// # Errors
    /// `schedule.name` unless the name has 1 to 100 bytes and no control character.
    pub fn new(name: impl Into<String>, cron: Cron, spec: JobSpec) -> Result<Self> {
        let name = name.into();
        if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
            return Err(Error::input(codes::SCHEDULE_NAME, "this can not name a schedule")
                .with("name", name.escape_debug())
                .help("use 1 to 100 bytes without control characters"));
        }
        Ok(Self { name, cron, spec })
    }

    /// What is due: the job to submit, and the time after it.
    ///
    /// # Errors
    /// Those of [`Cron::next`].
    pub fn take(&self, due: Timestamp, now: Timestamp) -> Result<Occurrence> {
        let (mut latest, mut missed) = (due, 0);
        let next = loop {
            let next = self.cron.next(latest)?;
            if next > now {
                break next;
            }
            missed += 1;
            // Nobody counts the seconds of a year.
            if missed >= Self::COUNTED {
                break self.cron.next(now)?;
            }
            latest = next;
        };
        let mut spec = self.spec.clone();
        // Whatever happens to the answer, this time is submitted once.
        spec.options.idempotency_key = Some(format!("schedule {} {latest}", self.name));
        Ok(Occurrence { spec, next, missed, since: due })
    }

    /// The event that tells of missed times, if there are any.
    #[must_use]
    pub fn missed(&self, occurrence: &Occurrence, now: Timestamp) -> Option<Event> {
        let data = EventData::Missed {
            schedule: self.name.clone(),
            times: occurrence.missed,
            since: occurrence.since,
        };
        (occurrence.missed > 0).then(|| Event::new(EventKind::ScheduleMissed, now, data))
    }

    /// At most so many missed times are counted: each costs a look at the calendar.
    const COUNTED: u64 = 1_000;
}

/// A schedule whose time has come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Occurrence {
    /// The job, bound to its time by its idempotency key.
    pub spec: JobSpec,
    /// When the next one is.
    pub next: Timestamp,
    /// How many times have passed before this one that nobody was there for; 1,000 stands for that and more.
    pub missed: u64,
    /// When the first of these was.
    pub since: Timestamp,
}

/// A schedule as it stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scheduled {
    /// The schedule.
    pub schedule: Schedule,
    /// When it runs next.
    pub next: Timestamp,
    /// When it ran last, and the job of that.
    pub last: Option<(Timestamp, JobId)>,
}

impl Scheduled {
    /// One that runs next at this moment.
    #[must_use]
    pub fn new(schedule: Schedule, next: Timestamp, last: Option<(Timestamp, JobId)>) -> Self {
        Self { schedule, next, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{IntoSpec as _, Pipeline, Source};

    fn at(text: &str) -> Timestamp {
        serde_json::from_value(text.into()).unwrap()
    }

    fn copy() -> JobSpec {
        let dot = Source::bytes(&b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"[..]);
        Pipeline::from(dot).output("out/dot.gif", |dot| dot).build().unwrap().into_spec().unwrap()
    }

    #[test]
    fn a_time_zone_has_its_changes_of_clocks() {
        let morning = Cron::new("30 2 * * *").unwrap().in_zone("Europe/Berlin").unwrap();
        let before = at("2026-03-28T02:00:00Z");
        // On the 29th the clocks go from 2 to 3 o'clock.
        let first = morning.next(before).unwrap();
        let second = morning.next(first).unwrap();
        assert_eq!(second, at("2026-03-30T00:30:00Z"), "{first} {second}");
        assert_eq!(first.seconds() / 86_400, at("2026-03-29T00:00:00Z").seconds() / 86_400);
        // On 25 October they go back from 3 to 2, and the time comes twice.
        let evening = at("2026-10-24T18:00:00Z");
        let once = morning.next(evening).unwrap();
        assert!(morning.next(once).unwrap() > at("2026-10-25T18:00:00Z"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let no_cron = [
            "",
            "x",
            "* * *",
            "61 * * * *",
            "0 0 30 2 *",
            "0 3 * * * * * *",
            "99999999999999999999 * * * *",
        ];
        for line in no_cron {
            assert_eq!(Cron::new(line).unwrap_err().code(), "schedule.cron", "{line:?}");
        }
        let zone = Cron::new("0 3 * * *").unwrap().in_zone("Europe/Nowhere").unwrap_err();
        assert_eq!(zone.code(), "schedule.zone");
        for name in ["", "a\n", &"n".repeat(101)] {
            let error = Schedule::new(name, "@daily".parse().unwrap(), copy()).unwrap_err();
            assert_eq!(error.code(), "schedule.name");
        }
    }

    #[test]
    fn missed_times_are_counted_and_the_latest_is_run() {
        let schedule = Schedule::new("hourly", "0 * * * *".parse().unwrap(), copy()).unwrap();
        let run = schedule.take(at("2026-01-01T01:00:00Z"), at("2026-01-01T05:30:00Z")).unwrap();
        assert_eq!((run.missed, run.next), (4, at("2026-01-01T06:00:00Z")));
        let key = run.spec.options.idempotency_key.unwrap();
        assert_eq!(key, "schedule hourly 2026-01-01T05:00:00.000Z");
        let on_time =
            schedule.take(at("2026-01-01T01:00:00Z"), at("2026-01-01T01:00:01Z")).unwrap();
        assert_eq!((on_time.missed, on_time.next), (0, at("2026-01-01T02:00:00Z")));
        let long = Schedule::new("often", "* * * * * *".parse().unwrap(), copy()).unwrap();
        let run = long.take(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")).unwrap();
        assert_eq!((run.missed, run.next), (1_000, at("2027-01-01T00:00:01Z")));
        // The next time is one of its own.
        let next = long.take(run.next, run.next).unwrap();
        assert_ne!(run.spec.options.idempotency_key, next.spec.options.idempotency_key);
    }
}
