//! What must be true whatever has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mediaflow_core::report::{OutputState, Report};

use super::composed::{REFUSES, composed};
use super::world::World;
use super::{diary, figure, work};

/// What is wrong, counted.
#[derive(Debug, Default)]
struct Faults {
    lost: usize,
    not_terminal: usize,
    missing_events: usize,
    doubled_events: usize,
    half_written: usize,
    other_bytes: usize,
    staged: usize,
    unheard: usize,
    other_ids: usize,
    wrong_batches: usize,
    held: usize,
    wrong_shares: usize,
    too_early: usize,
    details: Vec<String>,
}

/// Counts what is wrong after everything has [settled](World::settles), tells the figures, and panics if there is
/// anything.
pub(super) async fn audit(world: &World, scenario: &str) {
    let mut faults = Faults::default();
    let states = jobs(world, &mut faults).await;
    events(world, &states, &mut faults).await;
    batches(world, &mut faults).await;
    results(world, &mut faults).await;
    notifications(world, &mut faults).await;
    places(world, &mut faults).await;
    followers(world, &mut faults).await;
    let composed = composed(world).await;
    faults.details.extend(composed.details);
    let tell =
        |name: &str, value: usize| figure(&format!("{scenario}.{name}"), world.backing, value, "0");
    tell("lost_jobs", faults.lost);
    tell("jobs_without_one_terminal_state", faults.not_terminal);
    tell("missing_terminal_events", faults.missing_events);
    tell("doubled_terminal_events", faults.doubled_events);
    tell("half_written_results", faults.half_written);
    tell("results_other_than_reported", faults.other_bytes);
    tell("staged_files_left", faults.staged);
    tell("missing_notifications", faults.unheard);
    tell("duplicates_with_another_webhook_id", faults.other_ids);
    tell("batches_without_one_event", faults.wrong_batches);
    tell("jobs_held_for_ever", faults.held);
    tell("shares_with_another_count", faults.wrong_shares);
    tell("followers_that_were_too_early", faults.too_early);
    tell("events_missing_in_composed_messages", composed.missing);
    tell("events_in_two_composed_messages", composed.doubled);
    tell("composed_messages_that_changed", composed.changed);
    println!(
        "{scenario}.{}: {} jobs, {} requests at the receiver",
        world.backing.name(),
        states.len(),
        world.receiver.heard().len()
    );
    let details = &faults.details;
    assert!(
        details.is_empty(),
        "{}: {}\n{}",
        world.backing.name(),
        details.join("\n"),
        diary::tail(&world.folder())
    );
}

/// The states of all jobs, after a look for those that are not there.
async fn jobs(world: &World, faults: &mut Faults) -> BTreeMap<String, String> {
    let rows = world.look.rows("SELECT id, state FROM mediaflow_jobs").await;
    let states: BTreeMap<_, _> =
        rows.into_iter().map(|mut row| (row.remove(0), row.remove(0))).collect();
    let accepted = fs::read_to_string(world.folder().join("accepted")).unwrap_or_default();
    let accepted = accepted.lines().map(str::to_owned);
    for job in world.jobs.iter().map(ToString::to_string).chain(accepted) {
        if !states.contains_key(&job) {
            faults.lost += 1;
            faults.details.push(format!("{job} was accepted and is gone"));
        }
    }
    for (job, state) in &states {
        if !matches!(&**state, "succeeded" | "partial" | "failed" | "cancelled") {
            faults.not_terminal += 1;
            faults.details.push(format!("{job} is {state}"));
        }
    }
    states
}

async fn events(world: &World, states: &BTreeMap<String, String>, faults: &mut Faults) {
    let find = "SELECT job, kind FROM mediaflow_events
                WHERE kind IN ('job.created', 'job.completed', 'job.failed', 'job.cancelled')";
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mut row in world.look.rows(find).await {
        told.entry(row.remove(0)).or_default().push(row.remove(0));
    }
    for (job, state) in states {
        let kinds = told.remove(job).unwrap_or_default();
        let end = match &**state {
            "failed" => "job.failed",
            "cancelled" => "job.cancelled",
            _ => "job.completed",
        };
        for wanted in ["job.created", end] {
            match kinds.iter().filter(|kind| *kind == wanted).count() {
                1 => {}
                0 => faults.missing_events += 1,
                _ => faults.doubled_events += 1,
            }
        }
        let mut kinds = kinds;
        kinds.sort();
        let mut wanted = ["job.created", end];
        wanted.sort_unstable();
        if kinds != wanted {
            faults.details.push(format!("{job} is {state} and has the events {kinds:?}"));
        }
    }
    faults.details.extend(told.into_keys().map(|job| format!("events of {job}, which is gone")));
}

