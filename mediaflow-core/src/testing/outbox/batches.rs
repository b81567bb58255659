use futures_util::StreamExt as _;

use super::{Host, spec};
use crate::engine::Engine;
use crate::event::{EventData, EventKind};
use crate::notify::Terms;
use crate::report::{BatchSummary, JobState};
use crate::spec::JobOptions;
use crate::testing::{Behaviour, ScriptedNotifier, soon};
use crate::{Error, Failure};

fn wrong() -> Behaviour {
    Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")))
}

pub(super) async fn a_batch_is_told_in_numbers<E: Engine>(host: Host<E>) {
    let hooks = ScriptedNotifier::new([EventKind::BatchCompleted]);
    host.fake.script("b", [wrong()]);
    let running = host.start(hooks).await;
    let options = JobOptions::new().notify("hooks", "a/secret");
    let specs = ["a", "b", "c"].map(|name| spec(name).with_options(options.clone()));
    let mut events = running.media.events();
    let batch = running.media.eager(specs).await.expect("submit");
    let jobs: Vec<_> = batch.jobs().map(|job| job.id()).collect();
    let told = running.hooks.told(1).await.remove(0);
    assert_eq!(told.to, "a/secret", "the targets of its first job");
    let EventData::Batch(summary) = &told.event.data else { panic!("{told:?}") };
    let counts: Vec<_> = summary.counts.iter().map(|(state, n)| (state.as_str(), *n)).collect();
    assert_eq!(counts, [("failed", 1), ("succeeded", 2)]);
    assert_eq!((&summary.named, summary.jobs()), (&jobs, 3));
    let failures: Vec<_> = summary.failures.iter().map(|f| (f.job, f.code.as_str())).collect();
    assert_eq!(failures, [(jobs[1], "fake.wrong")]);
    let shown = serde_json::to_string(&told.event).expect("JSON");
    assert!(!shown.contains("secret"), "an address in what is sent: {shown}");
    while let Some(Ok(event)) = soon("event", events.next()).await {
        let shown = serde_json::to_string(&*event).expect("JSON");
        assert!(!shown.contains("secret"), "an address in {shown}");
        if event.kind == EventKind::BatchCompleted {
            break;
        }
    }
    running.done().await;
}

pub(super) async fn a_batch_of_a_job_that_another_one_has_is_told<E: Engine>(host: Host<E>) {
    let hooks = ScriptedNotifier::new([EventKind::BatchCompleted]);
    host.fake.script("shared", [Behaviour::Block]);
    let fake = host.fake.clone();
    let running = host.start(hooks).await;
    let keyed = || spec("shared").with_options(JobOptions::new().idempotency_key("k"));
    let first = running.media.submit(keyed()).await.expect("submit");
    fake.begun("shared", 1).await;
    let batches = [
        running.media.eager([keyed(), spec("other")]).await.expect("submit").id(),
        running.media.eager([keyed(), keyed()]).await.expect("submit").id(),
    ];
    fake.release();
    soon("end", first.done()).await.expect("success");
    let told = running.hooks.told(2).await;
    let mut of: Vec<_> = told.iter().filter_map(|told| told.event.batch).collect();
    of.sort();
    assert_eq!(of, batches);
    running.done().await;
}

/// However many jobs there are, an event names a few of them: it has to be read, sent and kept.
pub(super) async fn a_large_batch_is_told_in_few_words<E: Engine>(host: Host<E>) {
    let hooks = ScriptedNotifier::new([EventKind::BatchCompleted]);
    host.fake.script("many", [wrong()]);
    let running = host.start(hooks).await;
    // One job, which is in the batch again and again.
    let jobs = BatchSummary::NAMED + 100;
    let keyed = || spec("many").with_options(JobOptions::new().idempotency_key("k"));
    running.media.eager((0..jobs).map(|_| keyed())).await.expect("submit");
    let told = running.hooks.told(1).await.remove(0);
    let EventData::Batch(summary) = &told.event.data else { panic!("{told:?}") };
    assert_eq!((summary.jobs(), summary.state), (jobs as u64, JobState::Failed));
    assert_eq!(summary.named.len(), BatchSummary::NAMED);
    assert_eq!(summary.failures.len(), BatchSummary::FAILURES);
    running.done().await;
}

pub(super) async fn a_batch_comes_with_as_many_reports_as_its_channel_wants<E: Engine>(
    host: Host<E>,
) {
    let terms = Terms { reports: 2, ..Terms::default() };
    let hooks = ScriptedNotifier::new([EventKind::BatchCompleted]).under(terms);
    host.fake.script("c", [wrong()]);
    let running = host.start(hooks).await;
    running.media.eager(["a", "b", "c"].map(spec)).await.expect("submit");
    let told = running.hooks.told(1).await.remove(0);
    let states: Vec<_> = told.message.reports.iter().map(|report| report.state).collect();
    assert_eq!(states, [JobState::Failed, JobState::Succeeded], "those that failed come first");
    running.done().await;
}
