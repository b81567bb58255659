//! A database that can not be used says what to do, and one bad row is in nobody's way.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;
mod small_disk;

use std::io::Write as _;
use std::path::Path;

use database::{Database, builder, shut, work};
use mediaflow_core::report::JobState;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, soon};
use mediaflow_core::{Error, ErrorKind};
use mediaflow_queue::Queue;
use small_disk::SmallDisk;

on_both! {
    a_newer_schema_is_left_alone
    a_damaged_row_fails_its_job_only
}

/// What starting on this database says. It names what is wrong, and what to do.
async fn refused(queue: Queue) -> Error {
    let error = builder(queue, &FakeBackend::new()).start().await.expect_err("a useless database");
    let text = error.to_string();
    assert!(text.contains(": "), "no help: {text}");
    error
}

async fn a_newer_schema_is_left_alone(database: Database) {
    let make =
        "CREATE TABLE mediaflow_schema (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)";
    database.run(make).await;
    database.run("INSERT INTO mediaflow_schema VALUES (99, 0)").await;

    let error = refused(database.queue()).await;
    assert_eq!((error.code(), error.kind()), ("queue.newer_schema", ErrorKind::Unsupported));
    assert_eq!((error.fact("found"), error.fact("understood")), (Some("99"), Some("5")));
    assert!(error.to_string().contains("update this process"), "{error}");
    assert_eq!(database.tables().await, ["mediaflow_schema"]);
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_schema").await, 1);
}

async fn a_damaged_row_fails_its_job_only(database: Database) {
    let storage = MemoryStorage::new();
    let client = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", storage.clone())
        .submit_only()
        .start()
        .await
        .unwrap();
    let damaged = client.submit(work("damaged")).await.unwrap().id();
    let whole = client.submit(work("whole")).await.unwrap().id();
    let damage = format!("UPDATE mediaflow_jobs SET spec = '{{\"schema' WHERE id = '{damaged}'");
    assert_eq!(database.run(&damage).await, 1);

    let media = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", storage)
        .start()
        .await
        .unwrap();
    let status = soon("end", media.handle(whole).ended()).await.unwrap();
    assert_eq!(status.state, JobState::Succeeded);
    let failed =
        format!("SELECT count(*) FROM mediaflow_jobs WHERE id = '{damaged}' AND state = 'failed'");
    database.until(&failed, 1).await;
    let code = format!("SELECT failure_code FROM mediaflow_jobs WHERE id = '{damaged}'");
    assert_eq!(database.texts(&code).await, ["queue.corrupt_row"]);
    assert_eq!(database.ends(damaged).await, 1);
    shut(client).await;
    shut(media).await;
}
mod sqlite_files {
    use super::*;

    fn open(path: &Path) -> Queue {
        mediaflow_queue::Sqlite::open(path)
    }

