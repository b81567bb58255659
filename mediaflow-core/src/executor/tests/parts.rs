use std::collections::BTreeSet;

use super::super::{PartResult, PartSpec};
use super::*;
use crate::job::{Job, PlanContext};
use crate::report::{OutputReport, OutputState};
use crate::spec::Source;
use crate::storage::StorageExt as _;
use crate::testing::Behaviour;
use crate::{Error, ErrorKind};

#[tokio::test]
async fn small_jobs_stay_whole() {
    let executor = Host::new().await.executor(MemoryStorage::new());
    assert_eq!(executor.split(&attempt(&spec("x", 16), 1)).await.unwrap(), []);
    let parts = executor.split(&attempt(&spec("x", 17), 1)).await.unwrap();
    let sizes: Vec<_> =
        parts.iter().map(|part| (part.number, part.outputs().unwrap().len())).collect();
    assert_eq!(sizes, [(1, 8), (2, 8), (3, 1)]);
}

#[tokio::test]
async fn parts_run_anywhere_in_any_order_and_are_put_together() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let (spec, out) = (spec("x", 40), files(folder.path()));
    let mut results = run_parts(&host, folder.path(), &spec).await;
    assert_eq!(results.len(), 5);
    results.swap(1, 3);
    assert_eq!(published(&out).await, [""; 0], "nothing is visible before the job is put together");
    assert_eq!(host.fake.runs().len(), 40, "each output is made once");

    let assembly = attempt(&spec, 7);
    let mut whole = host.executor(out.clone()).assemble(&assembly, results).await.unwrap();
    whole.publish().await.unwrap();
    let places: Vec<_> = (0..40).map(|n| format!("out/x/{n:02}.gif")).collect();
    assert_eq!(whole.outputs.iter().map(|o| o.output.clone()).collect::<Vec<_>>(), places);
    assert_eq!(whole.source.as_ref().map(|source| source.name.as_str()), Some("in/a.gif"));
    for n in 0..40 {
        let stamp = format!("{n:02}");
        assert_eq!(
            content(&out, &format!("x/{stamp}.gif")).await,
            [GIF, stamp.as_bytes()].concat()
        );
    }
    assert_eq!((published(&out).await.len(), staged(folder.path())), (40, 0));

    let elsewhere = host.executor(MemoryStorage::new());
    let at_once = made(&elsewhere, &attempt(&spec, 1)).await;
    assert_eq!(at_once.outputs, whole.outputs, "a job in parts reports what a whole one does");
}

#[tokio::test]
async fn a_part_is_made_again_under_a_higher_fence() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let (spec, out) = (spec("x", 20), files(folder.path()));
    let mut results = run_parts(&host, folder.path(), &spec).await;
    let executor = host.executor(out.clone());
    let second = &executor.split(&attempt(&spec, 1)).await.unwrap()[1];
    // The first attempt at it wakes up again after the second has been stored.
    let late = executor.part(&attempt(&spec, 1), second).await.unwrap();
    results[1] = executor.part(&attempt(&spec, 2), second).await.unwrap().detach();
    drop(late);
    executor.assemble(&attempt(&spec, 3), results).await.unwrap().publish().await.unwrap();
    assert_eq!((published(&out).await.len(), staged(folder.path())), (20, 0));
}

#[tokio::test]
async fn an_assembly_that_was_cut_off_is_taken_up() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let (spec, out) = (spec("x", 24), files(folder.path()));
    let results = run_parts(&host, folder.path(), &spec).await;
    // Killed when it had published two parts.
    for artefact in results[..2].iter().flat_map(|part| &part.artefacts) {
        let key = key(artefact.place.strip_prefix("out/").unwrap());
        out.staged(&key, &artefact.ticket).await.unwrap().publish(None).await.unwrap();
    }
    let mut reports = Vec::new();
    for fence in [2, 3] {
        let executor = host.executor(files(folder.path()));
        let mut whole = executor.assemble(&attempt(&spec, fence), results.clone()).await.unwrap();
        whole.publish().await.unwrap();
        assert_eq!((published(&out).await.len(), staged(folder.path())), (24, 0));
        reports.push((whole.source, whole.outputs, whole.plan, whole.decodes, whole.warnings));
    }
    assert_eq!(reports[0], reports[1]);
    for n in 0..24 {
        let stamp = format!("{n:02}");
        assert_eq!(
            content(&out, &format!("x/{stamp}.gif")).await,
            [GIF, stamp.as_bytes()].concat()
        );
    }
}

