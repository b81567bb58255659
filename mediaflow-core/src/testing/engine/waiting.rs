use std::time::Duration;

use serde_json::json;

use super::super::{Behaviour, FakeEncode, FakeWork, VendorJob, dot, soon, vendor_done};
use super::host::{Host, of_job, spec, transient};
use crate::event::EventKind;
use crate::report::{JobState, OutputState};
use crate::spec::{IntoSpec as _, JobSpec, OnError, Pipeline, PipelineBuilder};
use crate::wait::Signalled;
use crate::{ErrorKind, JobHandle};

/// One output made here, and one elsewhere.
fn here_and_there(name: &str, encode: FakeEncode) -> PipelineBuilder {
    Pipeline::from(dot())
        .output(format!("out/{name}-here.gif"), |dot| {
            dot.then(FakeWork::new(format!("{name}-here")))
        })
        .output(format!("out/{name}.gif"), |dot| {
            dot.then(encode).then(FakeWork::new(format!("{name}-after")))
        })
}

fn elsewhere(name: &str) -> JobSpec {
    built(here_and_there(name, FakeEncode::new(name)))
}

fn built(pipeline: PipelineBuilder) -> JobSpec {
    pipeline.build().and_then(crate::spec::IntoSpec::into_spec).expect("a valid spec")
}