async fn batches(world: &World, faults: &mut Faults) {
    let find = "SELECT b.id, CAST((SELECT count(*) FROM mediaflow_events e
                  WHERE e.batch = b.id AND e.kind = 'batch.completed') AS TEXT) FROM mediaflow_batches b";
    for row in world.look.rows(find).await {
        if row[1] != "1" {
            faults.wrong_batches += 1;
            faults.details.push(format!("{} has {} events batch.completed", row[0], row[1]));
        }
    }
}

async fn results(world: &World, faults: &mut Faults) {
    let out = world.folder().join("out");
    let reports =
        world.look.texts("SELECT report FROM mediaflow_jobs WHERE report IS NOT NULL").await;
    let mut places = BTreeSet::new();
    for report in reports {
        let report: Report = serde_json::from_str(&report).unwrap();
        for output in report.outputs {
            let key = output.output.trim_start_matches("out/").to_owned();
            if output.state == OutputState::Published {
                let found = fs::read(out.join(&key)).map(|found| work::sha256(&found));
                if found.as_ref().ok() != Some(&output.sha256) {
                    faults.other_bytes += 1;
                    let job = report.job;
                    faults.details.push(format!("{job}: {key} is not as reported: {found:?}"));
                }
            }
            places.insert(key);
        }
    }
    let mut files = Vec::new();
    walk(&out, &out, &mut files);
    for file in files {
        if file.starts_with(".mediaflow/") {
            faults.staged += 1;
            faults.details.push(format!("{file} is left"));
        } else if !work::is_whole(&fs::read(out.join(&file)).unwrap()) || !places.contains(&file) {
            faults.half_written += 1;
            faults.details.push(format!("{file} is not whole, or nobody's"));
        }
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}

/// Every terminal event was heard, and what was heard are the events of the table and no others.
async fn notifications(world: &World, faults: &mut Faults) {
    let find = "SELECT id FROM mediaflow_events
                WHERE kind IN ('job.completed', 'job.failed', 'job.cancelled', 'batch.completed')";
    let told: BTreeSet<_> = world.look.texts(find).await.into_iter().collect();
    let heard = world.receiver.heard();
    let accepted: BTreeSet<_> =
        heard.iter().filter(|heard| heard.accepted).map(|heard| heard.id.clone()).collect();
    for id in told.difference(&accepted) {
        faults.unheard += 1;
        faults.details.push(format!("nobody has heard of the event {id}"));
    }
    for id in accepted.difference(&told) {
        faults.other_ids += 1;
        faults.details.push(format!("the receiver has heard of {id}, which is no event"));
    }
    let given_up =
        format!("mediaflow_messages WHERE state <> 'delivered' AND channel <> '{REFUSES}'");
    let dead = world.look.count(&given_up).await;
    if dead > 0 {
        faults.details.push(format!("{dead} messages were given up"));
    }
}

/// Shares of which another number of places is taken than there are jobs that have one.
const WRONG_SHARES: &str =
    "SELECT s.share, CAST(s.taken AS TEXT) FROM mediaflow_shares s WHERE s.taken <> (
       SELECT count(*) FROM mediaflow_jobs j WHERE j.share = s.share AND j.shared = 1 AND j.ended_at IS NULL)";

/// True at every moment, whoever dies: a place is counted in the transaction that takes it, or gives it back.
pub(super) async fn places_are_counted(world: &World) {
    let wrong = world.look.rows(WRONG_SHARES).await;
    assert!(wrong.is_empty(), "{wrong:?}\n{}", diary::tail(&world.folder()));
}

async fn places(world: &World, faults: &mut Faults) {
    let open = world.look.count("mediaflow_open_batches").await;
    if open > 0 {
        faults.held += 1;
        faults.details.push(format!("{open} batches are not let go"));
    }
    for mut held in
        world.look.rows("SELECT id, held FROM mediaflow_jobs WHERE held IS NOT NULL").await
    {
        faults.held += 1;
        faults.details.push(format!("{} is held: {}", held.remove(0), held.remove(0)));
    }
    for row in world.look.rows(WRONG_SHARES).await {
        faults.wrong_shares += 1;
        faults.details.push(format!("{row:?} is another number than that of its jobs"));
    }
}

/// Nobody began before all had ended that it comes after.
async fn followers(world: &World, faults: &mut Faults) {
    let find = "SELECT a.job, a.before FROM mediaflow_after a
                JOIN mediaflow_events began ON began.job = a.job AND began.kind = 'job.started'
                JOIN mediaflow_events ended ON ended.job = a.before
                  AND ended.kind IN ('job.completed', 'job.failed', 'job.cancelled')
                WHERE began.seq < ended.seq";
    for row in world.look.rows(find).await {
        faults.too_early += 1;
        faults.details.push(format!("{} began before the end of {}", row[0], row[1]));
    }
}