#[tokio::test]
async fn a_failed_assembly_can_be_tried_again() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let names = (0..20).map(|n| if n == 12 { "sub/12".to_owned() } else { format!("{n:02}") });
    let spec = JobSpec::new(&pipeline("x", names)).unwrap();
    let results = run_parts(&host, folder.path(), &spec).await;
    let executor = host.executor(files(folder.path()));
    // A file where one output's folder has to be.
    std::fs::create_dir(folder.path().join("x")).unwrap();
    std::fs::write(folder.path().join("x/sub"), "in the way").unwrap();
    let mut whole = executor.assemble(&attempt(&spec, 1), results.clone()).await.unwrap();
    assert_eq!(whole.publish().await.unwrap_err().code(), "storage.io");
    drop(whole);
    let there = published(&files(folder.path())).await.len() - 1;
    assert!(there > 0, "what was published stays");
    assert_eq!(staged(folder.path()), 20 - there, "and the rest waits for the next try");

    std::fs::remove_file(folder.path().join("x/sub")).unwrap();
    drop(executor.assemble(&attempt(&spec, 2), results.clone()).await.unwrap());
    let mut whole = executor.assemble(&attempt(&spec, 3), results).await.unwrap();
    whole.publish().await.unwrap();
    assert_eq!(published(&files(folder.path())).await.len(), 20);
}

#[tokio::test]
async fn a_lost_result_names_its_part() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let (spec, out) = (spec("x", 20), files(folder.path()));
    let results = run_parts(&host, folder.path(), &spec).await;
    let lost = &results[1].artefacts[3];
    std::fs::remove_file(folder.path().join(Ticket::FOLDER).join(lost.ticket.to_string())).unwrap();
    // Something else at its place does not count.
    let place = key(lost.place.strip_prefix("out/").unwrap());
    out.put(&place, &Blob::from(b"older".to_vec())).await.unwrap();
    let executor = host.executor(out.clone());
    let error = executor.assemble(&attempt(&spec, 1), results.clone()).await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("part.lost", ErrorKind::Transient));
    assert_eq!(
        (error.fact("part"), error.fact("output")),
        (Some("2"), Some(lost.place.as_str())),
        "{error}"
    );

    let mut results = results.clone();
    let part = PartSpec::new(2, executor.split(&attempt(&spec, 1)).await.unwrap()[1].input.clone());
    results[1] = executor.part(&attempt(&spec, 2), &part).await.unwrap().detach();
    executor.assemble(&attempt(&spec, 2), results).await.unwrap().publish().await.unwrap();
    assert_eq!((published(&out).await.len(), staged(folder.path())), (20, 0));
}

