//! A worker process: this very program, started again with its part in the environment.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mediaflow_core::executor::{DeliveryPolicy, RetryPolicy};
use mediaflow_core::media::{Blob, Scratch};
use mediaflow_core::spec::{JobOptions, Key, Precondition, PutOptions};
use mediaflow_core::storage::{FileStorage, GetOptions, Staged, Stat, Storage, Ticket};
use mediaflow_core::testing::FakeVendor;
use mediaflow_core::{Builder, Mediaflow, Result, Tenants, async_trait};
use mediaflow_notify::Webhook;
use mediaflow_queue::{Postgres, Queue, Sqlite};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::work::{self, Toil};
use super::{Backing, composed, diary};

const PART: &str = "MEDIAFLOW_FAULTS_CHILD";

/// What a process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) sqlite: bool,
    pub(super) url: String,
    pub(super) folder: PathBuf,
    /// Host and port of the receiver.
    pub(super) hook: String,
    pub(super) lease: Duration,
    pub(super) concurrency: usize,
    /// Its name in results.
    pub(super) stamp: String,
    /// Where it stops, as by `SIGSTOP`, the first time that it gets there.
    pub(super) stops: Option<Place>,
    /// Submits a job by itself, under its stamp as idempotency key.
    pub(super) submits: bool,
    /// A large batch as well.
    pub(super) batches: bool,
    /// Knows of no step that takes time, as an older build.
    pub(super) ignorant: bool,
}

/// Moments of an attempt that no other process can aim at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// In a step.
    Step,
    /// An output is staged.
    Staged,
    /// The attempt may publish, and has not.
    Allowed,
    /// An output is in its place.
    Published,
    /// In the transaction that ends the job.
    Ending,
}

impl Setup {
    pub(super) fn backing(&self) -> Backing {
        if self.sqlite { Backing::Sqlite } else { Backing::Postgres }
    }

    pub(super) fn queue(&self) -> Queue {
        let queue = match self.backing() {
            Backing::Sqlite => Sqlite::open(self.url.trim_start_matches("sqlite:")),
            Backing::Postgres => Postgres::connect(&*self.url),
        };
        queue.lease(self.lease)
    }

    /// All that submitters and workers have in common.
    pub(super) fn builder(&self) -> Builder {
        let files = FileStorage::new(self.folder.join("out")).unwrap();
        let webhook = Webhook::to(format!("http://{}/hook", self.hook))
            .sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .allow_private(&self.hook)
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        let schedule = vec![Duration::from_millis(100); 100];
        let (breaker_pause, timeout) = (Duration::from_millis(200), Duration::from_secs(6));
        composed::rules(Mediaflow::builder(), &self.folder)
            .engine(self.queue())
            .with(|registry| {
                if !self.ignorant {
                    registry.operation::<Toil>();
                    FakeVendor::in_folder(self.folder.join("vendor")).operations()(registry);
                }
            })
            .storage_with("out", Stopping(files, self.stops))
            .notify(webhook)
            .retry(RetryPolicy {
                max_attempts: 10_000,
                first: Duration::from_millis(50),
                longest: Duration::from_millis(200),
                ..RetryPolicy::default()
            })
            .delivery(DeliveryPolicy {
                schedule,
                breaker_pause,
                timeout,
                ..DeliveryPolicy::default()
            })
            .places("image", self.concurrency)
            .tenants(Tenants::new().at_once("image", 2))
    }
}

/// The name of this process in results.
pub(super) fn stamp() -> String {
    part().map_or_else(|| "parent".to_owned(), |setup| setup.stamp)
}

fn part() -> Option<Setup> {
    std::env::var(PART).ok().map(|part| serde_json::from_str(&part).unwrap())
}

