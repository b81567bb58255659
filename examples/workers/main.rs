//! Many workers: one process submits photos, four others work on them over PostgreSQL, and every second one of the four
//! is killed and replaced. At the end the database and the receiver of the webhooks are asked what was lost.
//!
//! `cargo run --example workers --features postgres,webhook,testing`, and `-- 42` behind it repeats the choices of
//! seed 42. It takes the database at `DATABASE_URL`, or starts a private server (`scripts/setup.sh jobs` installs
//! PostgreSQL). It ends with 1 if anything is missing.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its reader")]

mod backend;
mod crew;
mod ledger;
mod receiver;
mod table;
mod uploads;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use mediaflow::queue::testing::PrivatePostgres;
use tokio::time::{sleep, timeout};

use backend::Place;
use crew::Crew;
use ledger::Ledger;
use receiver::Receiver;
use uploads::Submitted;

type Anyhow<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// When all must be quiet.
const DEADLINE: Duration = Duration::from_secs(180);
const WORKERS: usize = 4;

#[tokio::main]
async fn main() -> Anyhow<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("work") => backend::work().await.map(|()| ExitCode::SUCCESS),
        Some(seed) => story(seed.parse()?).await,
        None => story(fastrand::u64(..10_000)).await,
    }
}

async fn story(seed: u64) -> Anyhow<ExitCode> {
    let server = if std::env::var_os("DATABASE_URL").is_none() {
        Some(PrivatePostgres::start().await?)
    } else {
        None
    };
    let url = match &server {
        Some(server) => server.database("workers").await?,
        None => std::env::var("DATABASE_URL")?,
    };
    let receiver = Receiver::start().await?;
    let place = Place::new(url, receiver.address())?;
    let whose = if server.is_some() { "a private server" } else { "the server at DATABASE_URL" };
    println!("PostgreSQL on {whose}; webhooks to {}; seed {seed}", receiver.address());

    // Whoever starts first makes the tables.
    let media = backend::builder(&place).submit_only().start().await?;
    let ledger = Ledger::open(&place.database).await?;
    let mut scene = Scene {
        crew: Crew::hire(WORKERS, place, seed)?,
        ledger,
        receiver,
        submitted: Submitted::default(),
        begin: Instant::now(),
    };
    println!("{WORKERS} workers started; from now on one of them is killed every second");

    let submitted = scene.while_workers_die(uploads::submit(&media)).await??;
    scene.submitted = submitted;
    scene.say(&format!("submitted {}", scene.submitted)).await?;
    let quiet = timeout(DEADLINE, scene.until_quiet(&media)).await;
    if let Ok(quiet) = quiet {
        quiet?;
    } else {
        println!("not quiet after {DEADLINE:?}");
    }
    let took = scene.begin.elapsed();
    let left = scene.crew.dismiss().await?;
    let table = table::Table::read(&scene, took).await?;
    println!("\n{table}");
    Ok(if table.is_whole() && left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that plays a part.
pub(crate) struct Scene {
    pub(crate) crew: Crew,
    pub(crate) ledger: Ledger,
    pub(crate) receiver: Receiver,
    pub(crate) submitted: Submitted,
    begin: Instant,
}
