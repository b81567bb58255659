//! What goes on although something panics, an answer is lost, or a process has left something behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, many, shut, work};
use futures_util::StreamExt as _;
use mediaflow_core::event::EventData;
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::media::Blob;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{IntoSpec as _, JobOptions, Pipeline, PutOptions};
use mediaflow_core::storage::{MemoryStorage, Storage as _, Ticket};
use mediaflow_core::testing::{
    Act, Behaviour, FakeBackend, FakeWork, ManualClock, RecordingNotifier, ScriptedNotifier, dot,
    soon,
};
use mediaflow_core::{Clock as _, EventKind, NotifyError};
use mediaflow_queue::testing::{fail_at, failures_left};
use tokio::sync::Mutex;

on_both! {
    a_loop_that_panics_is_begun_again
    a_lost_answer_costs_no_attempt
    what_follows_for_a_destination_is_told_here_too
    what_a_killed_process_left_staged_is_collected
    a_part_that_ends_after_its_job_leaves_nothing
    an_earlier_result_is_one_that_is_still_there
    the_newest_of_many_earlier_results_is_found
}

/// What is to fail is said for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[expect(clippy::future_not_send, reason = "a test waits for it where it stands")]
async fn until(what: &str, reached: impl AsyncFn() -> bool) {
    let polled = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(what, polled).await;
}

async fn a_loop_that_panics_is_begun_again(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let loops = ["loop.dispatcher", "loop.sweeper", "loop.parked", "loop.tail"];
    let told = RecordingNotifier::new("told");
    let media = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .notify(told.clone())
        .start()
        .await
        .unwrap();
    let _reader = media.events();
    loops.iter().for_each(|name| fail_at(name, 2));
    let first = media.submit(work("first")).await.unwrap();
    soon("success", first.done()).await.unwrap();
    for name in loops {
        until(name, async || failures_left(name) == 0).await;
    }
    let job = media.submit(work("second")).await.unwrap();
    soon("success", job.done()).await.unwrap();
    let all_told = async || {
        let ends = told.attempts().into_iter().filter(|(told, _)| told.event().kind.is_terminal());
        ends.count() == 2
    };
    until("notification", all_told).await;
    shut(media).await;
}

async fn a_lost_answer_costs_no_attempt(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let fake = FakeBackend::new();
    fake.script("slow", [Behaviour::Block]);
    let media = builder(database.queue(), &fake)
        .storage_with("out", MemoryStorage::new())
        .start()
        .await
        .unwrap();
    let two = Pipeline::from(dot())
        .output("out/a.gif", |dot| dot.then(FakeWork::new("fast")))
        .output("out/b.gif", |dot| dot.then(FakeWork::new("fast")).then(FakeWork::new("slow")));
    fail_at("progress.commit", 1);
    fake.script("fast", [Behaviour::Progress(vec![0.5]), Behaviour::Progress(vec![0.5])]);
    let job = media.submit(two.build().unwrap()).await.unwrap();
    soon("slow step", fake.begun("slow", 1)).await;
    until("lost answer", async || failures_left("progress.commit") == 0).await;
    fake.release();
    assert_eq!(soon("success", job.done()).await.unwrap().attempts, 1);
    let twice = "SELECT count(*) - count(DISTINCT id) FROM mediaflow_events";
    assert_eq!((database.int(twice).await, database.ends(job.id()).await), (0, 1));
    shut(media).await;
}

/// Readers of the process that writes it hear of it as all others do: also if the answer to the commit is lost, if the time
/// of a message is over, and if its process has died.
async fn what_follows_for_a_destination_is_told_here_too(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let (clock, hooks) = (ManualClock::new(), ScriptedNotifier::new([EventKind::JobCreated]));
    hooks.next("a", [Act::Fail(NotifyError::rejected("no"))]);
    let media = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .delivery(DeliveryPolicy { schedule: Vec::new(), ..DeliveryPolicy::default() })
        .notify(hooks.clone())
        .start()
        .await
        .unwrap();
    let mut events = media.events();
    let mut next = async || {
        loop {
            let event = soon("an event", events.next()).await.unwrap();
            if let EventData::Delivery(failure) = &event.unwrap().data {
                return failure.destination.clone();
            }
        }
    };
    fail_at("outbox.commit", 1);
    let never = clock.now().plus(Duration::from_secs(3600 * 24 * 3650));
    let options = JobOptions::new().run_at(never).notify("hooks", "a");
    media.submit(work("parked").with_options(options)).await.unwrap();
    assert_eq!(next().await, "a");
    assert_eq!(failures_left("outbox.commit"), 0);
    let over = "group_key = 'over', due = 9000000000000, expires_at = 1";
    database.message("job.created", "over", over).await;
    assert_eq!(next().await, "over");
    let columns = "state = 'sending', worker = 'gone', attempts = 1, group_key = 'gone', lease_until = 9000000000000";
    database.message("job.created", "lost", columns).await;
    database.register_dead("gone").await;
    assert_eq!(next().await, "lost");
    let stored = "SELECT count(*) FROM mediaflow_events WHERE kind = 'delivery.failed'";
    assert_eq!(database.int(stored).await, 3);
    shut(media).await;
}

