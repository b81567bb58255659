use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::super::{Finished, Recall};
use super::*;
use crate::Error;
use crate::report::{OutputReport, OutputState};
use crate::spec::{JobOptions, Location};

/// Remembers what it is told, and counts the questions.
#[derive(Debug, Default)]
struct Known {
    results: Mutex<HashMap<String, OutputReport>>,
    asked: Mutex<usize>,
}

#[async_trait]
impl Recall for Known {
    async fn recall(&self, key: &str) -> Result<Vec<OutputReport>> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Ok(self
            .results
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
            .into_iter()
            .collect())
    }
}

impl Known {
    fn remember(&self, done: &Finished) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        for output in &done.outputs {
            assert_eq!((output.state, output.content_key.len()), (OutputState::Published, 64));
            results.insert(output.content_key.clone(), output.clone());
        }
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes and publishes a pipeline, and remembers its results.
async fn run(executor: &Executor, known: &Arc<Known>, pipeline: &Pipeline) -> Finished {
    run_spec(executor, known, JobSpec::new(pipeline).unwrap()).await
}

async fn run_spec(executor: &Executor, known: &Arc<Known>, spec: JobSpec) -> Finished {
    let attempt = Attempt::new(spec, CancellationToken::new(), Arc::new(Nobody));
    let known = Arc::clone(known);
    let mut done = made(executor, &attempt.recalling(Arc::clone(&known) as _)).await;
    done.publish().await.unwrap();
    known.remember(&done);
    done
}

fn one(source: &str, place: &str, text: &str) -> Pipeline {
    let text = text.to_owned();
    let pipeline = Pipeline::from(source);
    let made = |dot: crate::spec::Chain| dot.then(FakeWork::new("work")).then(Stamp { text });
    pipeline.output(place, made).build().unwrap()
}

fn key_of(done: &Finished, place: &str) -> String {
    let output = done.outputs.iter().find(|output| output.output == place).unwrap();
    output.content_key.clone()
}

#[tokio::test]
async fn equal_work_has_an_equal_key() {
    let (host, known) = (Host::new().await, Arc::new(Known::default()));
    host.input.put(&key("same.gif"), &Blob::from(GIF.to_vec())).await.unwrap();
    let other = [GIF, b"other"].concat();
    host.input.put(&key("other.gif"), &Blob::from(other)).await.unwrap();
    let executor = host.executor(MemoryStorage::new());
    let first = run(&executor, &known, &one("in/a.gif", "out/1.gif", "x")).await;
    let first = key_of(&first, "out/1.gif");

    let renamed = run(&executor, &known, &one("in/same.gif", "out/2.gif", "x")).await;
    assert_eq!(key_of(&renamed, "out/2.gif"), first, "names of files and places do not matter");

    let mut steps = one("in/a.gif", "out/3.gif", "x");
    steps.steps = std::mem::take(&mut steps.steps)
        .into_iter()
        .map(|(name, mut step)| {
            step.from.iter_mut().filter(|from| *from != "source").for_each(|from| {
                from.push_str("-renamed");
            });
            (format!("{name}-renamed"), step)
        })
        .collect();
    steps.outputs.values_mut().for_each(|output| output.from.push_str("-renamed"));
    steps.outputs.insert("out/4.gif".into(), crate::spec::OutputSpec::from_step("source"));
    let renamed = run(&executor, &known, &steps).await;
    assert_eq!(key_of(&renamed, "out/3.gif"), first, "nor do names of steps or other outputs");
    assert_ne!(key_of(&renamed, "out/4.gif"), first);

    let changed = run(&executor, &known, &one("in/a.gif", "out/5.gif", "y")).await;
    assert_ne!(key_of(&changed, "out/5.gif"), first, "a parameter matters");
    let changed = run(&executor, &known, &one("in/other.gif", "out/6.gif", "x")).await;
    assert_ne!(key_of(&changed, "out/6.gif"), first, "the bytes of the source matter");
    let mut swapped = one("in/a.gif", "out/7.gif", "x");
    swapped.steps.get_mut("stamp").unwrap().from = vec!["source".into()];
    let changed = run(&executor, &known, &swapped).await;
    assert_ne!(key_of(&changed, "out/7.gif"), first, "the way matters");
}

#[test]
fn the_version_of_an_operation_matters() {
    let sources = std::collections::BTreeMap::from([("source".to_owned(), "0".repeat(64))]);
    let mut pipeline = one("in/a.gif", "out/1.gif", "x");
    let before = super::super::recall::content_keys(&pipeline, &sources).unwrap();
    pipeline.steps.get_mut("stamp").unwrap().v = 2;
    assert_ne!(super::super::recall::content_keys(&pipeline, &sources).unwrap(), before);
}

#[test]
fn what_is_accepted_of_a_damaged_source_is_no_result_of_a_whole_one() {
    let sources = std::collections::BTreeMap::from([("source".to_owned(), "0".repeat(64))]);
    let mut pipeline = one("in/a.gif", "out/1.gif", "x");
    let before = super::super::recall::content_keys(&pipeline, &sources).unwrap();
    pipeline.on_damage = crate::media::OnDamage::Accept;
    assert_ne!(super::super::recall::content_keys(&pipeline, &sources).unwrap(), before);
}

#[tokio::test]
async fn a_known_result_is_copied_and_not_made_again() {
    let (host, known, folder) =
        (Host::new().await, Arc::new(Known::default()), tempfile::tempdir().unwrap());
    let (executor, out) = (host.executor(files(folder.path())), files(folder.path()));
    run(&executor, &known, &one("in/a.gif", "out/1.gif", "x")).await;
    let both = Pipeline::from("in/a.gif")
        .output("out/new.gif", |dot| dot.then(FakeWork::new("new")))
        .output("out/2.gif", |dot| {
            dot.then(FakeWork::new("work")).then(Stamp { text: "x".into() })
        });
    let done = run(&executor, &known, &both.build().unwrap()).await;
    let reused: Vec<_> = done.outputs.iter().map(|o| (o.output.as_str(), o.reused)).collect();
    assert_eq!(reused, [("out/2.gif", true), ("out/new.gif", false)]);
    assert_eq!(host.fake.runs(), ["work", "new"]);
    assert_eq!(content(&out, "2.gif").await, content(&out, "1.gif").await);
    let (copy, bytes) = (&done.outputs[0], content(&out, "2.gif").await.len() as u64);
    assert_eq!((copy.bytes, copy.mime.as_str(), copy.sha256.len()), (bytes, "image/gif", 64));

    // At the very same place there is nothing to do at all.
    let again = run(&executor, &known, &one("in/a.gif", "out/2.gif", "x")).await;
    assert!(again.outputs[0].reused);
    assert_eq!((host.fake.runs().len(), content(&out, "2.gif").await.len() as u64), (2, bytes));
    assert_eq!(staged(folder.path()), 0);
}

#[tokio::test]
async fn a_copy_is_told_if_its_name_says_something_else() {
    let (host, known) = (Host::new().await, Arc::new(Known::default()));
    let executor = host.executor(MemoryStorage::new());
    for (place, warnings) in [("out/1.png", 1), ("out/2.gif", 0), ("out/3.jpg", 1)] {
        let done = run(&executor, &known, &one("in/a.gif", place, "x")).await;
        assert_eq!(done.outputs[0].warnings.len(), warnings, "{:?}", done.outputs[0].warnings);
    }
    assert_eq!(host.fake.runs().len(), 1);
}

#[tokio::test]
async fn what_has_changed_or_vanished_is_made_again() {
    let (host, known, out) = (Host::new().await, Arc::new(Known::default()), MemoryStorage::new());
    let executor = host.executor(out.clone());
    let first = run(&executor, &known, &one("in/a.gif", "out/1.gif", "x")).await;
    let before = content(&out, "1.gif").await;
    // As many bytes as before, but others.
    let changed = vec![b'?'; before.len()];
    out.put(&key("1.gif"), &Blob::from(changed)).await.unwrap();
    let second = run(&executor, &known, &one("in/a.gif", "out/2.gif", "x")).await;
    assert_eq!((second.outputs[0].reused, host.fake.runs().len()), (false, 2));
    assert_eq!(content(&out, "2.gif").await, before);
    // The result that is in its place, but not as it was.
    known.remember(&first);
    let third = run(&executor, &known, &one("in/a.gif", "out/1.gif", "x")).await;
    assert_eq!((third.outputs[0].reused, content(&out, "1.gif").await), (false, before.clone()));

    out.delete(&"1.gif".parse().unwrap()).await.unwrap();
    let fourth = run(&executor, &known, &one("in/a.gif", "out/4.gif", "x")).await;
    assert_eq!((fourth.outputs[0].reused, host.fake.runs().len()), (false, 4));
    let place: Location = "out/4.gif".parse().unwrap();
    assert_eq!(content(&out, place.key.as_str()).await, before);
}

#[tokio::test]
async fn reuse_can_be_switched_off() {
    let (host, known) = (Host::new().await, Arc::new(Known::default()));
    let executor = host.executor(MemoryStorage::new());
    run(&executor, &known, &one("in/a.gif", "out/1.gif", "x")).await;
    let spec = JobSpec::new(&one("in/a.gif", "out/2.gif", "x")).unwrap();
    let again =
        run_spec(&executor, &known, spec.with_options(JobOptions::new().reuse(false))).await;
    assert_eq!((again.outputs[0].reused, known.asked(), host.fake.runs().len()), (false, 1, 2));
}

#[tokio::test]
async fn keys_are_for_those_who_recall() {
    let (host, out) = (Host::new().await, MemoryStorage::new());
    let done = made(&host.executor(out), &attempt(&spec("x", 1), 1)).await;
    assert_eq!((done.outputs[0].content_key.as_str(), done.outputs[0].reused), ("", false));
}

/// Does not answer.
#[derive(Debug)]
struct Amnesia;

#[async_trait]
impl Recall for Amnesia {
    async fn recall(&self, _key: &str) -> Result<Vec<OutputReport>> {
        Err(Error::transient("recall.down", "the memory is away"))
    }
}

#[tokio::test]
async fn without_an_answer_the_work_is_done() {
    let (host, out) = (Host::new().await, MemoryStorage::new());
    let attempt = attempt(&spec("x", 2), 1).recalling(Arc::new(Amnesia));
    let mut done = made(&host.executor(out.clone()), &attempt).await;
    done.publish().await.unwrap();
    assert_eq!((published(&out).await.len(), host.fake.runs().len()), (2, 2));
}

#[tokio::test]
async fn parts_recall_too() {
    let (host, known, out) = (Host::new().await, Arc::new(Known::default()), MemoryStorage::new());
    let (executor, spec) = (host.executor(out.clone()), spec("x", 20));
    run_spec(&executor, &known, spec.clone()).await;
    let attempt = attempt(&spec, 1).recalling(Arc::clone(&known) as _);
    let mut results = Vec::new();
    for part in executor.split(&attempt).await.unwrap() {
        results.push(executor.part(&attempt, &part).await.unwrap().detach());
    }
    let mut whole = executor.assemble(&attempt, results).await.unwrap();
    whole.publish().await.unwrap();
    assert!(whole.outputs.iter().all(|output| output.reused));
    assert_eq!((whole.outputs.len(), host.fake.runs().len()), (20, 20));
}

#[tokio::test]
async fn several_files_are_used_again_at_their_places() {
    let (host, known) = (Host::new().await, Arc::new(Known::default()));
    let out = MemoryStorage::new();
    let executor = host.executor(out.clone());
    run(&executor, &known, &bundles::bundle("out/b/{name}")).await;
    let again = run(&executor, &known, &bundles::bundle("out/b/{name}")).await;
    assert_eq!(host.fake.runs().len(), 1, "nothing is made twice");
    assert_eq!(again.outputs[0].files.len(), 3);
    assert!(again.outputs[0].reused && again.outputs[0].files.iter().all(|file| file.reused));

    out.delete(&key("b/b.gif")).await.unwrap();
    run(&executor, &known, &bundles::bundle("out/b/{name}")).await;
    assert_eq!(host.fake.runs().len(), 2, "one that is gone is a reason to make them again");
    run(&executor, &known, &bundles::bundle("out/c/{page}.gif")).await;
    assert_eq!(published(&out).await.len(), 6, "elsewhere they have other names");
}
