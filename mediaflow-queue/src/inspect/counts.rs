use mediaflow_core::Result;
use mediaflow_core::inspect::{Counts, Ended};

use crate::db::values;
use crate::process::Process;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long after its end a minute is counted: an end may take so long from its moment to its commit.
const LATE: i64 = 30_000;

/// How many minutes are counted in one turn, after a time in which nobody has counted: others want to write as well.
const AT_ONCE: i64 = 5;

const LIVE: &str = "SELECT CASE WHEN state = 'held' THEN 'queued' WHEN state <> 'parked' THEN state WHEN parts_left IS NULL THEN 'queued' ELSE 'running' END AS state,
      count(*) AS jobs
    FROM mediaflow_jobs WHERE ended_at IS NULL GROUP BY 1
    UNION ALL
    SELECT 'not whole', CAST(coalesce(sum((SELECT count(*) FROM mediaflow_batch_jobs b WHERE b.batch = o.batch)), 0) AS BIGINT)
    FROM mediaflow_open_batches o WHERE o.whole <> 1";

/// Those that ended since three moments, and the first of them, from the index of ends alone.
const ENDED: &str = "SELECT state, failure_code AS code,
      count(CASE WHEN ended_at >= $3 THEN 1 END) AS minute,
      count(CASE WHEN ended_at >= $4 THEN 1 END) AS hour,
      count(CASE WHEN ended_at >= $5 THEN 1 END) AS day
    FROM mediaflow_jobs WHERE ended_at >= $1 AND ended_at < $2 GROUP BY state, failure_code";

/// The same of minutes that were counted.
const COUNTED: &str = "SELECT state, code, CAST(sum(jobs) AS BIGINT) AS jobs FROM mediaflow_ended
    WHERE minute >= $1 AND minute < $2 GROUP BY state, code";

const UPTO: &str = "SELECT value FROM mediaflow_facts WHERE name = 'counted'";

/// The first end that was not counted.
const NEXT: &str = "SELECT min(ended_at) AS at FROM mediaflow_jobs WHERE ended_at >= $1";

const COUNT: &str = "INSERT INTO mediaflow_ended (minute, state, code, jobs)
    SELECT ended_at / 60000, state, coalesce(failure_code, ''), count(*) FROM mediaflow_jobs
    WHERE ended_at >= $1 AND ended_at < $2 GROUP BY ended_at / 60000, state, coalesce(failure_code, '')
    ON CONFLICT (minute, state, code) DO UPDATE SET jobs = excluded.jobs";

const NOTE: &str = "INSERT INTO mediaflow_facts (name, value) VALUES ('counted', $1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// How many jobs there are, and how many have ended lately: whole minutes from what was counted, the rest from the index.
pub(crate) async fn counts(process: &Process) -> Result<Counts> {
    let (now, mut counts) = (now(process), Counts::default());
    for row in process.db.rows(LIVE, &[]).await? {
        counts.live.insert(row.text("state")?, row.int("jobs")?.unsigned_abs());
    }
    // All of these are held, which is to be queued.
    let hidden = counts.live.remove("not whole").unwrap_or_default();
    if let Some(queued) = counts.live.get_mut("queued") {
        *queued = queued.saturating_sub(hidden);
    }
    counts.live.retain(|_, jobs| *jobs > 0);
    let upto = upto(process).await?.unwrap_or(0);
    // The last minute is asked of the index; of a longer time the minute in which it begins is taken as a whole.
    let (minute, mut since) = (now - MINUTE, [now - HOUR, now - DAY]);
    for (ended, since) in [&mut counts.hour, &mut counts.day].into_iter().zip(&mut since) {
        let counted = upto.clamp(*since, now);
        if counted > *since {
            *ended = of_minutes(process, (*since / MINUTE, counted / MINUTE)).await?;
        }
        *since = counted;
    }
    let [hour, day] = since;
    let first = minute.min(hour).min(day);
    // In a large table a range of moments is planned anew each time, which takes longer than to read it: not there.
    let moments = values![first, now + LATE, minute, hour, day];
    for row in process.db.looked(ENDED, moments).await? {
        let (state, code) = (row.text("state")?, row.opt_text("code")?);
        let all =
            [(&mut counts.minute, "minute"), (&mut counts.hour, "hour"), (&mut counts.day, "day")];
        for (ended, column) in all {
            match row.int(column)?.unsigned_abs() {
                0 => {}
                jobs => ended.add(&state, code.as_deref(), jobs),
            }
        }
    }
    Ok(counts)
}

/// How many jobs ended in these minutes. Nothing is added to them: what was read once is known until other minutes are meant.
async fn of_minutes(process: &Process, minutes: (i64, i64)) -> Result<Ended> {
    if let Some(known) = process.counted().get(&minutes) {
        return Ok(known.clone());
    }
    let mut ended = Ended::default();
    for row in process.db.rows(COUNTED, values![minutes.0, minutes.1]).await? {
        let code = row.text("code")?;
        let code = Some(&*code).filter(|code| !code.is_empty());
        ended.add(&row.text("state")?, code, row.int("jobs")?.unsigned_abs());
    }
    let mut counted = process.counted();
    // Those of an hour and those of a day, as of this minute and of the last one.
    if counted.len() >= 4 {
        counted.clear();
    }
    counted.insert(minutes, ended.clone());
    Ok(ended)
}

/// Counts the minutes that are over. One worker does it, now and then.
pub(crate) async fn count_ended(process: &Process) -> Result<()> {
    let now = now(process);
    let over = (now - LATE) / MINUTE * MINUTE;
    let first = (now - DAY) / MINUTE * MINUTE;
    let upto = upto(process).await?.unwrap_or(0).max(first);
    if over <= upto {
        return Ok(());
    }
    let next = process.db.row(NEXT, values![upto]).await?;
    let next = next.map(|row| row.opt_int("at")).transpose()?.flatten();
    let from = next.map_or(over, |next| next / MINUTE * MINUTE).min(over);
    let until = over.min(from + AT_ONCE * MINUTE);
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    tx.run(COUNT, values![from, until]).await?;
    tx.run("DELETE FROM mediaflow_ended WHERE minute < $1", values![first / MINUTE]).await?;
    tx.run(NOTE, values![until.to_string()]).await?;
    transaction.commit().await
}

async fn upto(process: &Process) -> Result<Option<i64>> {
    let row = process.db.row(UPTO, &[]).await?;
    Ok(row.map(|row| row.text("value")).transpose()?.and_then(|upto| upto.parse().ok()))
}

fn now(process: &Process) -> i64 {
    i64::try_from(process.now().millis()).unwrap_or(i64::MAX)
}