async fn what_a_killed_process_left_staged_is_collected(database: Database) {
    let storage = MemoryStorage::new();
    let start =
        || builder(database.queue(), &FakeBackend::new()).storage_with("out", storage.clone());
    let media = start().start().await.unwrap();
    let ended = media.submit(work("ended")).await.unwrap();
    soon("success", ended.done()).await.unwrap();
    media.pause().await.unwrap();
    let waits = media.submit(work("waits")).await.unwrap();
    let unknown = mediaflow_core::JobId::new();
    let key = "a.gif".parse().unwrap();
    for job in [
        ended.id().to_string(),
        format!("{}-3", ended.id()),
        format!("{}-1", waits.id()),
        unknown.to_string(),
        "01890a5d-ac96-774b-bcce-b302099a8057-2".to_owned(),
    ] {
        let ticket = Ticket::new(job, 1, "left").unwrap();
        let blob = Blob::from(b"left".to_vec());
        storage.stage(&key, &blob, &PutOptions::new(), &ticket).await.unwrap().keep();
    }
    shut(media).await;
    let next = start().start().await.unwrap();
    // What may be another queue's stays, until it is so old that it can be nobody's.
    let mut left = vec![format!("{}-1", waits.id()), unknown.to_string()];
    left.sort();
    until("collection", async || {
        storage.staged_for().await.unwrap().into_iter().collect::<Vec<_>>() == left
    })
    .await;
    next.resume().await.unwrap();
    soon("success", next.handle(waits.id()).done()).await.unwrap();
    shut(next).await;
}

async fn a_part_that_ends_after_its_job_leaves_nothing(database: Database) {
    let (fake, storage) = (FakeBackend::new(), MemoryStorage::new());
    fake.script("00", [Behaviour::Block]);
    let media = builder(database.queue(), &fake)
        .storage_with("out", storage.clone())
        .places("image", 3)
        .start()
        .await
        .unwrap();
    let job = media.submit(many(24)).await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'done'", 2).await;
    let staged = storage.staged_for().await.unwrap();
    assert_eq!(staged.len(), 2, "{staged:?}");
    // It is cancelled in the moment in which the part is done. Whoever cancels a job discards what was staged until then.
    let end = format!(
        "UPDATE mediaflow_jobs SET state = 'cancelled', ended_at = queued_at WHERE id = '{}'",
        job.id()
    );
    assert_eq!(database.run(&end).await, 1);
    fake.release();
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'running'", 0).await;
    // What the other parts have staged is collected by whoever looks next for what ended jobs have left.
    until("removal", async || storage.staged_for().await.unwrap().is_subset(&staged)).await;
    shut(media).await;
}

async fn an_earlier_result_is_one_that_is_still_there(database: Database) {
    let (fake, storage) = (FakeBackend::new(), MemoryStorage::new());
    let media = builder(database.queue(), &fake).storage_with("out", storage.clone());
    let media = media.start().await.unwrap();
    let at = |place: &str| {
        let pipeline = Pipeline::from(dot()).output(place, |dot| dot.then(FakeWork::new("made")));
        pipeline.build().unwrap().into_spec().unwrap()
    };
    // The newest one is gone, then all but the newest.
    for (place, gone) in [
        ("out/1.gif", &[][..]),
        ("out/2.gif", &[]),
        ("out/3.gif", &["out/2.gif"]),
        ("out/4.gif", &["out/1.gif"]),
    ] {
        for gone in gone {
            let key = gone.strip_prefix("out/").unwrap().parse().unwrap();
            storage.delete(&key).await.unwrap();
        }
        let job = media.submit(at(place)).await.unwrap();
        assert_eq!(soon("success", job.done()).await.unwrap().state, JobState::Succeeded);
        assert_eq!(fake.runs(), ["made"], "{place}");
    }
    shut(media).await;
}

/// A result that is made again and again is known by many rows, and most are of files that are long gone.
async fn the_newest_of_many_earlier_results_is_found(database: Database) {
    let (fake, storage) = (FakeBackend::new(), MemoryStorage::new());
    let media = builder(database.queue(), &fake).storage_with("out", storage.clone());
    let media = media.start().await.unwrap();
    for number in 0..12 {
        let made = Pipeline::from(dot())
            .output(format!("out/{number}.gif"), |dot| dot.then(FakeWork::new("made")));
        let job = media.submit(made.build().unwrap()).await.unwrap();
        soon("success", job.done()).await.unwrap();
        assert_eq!(fake.runs(), ["made"], "{number}");
        if number > 0 {
            storage.delete(&format!("{}.gif", number - 1).parse().unwrap()).await.unwrap();
        }
    }
    shut(media).await;
}
