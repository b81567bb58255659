use super::super::{Behaviour, FakeWork, soon};
use super::host::{Host, spec};
use crate::report::JobState;
use crate::spec::{IntoSpec as _, JobOptions, JobSpec, OnFailure, Pipeline, Source};
use crate::{Error, Failure, JobHandle, JobId};

fn after(name: &str, earlier: &[&JobHandle]) -> JobSpec {
    let options = earlier.iter().fold(JobOptions::new(), |options, job| options.after(job.id()));
    spec(name).with_options(options)
}

/// A job that reads what another one makes.
fn reads(name: &str, job: JobId, output: &str) -> JobSpec {
    Pipeline::from(Source::output(job, output))
        .output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)))
        .build()
        .and_then(|pipeline| pipeline.into_spec())
        .expect("a valid spec")
}

fn wrong() -> Behaviour {
    Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")))
}

pub(super) async fn a_job_comes_after_others(host: Host) {
    host.fake.script("first", [Behaviour::Block]);
    host.fake.script("second", [Behaviour::Block]);
    let first = host.media.submit(spec("first")).await.expect("submit");
    let second = host.media.submit(spec("second")).await.expect("submit");
    let both = host.media.submit(after("both", &[&first, &second])).await.expect("submit");
    let read = reads("read", first.id(), "out/first.gif");
    let read = host.media.submit(read).await.expect("submit");
    host.fake.begun("first", 1).await;
    host.fake.begun("second", 1).await;
    let other = host.media.submit(spec("other")).await.expect("submit");
    soon("end", other.done()).await.expect("another job goes on meanwhile");
    for waits in [&both, &read] {
        assert_eq!(waits.status().await.expect("status").state, JobState::Queued);
    }
    host.fake.release();
    let report = soon("end", both.done()).await.expect("success");
    let earlier = [
        soon("end", first.done()).await.expect("success"),
        soon("end", second.done()).await.expect("success"),
    ];
    for earlier in earlier {
        assert!(report.started_at >= Some(earlier.finished_at), "{report:?}");
    }
    let report = soon("end", read.done()).await.expect("it reads what the first has made");
    assert_eq!(report.outputs[0].output, "out/read.gif");
    // What has ended already is waited for by nobody.
    let late = host.media.submit(after("late", &[&first, &both])).await.expect("submit");
    soon("end", late.done()).await.expect("success");
    host.done().await;
}

pub(super) async fn a_failure_is_passed_on(host: Host) {
    host.fake.script("fails", [Behaviour::Block]);
    let fails = host.media.submit(spec("fails")).await.expect("submit");
    host.fake.begun("fails", 1).await;
    let next = host.media.submit(after("next", &[&fails])).await.expect("submit");
    let last = host.media.submit(after("last", &[&next])).await.expect("submit");
    let anyway = JobOptions::new().after_with(fails.id(), OnFailure::Run);
    let anyway = host.media.submit(spec("anyway").with_options(anyway)).await.expect("submit");
    fails.cancel().await.expect("cancel");
    for cancelled in [&fails, &next, &last] {
        let error = soon("end", cancelled.done()).await.expect_err("it was cancelled");
        assert_eq!(error.code(), "job.cancelled");
    }
    soon("end", anyway.done()).await.expect("success");
    host.fake.script("wrong", [wrong()]);
    let fails = host.media.submit(spec("wrong")).await.expect("submit");
    soon("end", fails.done()).await.expect_err("it fails");
    let next = host.media.submit(after("next", &[&fails])).await.expect("submit");
    let last = host.media.submit(after("last", &[&next])).await.expect("submit");
    for failed in [&next, &last] {
        let error = soon("end", failed.done()).await.expect_err("it fails, too");
        assert_eq!(error.code(), "job.predecessor_failed");
    }
    let error = last.done().await.expect_err("failed");
    assert_eq!(error.fact("after"), Some(&*next.id().to_string()));
    let runs = host.fake.runs();
    assert!(!runs.iter().any(|run| run == "next" || run == "last"), "{runs:?}");
    host.done().await;
}

pub(super) async fn what_waits_for_others_can_be_cancelled(host: Host) {
    host.fake.script("first", [Behaviour::Block]);
    let first = host.media.submit(spec("first")).await.expect("submit");
    let second = host.media.submit(after("second", &[&first])).await.expect("submit");
    let third = host.media.submit(after("third", &[&second])).await.expect("submit");
    host.fake.begun("first", 1).await;
    second.cancel().await.expect("cancel");
    let error = soon("end", second.done()).await.expect_err("it was cancelled");
    assert_eq!(error.code(), "job.cancelled");
    soon("end", third.done()).await.expect_err("and so is what comes after it");
    host.fake.release();
    soon("end", first.done()).await.expect("success");
    assert_eq!(host.fake.runs(), ["first"]);
    host.done().await;
}

pub(super) async fn what_can_not_be_read_is_said(host: Host) {
    let unknown = JobId::new();
    for wrong in
        [spec("x").with_options(JobOptions::new().after(unknown)), reads("y", unknown, "out/x.gif")]
    {
        let error = host.media.submit(wrong).await.expect_err("there is no such job");
        assert_eq!(error.code(), "job.unknown");
    }
    let made = host.media.submit(spec("made")).await.expect("submit");
    soon("end", made.done()).await.expect("success");
    for spec in [after("x", &[&made]), reads("x", made.id(), "out/made.gif")] {
        let mut foreign = spec;
        foreign.options.tenant = Some("somebody".to_owned());
        let error = host.media.submit(foreign).await.expect_err("another tenant's is unknown");
        assert_eq!(error.code(), "job.unknown");
    }
    let misspelt = host.media.submit(reads("x", made.id(), "out/mode.gif")).await.expect("submit");
    let error = soon("end", misspelt.done()).await.expect_err("there is no such output");
    assert_eq!(error.code(), "source.not_found");
    // Another job has put something else at its place.
    let other = Source::bytes(&b"GIF89a\x01\x00\x01\x00\x00\x00\x00;;"[..]);
    let other =
        Pipeline::from(other).output("out/made.gif", |dot| dot).build().expect("a pipeline");
    let other = host.media.submit(other).await.expect("submit");
    soon("end", other.done()).await.expect("success");
    let replaced = host.media.submit(reads("y", made.id(), "out/made.gif")).await.expect("submit");
    let error = soon("end", replaced.done()).await.expect_err("it was replaced");
    assert_eq!(error.code(), "source.changed");
    host.done().await;
}