/// Waits until the job waits, with so many outputs made.
pub(super) async fn waits(job: &JobHandle, made: usize) {
    let looking = async {
        loop {
            let status = job.status().await.expect("status");
            let count = |state| status.outputs.iter().filter(|out| out.state == state).count();
            if status.state == JobState::Waiting && count(OutputState::Made) == made {
                assert!(count(OutputState::Waiting) > 0, "{status:?}");
                return;
            }
            assert!(!status.state.is_terminal(), "{status:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("job that waits", looking).await;
}

async fn done(host: &Host, vendor: &VendorJob, replay_key: &str) -> Signalled {
    host.media.signal(&vendor.key, vendor_done(), replay_key).await.expect("signal")
}

/// Whatever was staged is gone once nobody needs it.
async fn nothing_is_left(host: &Host) {
    use crate::storage::Storage as _;
    let looking = async {
        while !host.storage.staged_for().await.expect("staged").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("end of what is staged", looking).await;
}

pub(super) async fn a_waiting_job_holds_no_place(host: Host) {
    let job = host.media.submit(elsewhere("clip")).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    waits(&job, 1).await;
    assert_eq!(host.kept().await, 0, "nothing is visible before the job is whole");
    // There is one place only.
    let other = host.media.submit(spec("other")).await.expect("submit");
    soon("end of another job", other.done()).await.expect("success");
    assert_eq!(done(&host, &vendor, "1").await, Signalled::Accepted);
    let report = soon("end", job.done()).await.expect("success");
    assert_eq!((report.state, report.attempts), (JobState::Succeeded, 1));
    let published = |output: &crate::report::OutputReport| output.state == OutputState::Published;
    assert!(report.outputs.len() == 2 && report.outputs.iter().all(published), "{report:?}");
    assert!(report.source.is_some() && report.plan.len() == 3, "{report:?}");
    assert_eq!(host.fake.runs(), ["clip-here", "other", "clip-after"], "nothing runs twice");
    assert_eq!(host.vendor.jobs().len(), 1);
    let told = of_job(&host.first.attempted(14).await, job.id());
    for kind in [EventKind::JobStarted, EventKind::JobWaiting, EventKind::JobCompleted] {
        assert_eq!(told.iter().filter(|told| **told == kind).count(), 1, "one {kind} in {told:?}");
    }
    nothing_is_left(&host).await;
    host.done().await;
}

pub(super) async fn an_update_counts_once(host: Host) {
    let job = host.media.submit(elsewhere("clip")).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    waits(&job, 1).await;
    let working = json!({ "state": "working", "done": 0.5 });
    for expected in [Signalled::Accepted, Signalled::Duplicate] {
        let signalled = host.media.signal(&vendor.key, working.clone(), "1").await;
        assert_eq!(signalled.expect("signal"), expected);
    }
    assert_eq!(done(&host, &vendor, "2").await, Signalled::Accepted);
    soon("end", job.done()).await.expect("success");
    assert_eq!(host.vendor.asked(), 2, "one for each update");
    assert_eq!(done(&host, &vendor, "2").await, Signalled::Duplicate);
    assert_eq!(done(&host, &vendor, "3").await, Signalled::Early, "nothing waits any more");
    host.done().await;
}

pub(super) async fn an_update_that_comes_early_is_kept(host: Host) {
    host.vendor.hold();
    let job = host.media.submit(elsewhere("clip")).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    assert_eq!(done(&host, &vendor, "1").await, Signalled::Early);
    host.vendor.answer();
    soon("end", job.done()).await.expect("success");
    assert_eq!(host.vendor.jobs().len(), 1);
    host.done().await;
}

pub(super) async fn a_cancelled_job_stops_the_work_elsewhere(host: Host) {
    let job = host.media.submit(elsewhere("clip")).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    waits(&job, 1).await;
    job.cancel().await.expect("cancel");
    let error = soon("end", job.done()).await.expect_err("a cancelled job has no report");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    host.vendor.stopped(&vendor).await;
    // The vendor's answer was on its way.
    done(&host, &vendor, "1").await;
    nothing_is_left(&host).await;
    let after = host.media.submit(spec("after")).await.expect("submit");
    soon("end of a later job", after.done()).await.expect("success");
    assert_eq!(job.status().await.expect("status").state, JobState::Cancelled);
    assert!(!host.fake.runs().contains(&"clip-after".to_owned()));
    host.done().await;
}

pub(super) async fn a_wait_ends_with_its_time(host: Host) {
    let encode = FakeEncode::new("clip").within(Duration::from_millis(50));
    let job = host.media.submit(built(here_and_there("clip", encode))).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    let error = soon("end", job.done()).await.expect_err("nobody answers");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "wait.expired"));
    host.vendor.stopped(&vendor).await;
    nothing_is_left(&host).await;
    host.done().await;
}

pub(super) async fn a_vendor_that_does_not_call_is_asked(host: Host) {
    let encode = FakeEncode::new("clip").polled(Duration::from_millis(20));
    let job = host.media.submit(built(here_and_there("clip", encode))).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    host.vendor.finish(&vendor);
    let report = soon("end", job.done()).await.expect("success");
    assert_eq!((report.attempts, host.vendor.jobs().len()), (1, 1));
    host.done().await;
}

/// Two groups that wait, and a step that takes from both.
fn two(name: &str) -> JobSpec {
    let step = |op: &str, with: serde_json::Value, from: &[&str]| json!({ "op": op, "with": with, "from": from });
    let encode = |name: String| json!({ "name": name, "until": 3_600_000 });
    serde_json::from_value::<Pipeline>(json!({
        "source": dot(),
        "steps": {
            "first": step("fake.encode", encode(format!("{name}-first")), &["source"]),
            "before": step("fake.work", json!({ "name": format!("{name}-before") }), &["source"]),
            "second": step("fake.encode", encode(format!("{name}-second")), &["before"]),
            "both": step("fake.work", json!({ "name": format!("{name}-both") }), &["first", "second"]),
        },
        "outputs": {
            format!("out/{name}-first.gif"): { "from": "first" },
            format!("out/{name}-both.gif"): { "from": "both" },
        },
    }))
    .expect("a pipeline")
    .into_spec()
    .expect("a valid spec")
}

pub(super) async fn groups_wait_by_themselves(host: Host) {
    for (round, name) in ["a", "b"].into_iter().enumerate() {
        let job = host.media.submit(two(name)).await.expect("submit");
        let first = host.vendor.begun(&format!("{name}-first")).await;
        let second = host.vendor.begun(&format!("{name}-second")).await;
        waits(&job, 0).await;
        let (earlier, later) = if round == 0 { (&first, &second) } else { (&second, &first) };
        assert_eq!(done(&host, earlier, &format!("{name}1")).await, Signalled::Accepted);
        waits(&job, usize::from(round == 0)).await;
        assert_eq!(done(&host, later, &format!("{name}2")).await, Signalled::Accepted);
        let report = soon("end", job.done()).await.expect("success");
        assert_eq!((report.attempts, report.outputs.len()), (1, 2));
        assert_eq!(
            host.fake.runs()[round * 2..],
            [format!("{name}-before"), format!("{name}-both")]
        );
        nothing_is_left(&host).await;
    }
    assert_eq!((host.vendor.jobs().len(), host.vendor.asked()), (4, 4));
    host.done().await;
}

pub(super) async fn what_can_not_be_read_is_dropped(host: Host) {
    let job = host.media.submit(elsewhere("clip")).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    let unreadable = [json!({ "state": 7 }), json!(null), json!([]), json!({ "state": "lost" })];
    for (number, update) in unreadable.into_iter().enumerate() {
        host.media.signal(&vendor.key, update, number.to_string()).await.expect("signal");
    }
    done(&host, &vendor, "done").await;
    let report = soon("end", job.done()).await.expect("success");
    assert_eq!((report.attempts, report.warnings.len()), (1, 4), "{report:?}");

    // What may pass is tried again, and ends the work if it stays.
    let job = host.media.submit(elsewhere("busy")).await.expect("submit");
    let vendor = host.vendor.begun("busy").await;
    waits(&job, 1).await;
    let before = host.vendor.asked();
    host.media.signal(&vendor.key, json!({ "state": "busy" }), "busy").await.expect("signal");
    let error = soon("end", job.done()).await.expect_err("the vendor stays busy");
    assert_eq!((error.code(), host.vendor.asked() - before), ("vendor.busy", 3));
    host.vendor.stopped(&vendor).await;
    for (key, replay_key, code) in
        [("", "1", "wait.key"), ("a\n", "1", "wait.key"), ("a", "", "wait.replay_key")]
    {
        let error = host.media.signal(key, vendor_done(), replay_key).await.expect_err("refused");
        assert_eq!(error.code(), code);
    }
    let large = json!("x".repeat(10 << 20));
    let error = host.media.signal("a", large, "9").await.expect_err("too large");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "limit.update_bytes"));
    host.done().await;
}