/// The life of the process, if this is one.
pub(super) fn run() {
    let Some(setup) = part() else { return };
    std::thread::spawn(|| {
        // Whoever has started this holds the other end.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    diary::keep(&setup.folder, &setup.stamp);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(async {
        let media = setup.builder().start().await.unwrap();
        if setup.submits {
            let key = JobOptions::new().idempotency_key(&*setup.stamp);
            let spec = work::copy(&format!("own-{}", setup.stamp)).with_options(key.tenant("own"));
            let job = media.submit(spec).await.unwrap();
            note(&setup.folder, "accepted", &job.id().to_string());
            if setup.batches {
                let jobs = work::large(&setup.folder, &format!("batch-{}", setup.stamp));
                for job in media.eager(jobs).await.unwrap().jobs() {
                    note(&setup.folder, "accepted", &job.id().to_string());
                }
            }
        }
        std::future::pending::<()>().await;
    });
}

pub(super) fn note(folder: &Path, file: &str, line: &str) {
    let file = std::fs::File::options().append(true).create(true).open(folder.join(file));
    file.unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Stops this process if its stamp is this one, once.
pub(super) fn stop_if(wanted: Option<&str>) {
    if wanted.is_some_and(|wanted| wanted == stamp()) {
        stop();
    }
}

fn stop_at(place: Place, wanted: Option<Place>) {
    if wanted == Some(place) {
        stop();
    }
}

fn stop() {
    static STOPPED: AtomicBool = AtomicBool::new(false);
    if !STOPPED.swap(true, Ordering::SeqCst) {
        rustix::process::kill_process(rustix::process::getpid(), Signal::STOP).unwrap();
    }
}

/// A storage whose process is stopped on the way.
#[derive(Clone, Debug)]
struct Stopping(FileStorage, Option<Place>);

#[async_trait]
impl Storage for Stopping {
    async fn stat(&self, key: &Key) -> Result<Stat> {
        self.0.stat(key).await
    }

    async fn get(&self, key: &Key, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        self.0.get(key, options, scratch).await
    }

    async fn stage(
        &self,
        key: &Key,
        blob: &Blob,
        options: &PutOptions,
        ticket: &Ticket,
    ) -> Result<Box<dyn Staged>> {
        let staged = self.0.stage(key, blob, options, ticket).await?;
        stop_at(Place::Staged, self.1);
        Ok(Box::new(StoppingStaged(staged, self.1)))
    }

    async fn staged(&self, key: &Key, ticket: &Ticket) -> Result<Box<dyn Staged>> {
        let staged = self.0.staged(key, ticket).await?;
        Ok(Box::new(StoppingStaged(staged, self.1)))
    }

    async fn revoke(&self, job: &str, below: u64) -> Result<()> {
        self.0.revoke(job, below).await
    }

    async fn staged_for(&self) -> Result<BTreeSet<String>> {
        self.0.staged_for().await
    }

    async fn discard(&self, jobs: &BTreeSet<String>) -> Result<()> {
        self.0.discard(jobs).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        self.0.list(prefix).await
    }
}

#[derive(Debug)]
struct StoppingStaged(Box<dyn Staged>, Option<Place>);

#[async_trait]
impl Staged for StoppingStaged {
    async fn stat(&self) -> Result<Stat> {
        self.0.stat().await
    }

    async fn get(&self, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        self.0.get(options, scratch).await
    }

    async fn publish(self: Box<Self>, precondition: Option<&Precondition>) -> Result<()> {
        stop_at(Place::Allowed, self.1);
        self.0.publish(precondition).await?;
        stop_at(Place::Published, self.1);
        Ok(())
    }

    fn keep(self: Box<Self>) {
        self.0.keep();
    }
}

/// A process that was started. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
}

impl Child {
    /// `failpoint` is where it dies by itself, `end.row:2`, or is stopped: `stop:end.row:1`.
    pub(super) fn start(setup: &Setup, failpoint: Option<&str>) -> Self {
        let output = std::fs::File::options()
            .append(true)
            .create(true)
            .open(setup.folder.join("output"))
            .unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "child", "--nocapture"])
            .env(PART, serde_json::to_string(setup).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(output);
        match failpoint {
            Some(failpoint) => command.env("MEDIAFLOW_FAILPOINT", failpoint),
            None => command.env_remove("MEDIAFLOW_FAILPOINT"),
        };
        Self { process: command.spawn().unwrap() }
    }

    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    pub(super) fn kill(&mut self) {
        // It may have died by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Whether `SIGSTOP` has stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
    }

    pub(super) fn go_on(&self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, Signal::CONT).unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
