//! The worker processes.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Anyhow;
use crate::backend::{DATABASE, Place, RECEIVER};

/// Then the rest of the work gets its peace, on a slow machine too.
pub(crate) const KILLS: usize = 25;

pub(crate) struct Crew {
    place: Place,
    random: fastrand::Rng,
    workers: Vec<Worker>,
    hired: usize,
    killed: usize,
    /// Workers that ended although nobody killed them.
    failed: usize,
}

struct Worker {
    number: usize,
    process: Child,
    /// It has said that it is at work.
    at_work: Arc<AtomicBool>,
}

impl Crew {
    pub(crate) fn hire(workers: usize, place: Place, seed: u64) -> Anyhow<Self> {
        let random = fastrand::Rng::with_seed(seed);
        let mut crew = Self { place, random, workers: Vec::new(), hired: 0, killed: 0, failed: 0 };
        for _ in 0..workers {
            let worker = crew.another()?;
            crew.workers.push(worker);
        }
        Ok(crew)
    }

    /// How many were killed.
    pub(crate) fn killed(&self) -> usize {
        self.killed
    }

    /// How many ended by themselves.
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    /// The folder of everything.
    pub(crate) fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// The time until the next strike.
    pub(crate) fn pause(&mut self) -> Duration {
        if self.killed < KILLS {
            Duration::from_millis(self.random.u64(700..1300))
        } else {
            Duration::from_secs(5)
        }
    }

    /// Kills one of those that are at work, unless enough have died, and starts another. Says what was done.
    pub(crate) async fn strike(&mut self) -> Anyhow<String> {
        if self.killed >= KILLS {
            return Ok("no more are killed".to_owned());
        }
        let at_work = |worker: &Worker| worker.at_work.load(Ordering::Relaxed);
        let can: Vec<_> = (0..self.workers.len()).filter(|i| at_work(&self.workers[*i])).collect();
        match self.random.choice(can) {
            Some(unlucky) => self.replace(unlucky).await,
            None => Ok("none is at work yet".to_owned()),
        }
    }

    async fn replace(&mut self, unlucky: usize) -> Anyhow<String> {
        let new = self.another()?;
        let mut old = std::mem::replace(&mut self.workers[unlucky], new);
        let how = if let Some(status) = old.process.try_wait()? {
            self.failed += 1;
            format!("ended by itself, {status}")
        } else {
            old.process.kill().await?; // SIGKILL
            self.killed += 1;
            "killed".to_owned()
        };
        Ok(format!("worker {:2} {how}, worker {:2} started", old.number, self.hired))
    }

    /// Lets the last ones finish what they have in hand.
    pub(crate) async fn dismiss(&mut self) -> Anyhow<()> {
        for worker in &mut self.workers {
            drop(worker.process.stdin.take());
        }
        for mut worker in self.workers.drain(..) {
            let ended = timeout(Duration::from_secs(10), worker.process.wait()).await;
            if !matches!(ended, Ok(Ok(status)) if status.success()) {
                println!("worker {} did not end well: {ended:?}", worker.number);
                self.failed += 1;
            }
        }
        Ok(())
    }

    fn another(&mut self) -> Anyhow<Worker> {
        self.hired += 1;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("work")
            .env(DATABASE, &self.place.database)
            .env(RECEIVER, &self.place.receiver)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = process.stdout.take().ok_or("a worker has no output")?;
        let at_work = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&at_work);
        tokio::spawn(async move {
            // It says one thing only, and a killed one not even that.
            if let Ok(Some(_)) = BufReader::new(out).lines().next_line().await {
                says.store(true, Ordering::Relaxed);
            }
        });
        Ok(Worker { number: self.hired, process, at_work })
    }
}