#[tokio::test]
async fn policies_hold_in_parts() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let wrong = Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")));
    for name in ["skipped", "replaced"] {
        host.fake.script(name, [wrong.clone()]);
    }
    let work = |name: &str| FakeWork::new(name);
    let pipeline = (0..18).fold(Pipeline::from("in/a.gif"), |pipeline, n| {
        pipeline.output(format!("out/{n:02}.gif"), |dot| match n {
            3 => dot.then(work("skipped")).or_skip(),
            11 => dot.clone().then(work("replaced")).or_else(dot.then(work("spare"))),
            n => dot.then(work(&n.to_string())),
        })
    });
    let spec = JobSpec::new(&pipeline.build().unwrap()).unwrap();
    let results = run_parts(&host, folder.path(), &spec).await;
    let executor = host.executor(files(folder.path()));
    let mut whole = executor.assemble(&attempt(&spec, 1), results).await.unwrap();
    whole.publish().await.unwrap();
    let failed = |output: &&OutputReport| output.state == OutputState::Failed;
    let failed: Vec<_> = whole.outputs.iter().filter(failed).map(|o| o.output.as_str()).collect();
    assert_eq!(failed, ["out/03.gif"]);
    assert_eq!(published(&files(folder.path())).await.len(), 17);
    assert!(host.fake.runs().contains(&"spare".to_owned()));
    assert_eq!(whole.warnings.len(), 2, "{:?}", whole.warnings);
}

#[tokio::test]
async fn a_cancelled_job_leaves_nothing_of_its_parts() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let spec = spec("x", 20);
    let results = run_parts(&host, folder.path(), &spec).await;
    let executor = host.executor(files(folder.path()));
    let cancelled = attempt(&spec, 1);
    cancelled.cancel.cancel();
    let error = executor.assemble(&cancelled, results).await.unwrap_err();
    assert_eq!((error.kind(), staged(folder.path())), (ErrorKind::Cancelled, 20));
    executor.discard(["job-1"]).await;
    assert_eq!(staged(folder.path()), 0);
}

/// A job that looks at its source, and decides on as many outputs as it is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Many {
    source: Source,
    outputs: u32,
}

#[async_trait]
impl Job for Many {
    const KIND: &'static str = "test.many";

    async fn plan(&self, cx: &PlanContext<'_>) -> Result<Pipeline> {
        cx.probe(&self.source).await?;
        Ok(pipeline("many", (0..self.outputs).map(|n| format!("{n:02}"))))
    }
}

#[tokio::test]
async fn a_job_is_planned_and_its_source_fetched_once() {
    let (host, out) = (Host::new().await, MemoryStorage::new());
    let many = |outputs| JobSpec::new(&Many { source: "in/a.gif".into(), outputs }).unwrap();
    let executor = host.executor(out.clone());
    assert_eq!(executor.split(&attempt(&many(40), 1)).await.unwrap().len(), 5);
    let whole = attempt(&many(4), 1);
    assert_eq!(executor.split(&whole).await.unwrap(), []);
    host.input.delete(&key("a.gif")).await.unwrap();
    made(&executor, &whole).await.publish().await.unwrap();
    assert_eq!(published(&out).await.len(), 4);
}

#[tokio::test]
async fn a_part_that_the_job_no_longer_has_is_refused() {
    let executor = Host::new().await.executor(MemoryStorage::new());
    for input in [serde_json::json!({"outputs": ["out/none.gif"]}), serde_json::json!({})] {
        let part = PartSpec::new(4, input);
        let error = executor.part(&attempt(&spec("x", 20), 1), &part).await.unwrap_err();
        assert_eq!((error.code(), error.fact("part")), ("part.input", Some("4")));
    }
}

/// Every part by a worker of its own, the last one first; the results as they are stored.
async fn run_parts(host: &Host, folder: &Path, spec: &JobSpec) -> Vec<PartResult> {
    let parts = host.executor(files(folder)).split(&attempt(spec, 1)).await.unwrap();
    let mut results = Vec::new();
    for part in parts.iter().rev() {
        let stored = serde_json::to_string(part).unwrap();
        let part: PartSpec = serde_json::from_str(&stored).unwrap();
        let made = host.executor(files(folder)).part(&attempt(spec, 1), &part).await.unwrap();
        let result = serde_json::to_string(&made.detach()).unwrap();
        results.insert(0, serde_json::from_str(&result).unwrap());
    }
    let numbers: BTreeSet<_> = results.iter().map(|result: &PartResult| result.part).collect();
    assert_eq!(numbers.len(), parts.len());
    results
}
