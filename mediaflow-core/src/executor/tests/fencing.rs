use super::*;

#[tokio::test]
async fn a_zombie_can_not_write_over_its_successor() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let out = files(folder.path());
    let mut late = made(&host.executor(out.clone()), &attempt(&spec("x", 2), 1)).await;
    // The successor's job has changed, so that its bytes tell who wrote them.
    let changed = Pipeline::from("in/a.gif")
        .output("out/x/00.gif", |dot| dot.then(Stamp { text: "successor".into() }))
        .output("out/x/01.gif", |dot| dot.then(Stamp { text: "successor".into() }));
    let changed = JobSpec::new(&changed.build().unwrap()).unwrap();
    let next = attempt(&changed, 2);
    made(&host.executor(files(folder.path())), &next).await.publish().await.unwrap();

    let error = late.publish().await.unwrap_err();
    assert_eq!((error.code(), error.fact("output")), ("storage.revoked", Some("out/x/00.gif")));
    for name in ["x/00.gif", "x/01.gif"] {
        assert_eq!(content(&out, name).await, [GIF, b"successor"].concat());
    }
    drop(late);
    assert_eq!(staged(folder.path()), 0);
}

#[tokio::test]
async fn who_is_revoked_takes_nothing_back() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let executor = host.executor(files(folder.path()));
    let mut late = made(&executor, &attempt(&spec("x", 3), 1)).await;
    // The successor revokes while the first output has just been published.
    let second = late.staged[1].ticket.to_string();
    std::fs::remove_file(folder.path().join(Ticket::FOLDER).join(second)).unwrap();
    let error = late.publish().await.unwrap_err();
    assert_eq!(error.code(), "storage.revoked");
    assert_eq!(published(&files(folder.path())).await, ["x/00.gif"]);
}

#[tokio::test]
async fn a_failed_publication_destroys_nothing() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let (executor, out) = (host.executor(files(folder.path())), files(folder.path()));
    // A file where the second output's folder has to be.
    let blocked = Pipeline::from("in/a.gif")
        .output("out/a.gif", |dot| dot)
        .output("out/b/b.gif", |dot| dot)
        .output("out/c.gif", |dot| dot);
    let spec = JobSpec::new(&blocked.build().unwrap()).unwrap();
    for name in ["a.gif", "c.gif"] {
        out.put(&key(name), &Blob::from(b"older".to_vec())).await.unwrap();
    }
    std::fs::write(folder.path().join("b"), "in the way").unwrap();
    let mut done = made(&executor, &attempt(&spec, 1)).await;
    let error = done.publish().await.unwrap_err();
    assert_eq!((error.code(), error.fact("output")), ("storage.io", Some("out/b/b.gif")));
    assert_eq!(error.fact("published"), Some("out/a.gif"));
    assert_eq!(content(&out, "a.gif").await, GIF, "the newer version is whole and stays");
    assert_eq!(content(&out, "c.gif").await, b"older");
    drop(done);
    assert_eq!(staged(folder.path()), 0);

    std::fs::remove_file(folder.path().join("b")).unwrap();
    made(&executor, &attempt(&spec, 2)).await.publish().await.unwrap();
    for name in ["a.gif", "b/b.gif", "c.gif"] {
        assert_eq!(content(&out, name).await, GIF, "the next attempt publishes all: {name}");
    }
}

#[tokio::test]
async fn what_a_killed_attempt_has_left_is_gone_after_the_next() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let executor = host.executor(files(folder.path()));
    // Kept instead of dropped, as a killed process leaves it.
    let _ = made(&executor, &attempt(&spec("x", 3), 1)).await.detach();
    let other = Attempt { job: "job-2".into(), ..attempt(&spec("y", 1), 1) };
    let _ = made(&executor, &other).await.detach();
    assert_eq!(staged(folder.path()), 4);
    made(&executor, &attempt(&spec("x", 3), 2)).await.publish().await.unwrap();
    assert_eq!(staged(folder.path()), 1, "another job's results are not touched");
    executor.discard(["job-2"]).await;
    assert_eq!(staged(folder.path()), 0);
}

#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_nothing() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    drop(made(&host.executor(files(folder.path())), &attempt(&spec("x", 3), 1)).await);
    assert_eq!((staged(folder.path()), published(&files(folder.path())).await.len()), (0, 0));
}