pub(super) async fn policies_decide_on_what_fails_elsewhere(host: Host) {
    let failed = json!({ "state": "failed" });
    let job = host.media.submit(two("a")).await.expect("submit");
    let first = host.vendor.begun("a-first").await;
    let second = host.vendor.begun("a-second").await;
    waits(&job, 0).await;
    host.media.signal(&first.key, failed.clone(), "1").await.expect("signal");
    let error = soon("end", job.done()).await.expect_err("the vendor could not do it");
    assert_eq!(error.code(), "vendor.failed");
    host.vendor.stopped(&second).await;

    let steps = json!({
        "there": {
            "op": "fake.encode", "with": { "name": "there", "until": 3_600_000 },
            "on_error": OnError::Fallback("here".to_owned()),
        },
        "here": { "op": "fake.work", "with": { "name": "here" } },
    });
    let outputs = json!({ "out/any.gif": { "from": "there" } });
    let any = json!({ "source": dot(), "steps": steps, "outputs": outputs });
    let any: Pipeline = serde_json::from_value(any).expect("a pipeline");
    let job = host.media.submit(any).await.expect("submit");
    let vendor = host.vendor.begun("there").await;
    waits(&job, 0).await;
    host.media.signal(&vendor.key, failed, "2").await.expect("signal");
    let report = soon("end", job.done()).await.expect("the fallback is made here");
    assert_eq!((report.attempts, report.warnings.len()), (1, 1));
    assert!(host.fake.runs().contains(&"here".to_owned()));
    host.done().await;
}

pub(super) async fn a_failure_here_begins_nothing_twice_there(host: Host) {
    host.fake.script("clip-here", [transient(), Behaviour::Succeed]);
    host.fake.script("clip-after", [transient(), Behaviour::Succeed]);
    let job = host.media.submit(elsewhere("clip")).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    waits(&job, 1).await;
    done(&host, &vendor, "1").await;
    let report = soon("end", job.done()).await.expect("success");
    assert_eq!(report.state, JobState::Succeeded);
    assert_eq!(host.fake.runs(), ["clip-here", "clip-here", "clip-after", "clip-after"]);
    assert_eq!(host.vendor.jobs().len(), 1);

    // Another run of the job is other work, with other steps or with the same.
    for (name, replayed) in [("clip", None), ("changed", Some(elsewhere("changed")))] {
        let before = host.vendor.jobs();
        let again = host.media.replay(job.id(), replayed).await.expect("replay");
        let looking = async {
            loop {
                let new = host.vendor.jobs().into_iter().find(|job| !before.contains(job));
                match new {
                    Some(new) => return new,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        let vendor = soon("work of the replay", looking).await;
        assert_eq!(vendor.step, name);
        waits(&again, 1).await;
        done(&host, &vendor, name).await;
        soon("end", again.done()).await.expect("success");
    }
    assert_eq!(host.vendor.jobs().len(), 3);
    host.done().await;
}

pub(super) async fn progress_grows_while_a_job_waits(host: Host) {
    let job = host.media.submit(elsewhere("clip")).await.expect("submit");
    let vendor = host.vendor.begun("clip").await;
    waits(&job, 1).await;
    let before = job.status().await.expect("status").progress;
    let working = json!({ "state": "working", "done": 0.9 });
    host.media.signal(&vendor.key, working, "1").await.expect("signal");
    let looking = async {
        while job.status().await.expect("status").progress <= before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("progress", looking).await;
    waits(&job, 1).await;
    done(&host, &vendor, "2").await;
    soon("end", job.done()).await.expect("success");
    host.done().await;
}
