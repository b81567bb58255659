use jiff::civil::Time;
use jiff::{Span, Zoned};
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::schedule::time_zone;
use crate::{Error, Result, Timestamp};

/// Hours in which nobody is told: from one full hour to another, past midnight if the first is the later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuietHours {
    /// The first quiet hour, from 0 to 23.
    pub from: u8,
    /// The hour in which it is loud again, from 0 to 23.
    pub to: u8,
    /// The time zone, as the IANA database has it.
    #[serde(default = "utc")]
    pub zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl QuietHours {
    pub(super) fn new(from: u8, to: u8) -> Self {
        Self { from, to, zone: utc() }
    }

    /// Whether it can be kept to.
    ///
    /// # Errors
    /// `route.quiet`: an hour that no day has, or no hour at all; `schedule.zone`.
    pub fn check(&self) -> Result<()> {
        if self.from > 23 || self.to > 23 || self.from == self.to {
            return Err(Error::input(codes::ROUTE_QUIET, "these are no quiet hours")
                .with("hours", format!("{} to {}", self.from, self.to))
                .help("write two different hours from 0 to 23: `22, 7`"));
        }
        time_zone(&self.zone).map(drop)
    }

    /// These hours in somebody's own time zone, if it is known here.
    pub(crate) fn in_zone(&self, zone: Option<&str>) -> Self {
        let zone = zone.filter(|zone| {
            let known = time_zone(zone);
            if let Err(error) = &known {
                tracing::warn!(%error, "a person's time zone is not known: the route's is taken");
            }
            known.is_ok()
        });
        let zone = zone.map_or_else(|| self.zone.clone(), str::to_owned);
        Self { zone, ..self.clone() }
    }

    /// The first moment from this one on that is not quiet. Where a change of clocks leaves out the hour in which it gets loud,
    /// that of the change.
    #[must_use]
    pub fn after(&self, now: Timestamp) -> Timestamp {
        self.end(now).unwrap_or(now)
    }

    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = time_zone(&self.zone).ok()?;
        let millis = i64::try_from(now.millis()).ok()?;
        let local = jiff::Timestamp::from_millisecond(millis).ok()?.to_zoned(zone.clone());
        let hour = u8::try_from(local.hour()).ok()?;
        let over_midnight = self.from > self.to;
        let quiet = if over_midnight {
            hour >= self.from || hour < self.to
        } else {
            (self.from..self.to).contains(&hour)
        };
        if !quiet {
            return None;
        }
        let tomorrow = over_midnight && hour >= self.from;
        let day = if tomorrow {
            local.date().checked_add(Span::new().days(1)).ok()?
        } else {
            local.date()
        };
        let loud = day.to_datetime(Time::new(i8::try_from(self.to).ok()?, 0, 0, 0).ok()?);
        let loud: Zoned = loud.to_zoned(zone).ok()?;
        let loud = Timestamp::from_millis(u64::try_from(loud.timestamp().as_millisecond()).ok()?);
        // Where clocks are put back, the hour comes twice.
        Some(loud.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        serde_json::from_value(text.into()).unwrap()
    }

    fn loud(from: u8, to: u8, zone: &str, now: &str) -> String {
        QuietHours::new(from, to).in_zone(Some(zone)).after(at(now)).to_string()
    }

    #[test]
    fn a_night_ends_in_the_morning_of_its_zone() {
        // 22:30, 23:59 and 06:59 in Berlin in winter, then 07:00.
        for (now, end) in [
            ("2026-01-10T21:30:00Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-10T22:59:00Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T05:59:59Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T06:00:00Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T20:59:00Z", "2026-01-11T20:59:00.000Z"),
        ] {
            assert_eq!(loud(22, 7, "Europe/Berlin", now), end, "{now}");
        }
        assert_eq!(loud(12, 14, "UTC", "2026-01-10T13:00:00Z"), "2026-01-10T14:00:00.000Z");
    }

    #[test]
    fn clocks_change_in_the_night() {
        // In Berlin, 2026-03-29 has no hour from 2 to 3, and 2026-10-25 has it twice.
        assert_eq!(
            loud(22, 7, "Europe/Berlin", "2026-03-28T22:00:00Z"),
            "2026-03-29T05:00:00.000Z"
        );
        assert_eq!(
            loud(22, 2, "Europe/Berlin", "2026-03-29T00:30:00Z"),
            "2026-03-29T01:00:00.000Z"
        );
        assert_eq!(
            loud(22, 7, "Europe/Berlin", "2026-10-24T22:00:00Z"),
            "2026-10-25T06:00:00.000Z"
        );
        assert_eq!(loud(2, 3, "Europe/Berlin", "2026-10-25T01:30:00Z"), "2026-10-25T02:00:00.000Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (from, to) in [(24, 7), (22, 24), (7, 7)] {
            let quiet = QuietHours { from, to, zone: utc() };
            assert_eq!(quiet.check().unwrap_err().code(), codes::ROUTE_QUIET, "{from}..{to}");
        }
        let nowhere = QuietHours { from: 22, to: 7, zone: "Nowhere".into() };
        assert_eq!(nowhere.check().unwrap_err().code(), codes::SCHEDULE_ZONE);
        assert_eq!(loud(22, 7, "Nowhere", "2026-01-10T23:00:00Z"), "2026-01-11T07:00:00.000Z");
    }
}
