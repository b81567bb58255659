//! Many workers: one process submits photos, four others work on them over PostgreSQL, and every second one of the four
//! is killed with SIGKILL and replaced. At the end the database, the receiver of the webhooks and the folder of results
//! are asked what was lost.
//!
//! `cargo run --example workers --features postgres,webhook,testing`, and `-- 42` behind it repeats the choices of
//! seed 42. It works in the database at `DATABASE_URL`, which should be its own, or starts a private server
//! (`scripts/setup.sh jobs` installs PostgreSQL). It ends with 1 if anything is missing.
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
use tokio::time::{sleep, timeout_at};

use backend::Place;
use crew::{Crew, KILLS};
use ledger::Ledger;
use receiver::Receiver;

type Anyhow<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long it may take until all is quiet. It takes less than a minute on two cores that have nothing else to do.
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
    let (database, server) = database().await?;
    let receiver = Receiver::start().await?;
    let place = Place::new(&database, receiver.address())?;
    let whose = if server.is_some() { "a private server" } else { "DATABASE_URL" };
    println!("PostgreSQL: {whose}; webhooks go to {}; seed {seed}", receiver.address());

    // The submitter starts first, and makes the tables.
    let media = backend::builder(&place).submit_only().start().await?;
    let ledger = Ledger::open(&database).await?;
    let mut crew = Crew::hire(WORKERS, place, seed)?;
    println!("{WORKERS} workers started; every second one of them is killed, {KILLS} in all\n");
    let scene = Scene { ledger, receiver, begin: Instant::now() };

    let submitted = scene.while_workers_die(&mut crew, uploads::submit(&media)).await??;
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let jobs_end = scene.while_workers_die(&mut crew, submitted.ended(&media));
    let on_time = match timeout_at(deadline, jobs_end).await {
        Ok(ended) => {
            ended??;
            timeout_at(deadline, scene.receiver.verified(submitted.webhooks())).await.is_ok()
        }
        Err(_) => false,
    };
    let took = scene.begin.elapsed();
    if !on_time {
        println!("not quiet within {DEADLINE:?}");
    }
    crew.dismiss().await?;
    let table = table::Table::read(&scene, &crew, &submitted, took).await?;
    println!("\n{table}");
    Ok(if table.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The URL of the database, and the server if it is ours: it ends with the value.
async fn database() -> Anyhow<(String, Option<PrivatePostgres>)> {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return Ok((url, None));
    }
    let server = PrivatePostgres::start().await?;
    Ok((server.database("workers").await?, Some(server)))
}

/// What can be seen from outside of the workers.
pub(crate) struct Scene {
    pub(crate) ledger: Ledger,
    pub(crate) receiver: Receiver,
    begin: Instant,
}

impl Scene {
    /// Lets something go on while a worker is killed every second or so, and another one started.
    async fn while_workers_die<T>(
        &self,
        crew: &mut Crew,
        work: impl Future<Output = T>,
    ) -> Anyhow<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = sleep(crew.pause()) => {
                    let what = crew.strike().await?;
                    println!("{:5.1} s  {what:35}  {}", self.begin.elapsed().as_secs_f64(), self.progress().await?);
                }
            }
        }
    }

    async fn progress(&self) -> Anyhow<String> {
        let [ended, jobs, done, parts] = self.ledger.progress().await?;
        let webhooks = self.receiver.distinct();
        Ok(format!("jobs {ended:3} of {jobs}, parts {done:2} of {parts}, webhooks {webhooks:3}"))
    }
}
