//! What a worker leaves behind that is dead, paused or cut off is done by another one; what River lost is ended.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use database::{Database, builder, many, once, shut, work};
use mediaflow_core::event::EventData;
use mediaflow_core::report::{JobState, JobStatus};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, RecordingNotifier, soon};
use mediaflow_core::{JobId, Mediaflow, Timestamp};
use rustix::process::Signal;

on_both! {
    a_job_of_a_dead_worker_is_done_again
    a_job_of_an_unregistered_worker_is_done_again
    the_last_attempt_of_a_dead_worker_is_a_failure
    a_cancelled_job_of_a_dead_worker_ends_cancelled
    an_attempt_whose_end_was_not_written_is_done_again
    what_river_has_ended_ends
    what_river_has_lost_is_queued_again
    what_has_ended_is_kept_until_everybody_was_told
    a_killed_process_loses_nothing
    a_restart_makes_only_the_missing_parts
    a_paused_process_can_not_end_its_job
    an_attempt_that_does_not_count_harms_no_other
    a_fleet_of_dead_workers_is_taken_over_by_the_last
}

const DEAD: &str = "mediaflow-dead";

async fn submitter(database: &Database) -> Mediaflow {
    builder(database.queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .submit_only()
        .start()
        .await
        .unwrap()
}

async fn worker(database: &Database, fake: &FakeBackend) -> Mediaflow {
    builder(database.queue(), fake).storage_with("out", MemoryStorage::new()).start().await.unwrap()
}

async fn end(media: &Mediaflow, job: JobId) -> JobStatus {
    soon("end", media.handle(job).ended()).await.unwrap()
}

async fn a_job_of_a_dead_worker_is_done_again(database: Database) {
    let client = submitter(&database).await;
    let job = client.submit(work("left")).await.unwrap().id();
    database.register_dead(DEAD).await;
    database.abandon(job, DEAD).await;

    let media = worker(&database, &FakeBackend::new()).await;
    let status = end(&media, job).await;
    assert_eq!((status.state, status.attempts), (JobState::Succeeded, 2));
    assert_eq!(database.ends(job).await, 1);
    let dead = format!("SELECT count(*) FROM mediaflow_workers WHERE id = '{DEAD}'");
    assert_eq!(database.int(&dead).await, 0);
    // What the dead one may still tell River about its row finds nothing.
    database.until("SELECT count(*) FROM river_job WHERE state = 'completed'", 1).await;
    assert_eq!(database.int("SELECT count(*) FROM river_job").await, 1);
    shut(client).await;
    shut(media).await;
}

async fn a_job_of_an_unregistered_worker_is_done_again(database: Database) {
    let client = submitter(&database).await;
    let job = client.submit(work("left")).await.unwrap().id();
    database.abandon(job, DEAD).await;
    let media = worker(&database, &FakeBackend::new()).await;
    assert_eq!(end(&media, job).await.state, JobState::Succeeded);
    shut(client).await;
    shut(media).await;
}

async fn the_last_attempt_of_a_dead_worker_is_a_failure(database: Database) {
    let client = submitter(&database).await;
    let job = client.submit(once(work("left"))).await.unwrap().id();
    database.register_dead(DEAD).await;
    database.abandon(job, DEAD).await;

    let fake = FakeBackend::new();
    let media = worker(&database, &fake).await;
    let status = end(&media, job).await;
    let failure = status.failure.expect("a failure");
    assert_eq!((status.state, failure.code.as_str()), (JobState::Failed, "job.worker_lost"));
    assert!(failure.help.is_some());
    assert_eq!(database.ends(job).await, 1);
    assert_eq!(fake.runs(), Vec::<String>::new());
    shut(client).await;
    shut(media).await;
}

async fn a_cancelled_job_of_a_dead_worker_ends_cancelled(database: Database) {
    let client = submitter(&database).await;
    let job = client.submit(work("left")).await.unwrap().id();
    database.register_dead(DEAD).await;
    database.abandon(job, DEAD).await;
    client.handle(job).cancel().await.unwrap();

    let fake = FakeBackend::new();
    let media = worker(&database, &fake).await;
    assert_eq!(end(&media, job).await.state, JobState::Cancelled);
    assert_eq!((database.ends(job).await, fake.runs().len()), (1, 0));
    shut(client).await;
    shut(media).await;
}

async fn an_attempt_whose_end_was_not_written_is_done_again(database: Database) {
    let media = worker(&database, &FakeBackend::new()).await;
    database.until("SELECT count(*) FROM mediaflow_workers", 1).await;
    let itself = database.texts("SELECT id FROM mediaflow_workers").await.remove(0);
    media.pause().await.unwrap();
    let job = media.submit(once(work("unwritten"))).await.unwrap().id();
    database.abandon(job, &itself).await;
    media.resume().await.unwrap();
    // It is no fault of the job, so that it does not cost its only attempt.
    assert_eq!(end(&media, job).await.state, JobState::Succeeded);
    assert_eq!(database.ends(job).await, 1);
    shut(media).await;
}

async fn what_river_has_ended_ends(database: Database) {
    let client = submitter(&database).await;
    let mut jobs = Vec::new();
    for name in ["cancelled", "discarded", "completed", "deleted", "running", "fine"] {
        jobs.push(client.submit(work(name)).await.unwrap().id());
    }
    let [cancelled, discarded, completed, deleted, running, fine] = jobs[..] else { panic!("six") };
    let long_ago = database.words().long_ago;
    for (job, state) in [
        (cancelled, "cancelled"),
        (discarded, "discarded"),
        (completed, "completed"),
        (running, "cancelled"),
    ] {
        let end = format!(
            "UPDATE river_job SET state = '{state}', finalized_at = {long_ago}
             WHERE id = (SELECT river FROM mediaflow_jobs WHERE id = '{job}')"
        );
        assert_eq!(database.run(&end).await, 1);
    }
    database
        .run(&format!(
            "DELETE FROM river_job WHERE id = (SELECT river FROM mediaflow_jobs WHERE id = '{deleted}')"
        ))
        .await;
    database
        .run(&format!("UPDATE mediaflow_jobs SET state = 'running' WHERE id = '{running}'"))
        .await;

    let media = worker(&database, &FakeBackend::new()).await;
    for job in [discarded, completed] {
        let status = end(&media, job).await;
        assert_eq!(status.state, JobState::Failed);
        assert_eq!(status.failure.expect("a failure").code, "job.lost");
    }
    assert_eq!(end(&media, cancelled).await.state, JobState::Cancelled);
    assert_eq!(end(&media, running).await.state, JobState::Cancelled);
    // What nobody has ended is done, whatever has become of its row.
    for job in [deleted, fine] {
        assert_eq!(end(&media, job).await.state, JobState::Succeeded);
    }
    for job in jobs {
        assert_eq!(database.ends(job).await, 1);
    }
    shut(client).await;
    shut(media).await;
}

/// As after a change of River's schema: nothing of what waits has a row there, in whichever stage it is.
async fn what_river_has_lost_is_queued_again(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeBackend::new();
    fake.script("20", [Behaviour::Block]);
    let media = shared(&database, &fake, folder.path()).await;
    let soon_due = Timestamp::from(SystemTime::now() + Duration::from_secs(3));
    let later = work("later").with_options(JobOptions::new().priority(10).run_at(soon_due));
    let split = media.submit(many(24)).await.unwrap().id();
    fake.begun("20", 1).await;
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'done'", 2).await;
    media.pause().await.unwrap();
    let waits = media.submit(later).await.unwrap().id();
    // The part that is running is left to whoever runs it, and has no row to come back to when that dies.
    assert!(database.run("DELETE FROM river_job").await >= 3);
    fake.release();
    // The assembly is queued by the last part, and lost as well.
    let ready = "SELECT count(*) FROM mediaflow_jobs j JOIN river_job r ON r.id = j.river WHERE j.parts_left = 0";
    database.until(ready, 1).await;
    database.run("DELETE FROM river_job").await;
    media.resume().await.unwrap();
    for job in [waits, split] {
        let status = end(&media, job).await;
        assert_eq!((status.state, status.attempts), (JobState::Succeeded, 1), "{status:?}");
        assert_eq!(database.ends(job).await, 1);
    }
    let priorities = format!(
        "SELECT CAST(priority AS TEXT) FROM river_job WHERE id = (SELECT river FROM mediaflow_jobs WHERE id = '{waits}')"
    );
    assert_eq!(database.texts(&priorities).await, ["1"]);
    shut(media).await;
}

async fn what_has_ended_is_kept_until_everybody_was_told(database: Database) {
    let told = RecordingNotifier::new("told");
    let queue = database.queue().retention(Duration::ZERO);
    let media = builder(queue, &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .notify(told.clone())
        .start()
        .await
        .unwrap();
    let job = media.submit(work("told")).await.unwrap().id();
    let gone = format!("SELECT count(*) FROM mediaflow_jobs WHERE id = '{job}'");
    database.until(&gone, 0).await;
    let events = format!("SELECT count(*) FROM mediaflow_events WHERE job = '{job}'");
    database.until(&events, 0).await;
    for table in
        ["mediaflow_outputs", "mediaflow_messages", "mediaflow_attempts", "mediaflow_unrouted"]
    {
        assert_eq!(database.int(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    let ends = told.attempts().into_iter().filter(|(told, _)| told.event().kind.is_terminal());
    assert_eq!(ends.count(), 1);
    shut(media).await;

    // Somebody was not told: it stays, whatever its age.
    let client = submitter(&database).await;
    let kept = client.submit(work("kept")).await.unwrap().id();
    database
        .run(&format!(
            "UPDATE mediaflow_jobs SET state = 'failed', ended_at = queued_at WHERE id = '{kept}'"
        ))
        .await;
    database
        .run(&format!(
            "INSERT INTO mediaflow_messages (uid, rule, group_key, channel, destination, event, kind, job, state, due,
               expires_at, created_at)
             SELECT e.id, 'absent', e.id, 'absent', 'absent ', e.id, e.kind, e.job, 'pending', 1, 4102444800000, 1
             FROM mediaflow_events e WHERE e.job = '{kept}'"
        ))
        .await;
    let gone = client.submit(work("gone")).await.unwrap().id();
    database
        .run(&format!(
            "UPDATE mediaflow_jobs SET state = 'failed', ended_at = queued_at WHERE id = '{gone}'"
        ))
        .await;
    // Retention goes on where it was, for an hour, and both have ended before that by hand.
    database.run("DELETE FROM mediaflow_facts WHERE name = 'retention'").await;
    let queue = database.queue().retention(Duration::ZERO);
    let media = builder(queue, &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .notify(told.clone())
        .start()
        .await
        .unwrap();
    database.until(&format!("SELECT count(*) FROM mediaflow_jobs WHERE id = '{gone}'"), 0).await;
    assert_eq!(
        database.int(&format!("SELECT count(*) FROM mediaflow_jobs WHERE id = '{kept}'")).await,
        1
    );
    shut(client).await;
    shut(media).await;
}

async fn a_killed_process_loses_nothing(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let other = Other::start(&database, folder.path(), "held").await;
    let client = submitter(&database).await;
    let job = client.submit(work("held")).await.unwrap().id();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'running'", 1).await;
    other.kill().await;

    let fake = FakeBackend::new();
    let restarted = Instant::now();
    let media = shared(&database, &fake, folder.path()).await;
    fake.begun("held", 1).await;
    // At once on SQLite, and after the lease and what it takes to trust in one's own signs of life on PostgreSQL.
    let goal = Duration::from_secs(if database.address().contains("jobs.db") { 2 } else { 4 });
    assert!(restarted.elapsed() < goal, "{:?}", restarted.elapsed());
    let status = end(&media, job).await;
    assert_eq!((status.state, status.attempts), (JobState::Succeeded, 2));
    assert_eq!(database.ends(job).await, 1);
    shut(client).await;
    shut(media).await;
    database.until("SELECT count(*) FROM mediaflow_workers", 0).await;
}

async fn a_restart_makes_only_the_missing_parts(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    // Of 24 outputs, which are three parts, the other process can not make the last ones.
    let other = Other::start(&database, folder.path(), "20").await;
    let client = submitter(&database).await;
    let job = client.submit(many(24)).await.unwrap().id();
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'done'", 2).await;
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'running'", 1).await;
    other.kill().await;

    let fake = FakeBackend::new();
    let media = shared(&database, &fake, folder.path()).await;
    let status = end(&media, job).await;
    assert_eq!(status.state, JobState::Succeeded);
    assert_eq!(status.outputs.len(), 24);
    let lost: Vec<_> = retried(&media, job).await;
    assert_eq!(lost, [(Some(3), "job.worker_lost".to_owned())]);
    let mut runs = fake.runs();
    runs.sort();
    assert_eq!(runs, ["16", "17", "18", "19", "20", "21", "22", "23"]);
    assert_eq!(database.ends(job).await, 1);
    shut(client).await;
    shut(media).await;
}

/// Which part was tried again, if any, and what the attempt before had failed with, by the events.
async fn retried(media: &Mediaflow, job: JobId) -> Vec<(Option<u32>, String)> {
    let history = media.inspect().job(job).await.unwrap();
    let data = history.events.iter().map(|placed| &placed.event.data);
    let failed = data.filter_map(|data| match data {
        EventData::Retry(failed) => Some((failed.part, failed.failure.code.clone())),
        _ => None,
    });
    failed.collect()
}

async fn a_paused_process_can_not_end_its_job(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let other = Other::start(&database, folder.path(), "held").await;
    let client = submitter(&database).await;
    let job = client.submit(work("held")).await.unwrap().id();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'running'", 1).await;
    let name = database.texts("SELECT id FROM mediaflow_workers").await.remove(0);
    other.signal(Signal::STOP);

    let media = shared(&database, &FakeBackend::new(), folder.path()).await;
    let status = end(&media, job).await;
    assert_eq!((status.state, status.attempts), (JobState::Succeeded, 2));
    let attempts = media.inspect().job(job).await.unwrap().attempts;
    let failures = attempts.iter().map(|attempt| attempt.failure.as_ref());
    let codes: Vec<_> = failures.map(|failure| failure.map(|failure| &*failure.code)).collect();
    assert_eq!(codes, [Some("job.worker_lost"), None], "{attempts:?}");
    other.signal(Signal::CONT);
    // It finds that it was taken for dead, stops what it does, and is a worker again.
    let back = format!("SELECT count(*) FROM mediaflow_workers WHERE id = '{name}'");
    database.until(&back, 1).await;
    assert_eq!(end(&media, job).await.attempts, 2);
    assert_eq!(database.ends(job).await, 1);
    other.kill().await;
    shut(client).await;
    shut(media).await;
}

async fn shared(database: &Database, fake: &FakeBackend, folder: &Path) -> Mediaflow {
    let storage = format!("file://{}", folder.display());
    builder(database.queue(), fake).storage("out", &storage).start().await.unwrap()
}

/// Another process at work on the same database.
struct Other(tokio::process::Child);

const DATABASE: &str = "MEDIAFLOW_TAKEOVER_DATABASE";
const FOLDER: &str = "MEDIAFLOW_TAKEOVER_FOLDER";
const HOLDS: &str = "MEDIAFLOW_TAKEOVER_HOLDS";

impl Other {
    /// Starts it, and waits until it is a worker. It never gets past the step of this name.
    async fn start(database: &Database, folder: &Path, holds: &str) -> Self {
        let child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_other_process"])
            .env(DATABASE, database.address())
            .env(FOLDER, folder)
            .env(HOLDS, holds)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let registered = async {
            let there = "SELECT count(*) FROM mediaflow_workers";
            let made = "mediaflow_workers".to_owned();
            while !database.tables().await.contains(&made) || database.int(there).await == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon("worker in another process", registered).await;
        Self(child)
    }

    fn signal(&self, signal: Signal) {
        let pid = self.0.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a running process");
        rustix::process::kill_process(pid, signal).unwrap();
    }

    async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }
}

/// Nothing but what [`Other`] starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let fake = FakeBackend::new();
    fake.script(std::env::var(HOLDS).unwrap(), [Behaviour::Block]);
    let storage = format!("file://{}", std::env::var(FOLDER).unwrap());
    let _media = builder(Database::queue_at(&database).lease(Duration::from_secs(1)), &fake)
        .storage("out", &storage)
        .places("image", 1)
        .start()
        .await
        .unwrap();
    // Until it is killed, or the test is gone.
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Attempts that end at the same moment share a transaction.
async fn an_attempt_that_does_not_count_harms_no_other(database: Database) {
    let fake = FakeBackend::new();
    let names: Vec<_> = (0..8).map(|number| format!("job-{number}")).collect();
    names.iter().for_each(|name| fake.script(name, [Behaviour::Block]));
    let builder = builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let media = builder.places("image", names.len()).start().await.unwrap();
    let mut jobs = Vec::new();
    for name in &names {
        jobs.push(media.submit(work(name)).await.unwrap().id());
        soon("beginning", fake.begun(name, 1)).await;
    }
    let taken_over = jobs.remove(3);
    database
        .run(&format!("UPDATE mediaflow_jobs SET fence = fence + 1 WHERE id = '{taken_over}'"))
        .await;
    fake.release();
    for job in jobs {
        assert_eq!(end(&media, job).await.state, JobState::Succeeded);
        assert_eq!(database.ends(job).await, 1);
    }
    assert_eq!(database.ends(taken_over).await, 0);
    shut(media).await;
}

/// Who is not among the first looks after the first, and so after all, one after the other.
async fn a_fleet_of_dead_workers_is_taken_over_by_the_last(database: Database) {
    let client = submitter(&database).await;
    let mut jobs = Vec::new();
    for number in 1..=6 {
        let job = client.submit(work(&format!("w{number}"))).await.unwrap();
        let worker = format!("a-{number}");
        database.abandon(job.id(), &worker).await;
        database.register_dead(&worker).await;
        jobs.push(job);
    }
    let media = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .start()
        .await
        .unwrap();
    for job in jobs {
        soon("success", job.done()).await.unwrap();
    }
    database.until("SELECT count(*) FROM mediaflow_workers", 1).await;
    shut(media).await;
    shut(client).await;
}
