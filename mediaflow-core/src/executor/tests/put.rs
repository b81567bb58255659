use super::*;
use crate::spec::{Precondition, PutOptions};
use crate::storage::Stat;

fn one(put: PutOptions, precondition: Option<Precondition>, text: &str) -> JobSpec {
    let stamp = Stamp { text: text.to_owned() };
    let mut pipeline =
        Pipeline::from("in/a.gif").output("out/a.gif", |dot| dot.then(stamp)).put(put);
    if let Some(precondition) = precondition {
        pipeline = pipeline.precondition(precondition);
    }
    JobSpec::new(&pipeline.build().unwrap()).unwrap()
}

async fn stat(storage: &impl Storage, name: &str) -> Stat {
    storage.stat(&key(name)).await.unwrap()
}

#[tokio::test]
async fn an_output_is_stored_with_what_is_said_of_it_or_of_its_storage() {
    let (host, out) = (Host::new().await, MemoryStorage::new());
    let mut executor = host.executor(out.clone());
    let defaults = PutOptions::new().cache_control("no-cache").metadata("by", "mediaflow");
    let storages = &mut Arc::get_mut(&mut executor.0).unwrap().storages;
    storages.set_defaults("out".into(), defaults.clone());
    let said = PutOptions::new().cache_control("public, max-age=60").content_type("image/x-dot");
    let spec = one(said.clone(), None, "a");
    made(&executor, &attempt(&spec, 1)).await.publish().await.unwrap();
    assert_eq!(stat(&out, "a.gif").await.options, said.or(&defaults));

    // Also what is put together from parts, or taken over.
    let plain = one(PutOptions::new(), None, "b");
    made(&executor, &attempt(&plain, 2)).await.publish().await.unwrap();
    assert_eq!(stat(&out, "a.gif").await.options, defaults);
}

#[tokio::test]
async fn an_output_that_may_not_be_replaced_is_not() {
    let (host, out) = (Host::new().await, MemoryStorage::new());
    let executor = host.executor(out.clone());
    out.put(&key("a.gif"), &Blob::from(b"somebody's".to_vec())).await.unwrap();
    let spec = |precondition| one(PutOptions::new(), Some(precondition), "a");
    let mut done = made(&executor, &attempt(&spec(Precondition::IfNoneMatch), 1)).await;
    let error = done.publish().await.unwrap_err();
    assert_eq!((error.code(), error.fact("output")), ("storage.precondition", Some("out/a.gif")));
    assert_eq!(content(&out, "a.gif").await, b"somebody's");
    assert_eq!(out.staged_for().await.unwrap().len(), 0, "nothing is left behind");

    let version = stat(&out, "a.gif").await.version.unwrap();
    let replace = attempt(&spec(Precondition::IfMatch(version)), 2);
    made(&executor, &replace).await.publish().await.unwrap();
    assert_eq!(content(&out, "a.gif").await, [GIF, b"a"].concat());
}

/// A worker is killed after it has published, and before anybody hears of it.
#[tokio::test]
async fn what_an_earlier_attempt_has_published_counts() {
    let (host, out) = (Host::new().await, MemoryStorage::new());
    let executor = host.executor(out.clone());
    let spec = one(PutOptions::new(), Some(Precondition::IfNoneMatch), "a");
    made(&executor, &attempt(&spec, 1)).await.publish().await.unwrap();
    let before = stat(&out, "a.gif").await;
    let next = attempt(&spec, 2);
    made(&executor, &next).await.publish().await.expect("it is there, and ours");
    assert_eq!(stat(&out, "a.gif").await, before, "it is not touched");
    assert_eq!(out.staged_for().await.unwrap().len(), 0);
}

#[tokio::test]
async fn parts_carry_their_conditions() {
    let (host, out) = (Host::new().await, MemoryStorage::new());
    let executor = host.executor(out.clone());
    let spec = one(PutOptions::new(), Some(Precondition::IfNoneMatch), "a");
    let part = made(&executor, &attempt(&spec, 1)).await.detach();
    let stored = serde_json::to_string(&part).unwrap();
    out.put(&key("a.gif"), &Blob::from(b"somebody's".to_vec())).await.unwrap();
    let parts = vec![serde_json::from_str(&stored).unwrap()];
    let mut whole = executor.assemble(&attempt(&spec, 2), parts).await.unwrap();
    let error = whole.publish().await.unwrap_err();
    assert!(["storage.precondition", "storage.revoked"].contains(&error.code()), "{error}");
    assert_eq!(content(&out, "a.gif").await, b"somebody's");
    // What an older build has stored has no condition.
    let older = stored.replace(r#","precondition":"if_none_match""#, "");
    assert_ne!(older, stored);
    assert!(serde_json::from_str::<super::super::PartResult>(&older).is_ok());
}

#[tokio::test]
async fn a_source_above_the_limit_is_not_fetched() {
    let host = Host::new().await;
    let mut executor = host.executor(MemoryStorage::new());
    Arc::get_mut(&mut executor.0).unwrap().limits.input_bytes = 13;
    let error = executor.attempt(&attempt(&spec("x", 1), 1)).await.unwrap_err();
    assert_eq!((error.code(), error.fact("source")), ("limit.input_bytes", Some("in/a.gif")));
    assert_eq!((error.fact("found"), error.fact("allowed")), (Some("14"), Some("13")));
}
