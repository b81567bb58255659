//! The private PostgreSQL server and the breaking network that the other tests stand on.

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use mediaflow_core::testing::soon;
use mediaflow_queue::testing::{PrivatePostgres, Proxy};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Says to the test program that it is the process to be killed.
const VICTIM: &str = "MEDIAFLOW_HARNESS_VICTIM";

#[tokio::test]
async fn databases_of_one_server_are_apart() -> Outcome {
    let server = PrivatePostgres::shared().await?;
    let (first, second) = (server.database("apart").await?, server.database("apart").await?);
    assert_ne!(first, second);
    let mut one = PgConnection::connect(&first).await?;
    sqlx::query("CREATE TABLE things (id BIGINT)").execute(&mut one).await?;
    let mut two = PgConnection::connect(&second).await?;
    let tables: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('things')::text").fetch_one(&mut two).await?;
    assert_eq!(tables, None);

    let refused = server.database("Robert'); --").await.expect_err("a bad name");
    assert_eq!(refused.code(), "testing.postgres");
    Ok(())
}

#[tokio::test]
async fn the_settings_are_the_promised_ones() -> Outcome {
    let server = PrivatePostgres::shared().await?;
    let mut connection = PgConnection::connect(&server.url()).await?;
    for (name, value) in [("fsync", "on"), ("max_connections", "200")] {
        let shown: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        assert_eq!(shown, value, "{name}");
    }
    let stranger = server.url().replacen("mediaflow:", "mediaflow:wrong", 1);
    let refused = PgConnection::connect(&stranger).await.expect_err("a wrong password");
    let code = refused.as_database_error().and_then(|e| e.code().map(|code| code.into_owned()));
    assert_eq!(code.as_deref(), Some("28P01"));
    Ok(())
}

#[tokio::test]
async fn what_is_committed_survives_a_restart_and_a_crash() -> Outcome {
    let server = PrivatePostgres::builder().set("fsync", "off").start().await?;
    let url = server.database("survivor").await?;
    let mut connection = PgConnection::connect(&url).await?;
    sqlx::query("CREATE TABLE things (id BIGINT)").execute(&mut connection).await?;
    for id in 1..=2_i64 {
        sqlx::query("INSERT INTO things VALUES ($1)").bind(id).execute(&mut connection).await?;
        if id == 1 {
            server.restart().await?;
        } else {
            server.stop_hard().await?;
            PgConnection::connect(&url).await.expect_err("a stopped server");
            server.start_again().await?;
        }
        sqlx::query("SELECT 1").execute(&mut connection).await.expect_err("a lost connection");
        connection = PgConnection::connect(&url).await?;
        assert_eq!(count(&mut connection).await?, id);
    }
    let failure = server.start_again().await.expect_err("it runs");
    assert!(failure.fact("output").is_some_and(|told| !told.is_empty()), "{failure:?}");

    let folder = server.folder().to_owned();
    drop(server);
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_told() {
    let builder = PrivatePostgres::builder().set("no_such_setting", "it's on");
    let failure = builder.start().await.expect_err("a wrong setting");
    let output = failure.fact("output").unwrap_or_default();
    assert!(output.contains("no_such_setting"), "{failure:?}");
}

#[tokio::test]
async fn a_line_is_cut_and_held() -> Outcome {
    let server = PrivatePostgres::shared().await?;
    let network = Proxy::start(server.addr()).await?;
    let url = network.url(&server.database("line").await?);
    let mut connection = PgConnection::connect(&url).await?;
    connection.ping().await?;

    network.cut();
    soon("error of a cut line", connection.ping()).await.expect_err("a cut line");
    soon("refusal", PgConnection::connect(&url)).await.expect_err("a cut line");
    network.resume();
    let mut connection = PgConnection::connect(&url).await?;

    // Held, the question stays on its way, and so does the greeting of another connection.
    network.hold();
    let mut asked = Box::pin(connection.ping());
    let mut greeted = Box::pin(PgConnection::connect(&url));
    timeout(Duration::from_millis(100), &mut asked).await.expect_err("no byte passes");
    timeout(Duration::from_millis(100), &mut greeted).await.expect_err("no byte passes");
    network.resume();
    soon("answer", asked).await?;
    soon("greeting", greeted).await?;

    // Cut and mended in one moment: a connection of before is gone all the same.
    network.cut();
    network.resume();
    soon("error of a cut line", connection.ping()).await.expect_err("a cut line");
    Ok(())
}

/// Not a test but the process that the next one kills.
#[tokio::test]
async fn victim() -> Outcome {
    if std::env::var_os(VICTIM).is_some() {
        let server = PrivatePostgres::shared().await?;
        std::fs::write(server.folder().join("ready"), "")?;
        std::future::pending::<()>().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_process_leaves_nothing_behind() -> Outcome {
    let place = tempfile::Builder::new().prefix("harness").tempdir_in("/tmp")?;
    open_to_all(&place)?;
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "victim"])
        .env(VICTIM, "1")
        .env("TMPDIR", place.path())
        .stdout(Stdio::null())
        .spawn()?;
    let folder = soon("server", eventually(|| find_ready(&place))).await;
    let told = std::fs::read_to_string(folder.join("data/postmaster.pid"))?;
    let port: u16 = told.lines().nth(3).ok_or("no port")?.parse()?;
    let server = (Ipv4Addr::LOCALHOST, port);
    drop(TcpStream::connect(server)?);

    victim.kill()?;
    victim.wait()?;
    soon("clean end", eventually(|| (!folder.exists()).then_some(()))).await;
    TcpStream::connect(server).expect_err("the server is gone");
    Ok(())
}

async fn count(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM things").fetch_one(connection).await
}

fn open_to_all(place: &tempfile::TempDir) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o777))
}

fn find_ready(place: &tempfile::TempDir) -> Option<PathBuf> {
    let folders = std::fs::read_dir(place).ok()?.flatten().map(|entry| entry.path());
    folders.into_iter().find(|folder| folder.join("ready").exists())
}

/// Another process tells us nothing: looks until there is something.
async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(10)).await;
    }
}