    #[tokio::test]
    async fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = refused(open(&folder.path().join("missing/jobs.db"))).await;
        assert_eq!((error.code(), error.kind()), ("queue.open", ErrorKind::Input));
        assert!(error.fact("file").is_some_and(|file| file.ends_with("missing/jobs.db")));
        assert!(error.to_string().contains("its folder must exist"), "{error}");
    }

    #[tokio::test]
    async fn another_file_is_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letter.txt");
        let letter = "Dear reader, this is a letter and no database. ".repeat(100);
        std::fs::write(&path, &letter).unwrap();
        let error = refused(open(&path)).await;
        assert_eq!((error.code(), error.kind()), ("queue.corrupt", ErrorKind::Input));
        assert!(error.to_string().contains("name another file"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
    }

    #[expect(clippy::print_stdout, reason = "what a machine can not test is said")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_loses_nothing_that_was_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("small");
        let disk = SmallDisk::mount(&place, 8);
        if let Err(why) = &disk {
            println!("no disk can be mounted to be filled: {why}");
            return;
        }
        let fake = FakeBackend::new();
        let builder =
            builder(open(&place.join("jobs.db")), &fake).storage_with("out", MemoryStorage::new());
        let media = builder.start().await.unwrap();
        let ballast = place.join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        drop(file);
        // The log of the database may have some room left.
        let (mut accepted, mut refused) = (Vec::new(), None);
        while refused.is_none() {
            match media.submit(work(&format!("job-{}", accepted.len()))).await {
                Ok(job) => accepted.push(job),
                Err(error) => refused = Some(error),
            }
        }
        let error = refused.unwrap();
        assert_eq!((error.code(), error.kind()), ("queue.disk_full", ErrorKind::Transient));
        assert!(error.to_string().contains("free space"), "{error}");
        std::fs::remove_file(&ballast).unwrap();
        accepted.push(media.submit(work("freed")).await.unwrap());
        for job in accepted {
            soon("success", job.done()).await.unwrap();
        }
        shut(media).await;
    }

    /// Says to the test program that it is the process without rights.
    const READ_ONLY: &str = "MEDIAFLOW_READ_ONLY_DATABASE";

    /// Root may write everywhere, so that somebody else has to try.
    #[test]
    fn a_file_without_the_right_to_write_is_named() {
        use std::os::unix::fs::PermissionsExt as _;
        use std::os::unix::process::CommandExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let start = async || builder(open(&path), &FakeBackend::new()).start().await.unwrap();
        let media = runtime.block_on(start());
        for (path, mode) in [(&*path, 0o444), (folder.path(), 0o555)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        // Another user may not get to where the test program was built.
        let program = tempfile::tempdir().unwrap();
        std::fs::set_permissions(program.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let test = program.path().join("test");
        std::fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
        let mut child = std::process::Command::new(&test);
        child.args(["--exact", "sqlite_files::the_process_without_rights"]).env(READ_ONLY, &path);
        if rustix::process::geteuid().is_root() {
            child.uid(65_534).gid(65_534).current_dir("/");
        }
        let mut refused = |when| {
            let output = child.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{when}: {said}");
        };
        refused("while somebody works with it");
        runtime.block_on(shut(media));
        refused("when nobody does");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Nothing but what the test before it starts.
    #[tokio::test]
    async fn the_process_without_rights() {
        let Some(path) = std::env::var_os(READ_ONLY) else { return };
        let error = refused(open(Path::new(&path))).await;
        assert_eq!(
            (error.code(), error.kind()),
            ("queue.read_only", ErrorKind::Input),
            "{error:?}"
        );
        assert!(error.to_string().contains("the right to write"), "{error}");
    }
}
mod postgres_servers {
    use super::*;
    use mediaflow_queue::Postgres;
    use mediaflow_queue::testing::PrivatePostgres;

    #[tokio::test]
    async fn a_wrong_password_is_told_without_it() {
        let server = PrivatePostgres::shared().await.unwrap();
        let url = format!("postgres://mediaflow:secret-but-wrong@{}/postgres", server.addr());
        let error = refused(Postgres::connect(url)).await;
        assert_eq!((error.code(), error.kind()), ("queue.auth", ErrorKind::Input));
        assert_eq!(error.fact("host"), Some(server.addr().to_string().as_str()));
        let text = format!("{error:?}");
        assert!(
            text.contains("the password in the URL") && !text.contains("secret-but-wrong"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_missing_database_is_told() {
        let server = PrivatePostgres::shared().await.unwrap();
        let url = server.url().replace("/postgres", "/nowhere");
        let error = refused(Postgres::connect(url)).await;
        assert_eq!((error.code(), error.kind()), ("queue.no_database", ErrorKind::Input));
        assert!(error.to_string().contains("createdb"), "{error}");
    }

    #[tokio::test]
    async fn something_else_than_a_url_is_told() {
        let error = refused(Postgres::connect("jobs.db")).await;
        assert_eq!((error.code(), error.kind()), ("queue.url", ErrorKind::Input));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_may_come() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = listener.local_addr().unwrap();
        drop(listener);
        let error = refused(Postgres::connect(format!("postgres://me:secret@{nobody}/jobs"))).await;
        assert_eq!((error.code(), error.kind()), ("queue.unavailable", ErrorKind::Transient));
        assert_eq!(error.fact("host"), Some(nobody.to_string().as_str()));
    }
}
