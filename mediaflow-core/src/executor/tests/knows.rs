use super::*;
use crate::spec::Needs;

async fn knows(needs: &str) -> bool {
    let executor = Host::new().await.executor(MemoryStorage::new());
    executor.knows(&needs.parse::<Needs>().unwrap())
}

#[tokio::test]
async fn a_process_knows_what_its_host_has_configured() {
    let executor = Host::new().await.executor(MemoryStorage::new());
    assert!(executor.knows(&spec("x", 3).needs()));
    assert!(knows("").await);
    for known in
        ["job:pipeline@1", "job:test.many@1", "op:fake.work@1", "op:test.stamp@0", "storage:out"]
    {
        assert!(knows(known).await, "{known}");
    }
}

#[tokio::test]
async fn what_is_newer_or_missing_is_not_known() {
    for missing in [
        "job:pipeline@2",
        "job:other@1",
        "op:fake.work@2",
        "op:fake.other@1",
        "op:fake.work@x",
        "storage:archive",
        "channel:webhook",
        "gpu:cuda",
        "word",
    ] {
        assert!(!knows(missing).await, "{missing}");
        assert!(!knows(&format!("job:pipeline@1 {missing}")).await, "{missing}");
    }
}
