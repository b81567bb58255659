//! What may break does break here, under load: processes, the database, the network, the disk and the receivers.
//!
//! `make test-faults` prints a line `figure <name> <value> goal <...>` for each promise, and the seed of each round;
//! `MEDIAFLOW_FAULT_ROUNDS` says how many processes are killed per database (a few by default), `MEDIAFLOW_FAULT_SEED`
//! repeats a run. The scenarios take turns: each wants the machine for itself.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are the result")]

mod audit;
mod child;
mod composed;
mod crossed;
mod dead_host;
mod diary;
mod disk;
mod hosts;
mod kills;
mod lock;
mod look;
mod network;
mod outage;
mod parts;
mod pauses;
mod receiver;
mod receivers;
mod refusals;
#[path = "../small_disk/mod.rs"]
mod small_disk;
mod waiting;
mod work;
mod world;

use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// The two databases that jobs can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backing {
    Sqlite,
    Postgres,
}

impl Backing {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// How many processes are killed per database.
fn rounds() -> usize {
    let asked = std::env::var("MEDIAFLOW_FAULT_ROUNDS").ok();
    asked.and_then(|rounds| rounds.parse().ok()).unwrap_or(QUICK)
}

/// In a plain `cargo test`.
const QUICK: usize = 8;

/// Whether there is time for the whole faults.
fn thorough() -> bool {
    rounds() >= 100
}

/// Where chance begins: the same in all scenarios of a run.
fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let asked = std::env::var("MEDIAFLOW_FAULT_SEED").ok();
        asked.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..1_000_000))
    });
    *SEED
}

fn figure(scenario: &str, backing: Backing, value: impl std::fmt::Display, goal: &str) {
    println!("figure {scenario}.{} {value} goal {goal}", backing.name());
}

/// One scenario at a time.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Looks again and again until there is something; panics with `what` after `limit`. Other processes tell us nothing.
async fn eventually<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "within {limit:?} there was no {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Not a test but the processes that the others start.
#[test]
fn child() {
    child::run();
}

macro_rules! scenarios {
    ($($name:ident: $module:ident($($backing:ident),*);)*) => {$(
        mod $name {
            $(scenarios!(@one $module $backing);)*
        }
    )*};
    (@one $module:ident Sqlite) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn on_sqlite() {
            let _turn = crate::turn().await;
            crate::$module::run(crate::Backing::Sqlite).await;
        }
    };
    (@one $module:ident Postgres) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn on_postgres() {
            let _turn = crate::turn().await;
            crate::$module::run(crate::Backing::Postgres).await;
        }
    };
}

scenarios! {
    workers_are_killed: kills(Sqlite, Postgres);
    a_worker_is_paused_past_its_lease: pauses(Sqlite, Postgres);
    a_foreign_process_holds_the_lock: lock(Sqlite);
    the_server_and_the_network_go_away: network(Postgres);
    the_disk_is_full: disk(Sqlite, Postgres);
    receivers_fail: receivers(Sqlite, Postgres);
    a_worker_is_killed_between_parts: parts(Sqlite, Postgres);
    a_host_keeps_its_transaction_open: hosts(Sqlite, Postgres);
    the_database_is_away_while_attempts_end: outage(Sqlite, Postgres);
    batches_cross: crossed(Sqlite, Postgres);
    receivers_refuse_for_an_hour: refusals(Sqlite, Postgres);
    a_host_of_many_addresses_is_dead: dead_host(Sqlite, Postgres);
    work_goes_on_elsewhere: waiting(Sqlite, Postgres);
}
