use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::super::{Behaviour, FakeWork, dot, soon};
use super::host::{Host, of_job, spec, transient, work};
use crate::event::{DeliveryFailure, EventData, EventKind};
use crate::notify::NotifyError;
use crate::report::{JobState, OutputState};
use crate::spec::{JobOptions, Pipeline, PipelineBuilder};
use crate::{Error, ErrorKind, Failure};

pub(super) async fn a_job_succeeds_with_one_terminal_event(host: Host) {
    let job = host.media.submit(spec("plain")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success");
    assert_eq!((report.state, report.attempts, report.outputs.len()), (JobState::Succeeded, 1, 1));
    let output = &report.outputs[0];
    assert_eq!(
        (output.output.as_str(), output.state, output.bytes),
        ("out/plain.gif", OutputState::Published, 14)
    );
    assert_eq!(
        (output.sha256.len(), output.md5.len(), output.mime.as_str()),
        (64, 32, "image/gif")
    );
    assert_eq!(host.kept().await, 1);
    let status = job.status().await.expect("status");
    assert_eq!((status.state, status.progress), (JobState::Succeeded, 1.0));
    let told = of_job(&host.first.attempted(5).await, job.id());
    use EventKind::{JobCompleted, JobCreated, JobStarted, OutputReady, StepCompleted};
    assert_eq!(told.len(), 5, "{told:?}");
    for kind in [JobCreated, JobStarted, StepCompleted, OutputReady, JobCompleted] {
        assert_eq!(told.iter().filter(|told| **told == kind).count(), 1, "one {kind} in {told:?}");
    }
    host.done().await;
}

pub(super) async fn failures_are_retried_and_then_final(host: Host) {
    host.fake.script("passes", [transient(), transient()]);
    let job = host.media.submit(spec("passes")).await.expect("submit");
    assert_eq!(soon("end", job.done()).await.expect("success in the third attempt").attempts, 3);

    host.fake.script("stays", [transient(), transient(), transient(), Behaviour::Succeed]);
    let job = host.media.submit(spec("stays")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("no attempt is left");
    assert_eq!(
        (error.code(), error.fact("op").is_some() || error.fact("step").is_some()),
        ("fake.transient", true)
    );
    let status = job.status().await.expect("status");
    assert_eq!((status.state, status.attempts), (JobState::Failed, 3));
    assert!(status.progress < 1.0, "only success reaches 1");
    assert_eq!(host.kept().await, 1, "a failed job leaves nothing");
    host.done().await;
}

pub(super) async fn input_errors_are_not_retried(host: Host) {
    host.fake.script(
        "wrong",
        [Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")))],
    );
    let job = host.media.submit(spec("wrong")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("wrong input fails");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Input, "fake.wrong"));
    assert_eq!(job.status().await.expect("status").attempts, 1);
    host.done().await;
}

pub(super) async fn a_panic_fails_the_job_and_not_the_engine(host: Host) {
    host.fake.script("panics", [Behaviour::Panic]);
    let job = host.media.submit(spec("panics")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("a panic fails the job");
    assert_eq!(error.kind(), ErrorKind::Internal);
    let job = host.media.submit(spec("after")).await.expect("submit");
    soon("end", job.done()).await.expect("the engine goes on");
    host.done().await;
}

pub(super) async fn queued_and_running_jobs_can_be_cancelled(host: Host) {
    host.fake.script("runs", [Behaviour::Block]);
    let runs = host.media.submit(spec("runs")).await.expect("submit");
    let waits = host.media.submit(spec("waits")).await.expect("submit");
    host.fake.begun("runs", 1).await;
    waits.cancel().await.expect("cancel");
    runs.cancel().await.expect("cancel");
    for job in [&runs, &waits] {
        let error = soon("end", job.done()).await.expect_err("a cancelled job has no report");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(job.status().await.expect("status").state, JobState::Cancelled);
        job.cancel().await.expect("cancelling an ended job changes nothing");
    }
    assert!(
        !host.fake.runs().contains(&"waits".to_owned()),
        "a job that was cancelled in the queue never runs"
    );
    assert_eq!(host.kept().await, 0);
    host.done().await;
}

pub(super) async fn work_that_does_not_listen_is_dropped(host: Host) {
    host.fake.script("deaf", [Behaviour::Hang]);
    let job = host.media.submit(spec("deaf")).await.expect("submit");
    host.fake.begun("deaf", 1).await;
    job.cancel().await.expect("cancel");
    let error = soon("end", job.done()).await.expect_err("it was cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let job = host.media.submit(spec("next")).await.expect("submit");
    soon("end", job.done()).await.expect("its place is free again");
    host.done().await;
}

pub(super) async fn progress_only_grows(host: Host) {
    let zigzag = vec![0.2, 0.1, 0.6, 0.3, f32::NAN, 7.0, 0.5];
    host.fake.script("zigzag", [Behaviour::Progress(zigzag), transient()]);
    let mut events = host.media.events();
    let job = host.media.submit(spec("zigzag")).await.expect("submit");
    let mut last = 0.0;
    loop {
        let event = soon("event", events.next()).await.expect("a stream that goes on");
        let event = event.expect("an event");
        match (event.kind, &event.data) {
            (EventKind::JobProgress, EventData::Progress(done)) => {
                assert!(*done > last && *done < 1.0, "progress went from {last} to {done}");
                last = *done;
            }
            (kind, _) if kind.is_terminal() => break,
            _ => {}
        }
    }
    assert!(last > 0.5, "progress reached only {last}");
    let told: Vec<f32> = soon("end", job.progress().collect()).await;
    assert_eq!(told.last(), Some(&1.0));
    host.done().await;
}

pub(super) async fn policies_decide_on_failed_steps(host: Host) {
    let wrong = || Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")));
    host.fake.script("bad", [wrong(), wrong(), wrong()]);
    let good = |pipeline: PipelineBuilder| {
        pipeline.output("out/good.gif", |dot| dot.then(FakeWork::new("good")))
    };

    let skip = work("x").output("out/bad.gif", |dot| dot.then(FakeWork::new("bad")).or_skip());
    let job = host.media.submit(skip.build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("partial is no error");
    assert_eq!(report.state, JobState::Partial);
    let bad =
        report.outputs.iter().find(|output| output.output == "out/bad.gif").expect("reported");
    assert_eq!(bad.state, OutputState::Failed);
    assert_eq!(bad.failure.as_ref().map(|failure| failure.code.as_str()), Some("fake.wrong"));

    let instead = good(Pipeline::from(dot())).output("out/bad.gif", |dot| {
        dot.clone().then(FakeWork::new("bad")).or_else(dot.then(FakeWork::new("spare")))
    });
    let job = host.media.submit(instead.build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success by the fallback");
    assert_eq!((report.state, report.outputs.len()), (JobState::Succeeded, 2));
    assert!(
        report.warnings.iter().any(|warning| warning.contains("was used for out/bad.gif")),
        "{:?}",
        report.warnings
    );

    let before = host.kept().await;
    let fail =
        good(Pipeline::from(dot())).output("out/new.gif", |dot| dot.then(FakeWork::new("bad")));
    let job = host.media.submit(fail.build().expect("valid")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("by default the job fails");
    assert_eq!(error.fact("output"), Some("out/new.gif"));
    assert_eq!(host.kept().await, before, "a failed job publishes nothing");
    host.done().await;
}

pub(super) async fn a_failed_publication_is_repeated(host: Host) {
    let both =
        |one, two| work(one).output(format!("out/{two}.gif"), |dot| dot.then(FakeWork::new(two)));
    host.faults.fail_publishes(1);
    host.faults.fail_stages(2);
    let job = host.media.submit(both("one", "two").build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success in the first attempt");
    assert_eq!((report.attempts, host.kept().await), (1, 2));
    assert_eq!(host.fake.runs().len(), 2, "what is made is not made again");
    host.faults.fail_publishes(5);
    let job =
        host.media.submit(both("three", "four").build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success in the second attempt");
    assert_eq!((report.attempts, host.kept().await), (2, 4));
    host.faults.fail_stages(u32::MAX);
    let job = host.media.submit(spec("never")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("the disk stays full");
    assert_eq!((error.code(), host.kept().await), ("storage.io", 4));
    host.done().await;
}

pub(super) async fn what_a_failed_job_has_published_is_told(host: Host) {
    // The first attempt publishes one of two; the second fails before it publishes anything, for good.
    host.faults.block("two.gif");
    let wrong = Failure::from(&Error::input("fake.wrong", "it can not be done"));
    host.fake.script("two", [Behaviour::Succeed, Behaviour::Fail(wrong)]);
    let two = work("one").output("out/two.gif", |dot| dot.then(FakeWork::new("two")));
    let job = host.media.submit(two.build().expect("valid")).await.expect("submit");
    let status = soon("end", job.ended()).await.expect("an end");
    assert_eq!((status.state, status.attempts, host.kept().await), (JobState::Failed, 2, 1));
    let report = status.report.expect("a report");
    let failure = report.failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "fake.wrong");
    let states: Vec<_> = report.outputs.iter().map(|o| (o.output.as_str(), o.state)).collect();
    assert_eq!(
        states,
        [("out/one.gif", OutputState::Published), ("out/two.gif", OutputState::Failed)]
    );
    host.done().await;
}

pub(super) async fn deadlines_end_jobs(host: Host) {
    host.fake.script("slow", [Behaviour::Block]);
    let slow = spec("slow").with_options(JobOptions::new().deadline(Duration::from_millis(50)));
    let job = host.media.submit(slow).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("too slow");
    assert_eq!((error.code(), error.kind()), ("job.deadline", ErrorKind::Limit));
    host.done().await;
}

pub(super) async fn a_job_of_many_outputs_is_one_job(host: Host) {
    let many = (0..40).fold(Pipeline::from(dot()), |many, n| {
        many.output(format!("out/{n}.gif"), |dot| dot.then(FakeWork::new(format!("o{n}"))))
    });
    let job = host.media.submit(many.build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success");
    let published = |output: &&crate::report::OutputReport| output.state == OutputState::Published;
    assert_eq!(report.outputs.iter().filter(published).count(), 40);
    assert_eq!((report.state, host.kept().await), (JobState::Succeeded, 40));
    // Created, started, at least one step, each output, and the end.
    let told = of_job(&host.first.attempted(44).await, job.id());
    let ready = told.iter().filter(|kind| **kind == EventKind::OutputReady).count();
    let ends = told.iter().filter(|kind| kind.is_terminal()).count();
    assert!(ready <= 40 && ends <= 1, "{told:?}");
    host.done().await;
}

pub(super) async fn deliveries_are_repeated_with_the_same_id(host: Host) {
    host.first.fail([NotifyError::retryable("busy"), NotifyError::ambiguous("no answer")]);
    let job = host.media.submit(spec("told")).await.expect("submit");
    soon("end", job.done()).await.expect("success");
    let attempts = host.first.attempted(7).await;
    let mut by_id: HashMap<_, Vec<u32>> = HashMap::new();
    for (message, cx) in &attempts {
        assert_eq!(message.id, message.event().id.into());
        by_id.entry(message.id).or_default().push(cx.attempt);
    }
    assert_eq!(by_id.len(), 5, "five events: {by_id:?}");
    assert!(
        by_id.values().all(|attempts| attempts.iter().copied().eq((1..).take(attempts.len()))),
        "{by_id:?}"
    );
    assert_eq!(host.second.attempted(5).await.len(), 5, "another channel is not disturbed");
    host.done().await;
}

pub(super) async fn lost_deliveries_are_told_elsewhere(host: Host) {
    host.first.fail([NotifyError::rejected("never")]);
    let job = host.media.submit(spec("told")).await.expect("submit");
    soon("end", job.done()).await.expect("success");
    let told = host.second.attempted(6).await;
    let failures = told.iter().filter_map(|(message, _)| match &message.event().data {
        EventData::Delivery(failure) => Some(failure),
        _ => None,
    });
    let failures: Vec<_> = failures.collect();
    let [lost] = *failures else { panic!("{failures:?}") };
    let DeliveryFailure { channel, attempts, reason, dead, .. } = &**lost;
    assert_eq!((channel.as_str(), *attempts, reason.as_str(), *dead), ("first", 1, "never", 1));
    host.done().await;
}
