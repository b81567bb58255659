use std::fmt;
use std::time::Duration;

use super::figures::Stats;
use crate::outbox::Breaker;

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jobs = &self.jobs;
        writeln!(
            f,
            "jobs          queued {}, running {}, waiting {}, succeeded {}, partial {}, failed {}, cancelled {}",
            jobs.queued,
            jobs.running,
            jobs.waiting,
            jobs.succeeded,
            jobs.partial,
            jobs.failed,
            jobs.cancelled
        )?;
        if let Some(age) = self.oldest_queued {
            writeln!(f, "oldest queued {}", short(age))?;
        }
        let running = self.running.iter().map(|(class, jobs)| format!("{class} {jobs}"));
        line(f, "running", running)?;
        let throughput = &self.throughput;
        writeln!(
            f,
            "ended per min {:.1} (1 min), {:.1} (5 min), {:.1} (60 min)",
            throughput.last_minute, throughput.last_5_minutes, throughput.last_hour
        )?;
        line(
            f,
            "failures 24 h",
            self.failures.iter().map(|(code, jobs)| format!("{code} {jobs}")),
        )?;
        for (needs, jobs) in &self.unclaimed {
            writeln!(f, "unclaimed     {jobs} need {needs}")?;
        }
        for to in &self.destinations {
            let oldest = to.oldest_pending.map(|age| format!(" (oldest {})", short(age)));
            writeln!(
                f,
                "destination   {} {}: pending {}{}, delivered {}, dead {}, {}",
                to.channel,
                if to.origin.is_empty() { "-" } else { &to.origin },
                to.pending,
                oldest.unwrap_or_default(),
                to.delivered,
                to.dead,
                to.breaker
            )?;
        }
        for worker in &self.workers {
            writeln!(
                f,
                "worker        {} {}:{}, up {}, last beat {} ago",
                worker.id,
                worker.host,
                worker.pid,
                short(worker.uptime),
                short(worker.beat)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Open(rest) => write!(f, "open for {}", short(*rest)),
            Self::HalfOpen => f.write_str("half open"),
            Self::Disabled => f.write_str("disabled"),
        }
    }
}

/// A line of a list, unless it is empty.
fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    items: impl Iterator<Item = String>,
) -> fmt::Result {
    let items: Vec<_> = items.collect();
    if items.is_empty() { Ok(()) } else { writeln!(f, "{name:<13} {}", items.join(", ")) }
}

/// A time to glance at.
fn short(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
