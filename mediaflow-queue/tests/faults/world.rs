//! A database, a folder for results, a receiver, and somebody who submits.

use std::path::PathBuf;
use std::time::Duration;

use mediaflow_core::spec::JobSpec;
use mediaflow_core::{JobId, Mediaflow};
use mediaflow_queue::testing::PrivatePostgres;
use tokio::sync::OnceCell;

use super::child::{Child, Setup};
use super::look::Look;
use super::receiver::Receiver;
use super::{Backing, diary};

pub(super) struct World {
    pub(super) backing: Backing,
    pub(super) setup: Setup,
    pub(super) receiver: Receiver,
    pub(super) look: Look,
    pub(super) media: Mediaflow,
    /// What was accepted.
    pub(super) jobs: Vec<JobId>,
    folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn new(backing: Backing, lease: Duration) -> Self {
        let url = match backing {
            Backing::Sqlite => None,
            Backing::Postgres => {
                // Where only workers die, the server needs no disk.
                static SERVER: OnceCell<PrivatePostgres> = OnceCell::const_new();
                let start = async || PrivatePostgres::builder().set("fsync", "off").start().await;
                let server = SERVER.get_or_try_init(start).await.unwrap();
                Some(server.database("faults").await.unwrap())
            }
        };
        Self::at(backing, url, lease).await
    }

    pub(super) async fn at(backing: Backing, url: Option<String>, lease: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs.db");
        let url = url.unwrap_or_else(|| format!("sqlite:{}", file.display()));
        std::fs::create_dir(folder.path().join("vendor")).unwrap();
        let receiver = Receiver::start(0);
        let setup = Setup {
            sqlite: backing == Backing::Sqlite,
            url: url.clone(),
            folder: folder.path().to_owned(),
            hook: receiver.address.to_string(),
            lease,
            concurrency: 4,
            stamp: "parent".to_owned(),
            stops: None,
            submits: false,
            batches: false,
            ignorant: false,
        };
        let media = setup.builder().submit_only().start().await.unwrap();
        let look = Look::at(backing, &url);
        Self { backing, setup, receiver, look, media, jobs: Vec::new(), folder }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// What a worker of this stamp is told.
    pub(super) fn part(&self, stamp: impl Into<String>) -> Setup {
        Setup { stamp: stamp.into(), ..self.setup.clone() }
    }

    /// A worker that has nothing special about it.
    pub(super) fn worker(&self, stamp: impl Into<String>) -> Child {
        Child::start(&self.part(stamp), None)
    }

    pub(super) async fn submit(&mut self, spec: JobSpec) -> JobId {
        let job = self.media.submit(spec).await.unwrap().id();
        self.jobs.push(job);
        job
    }

    pub(super) async fn batch(&mut self, specs: Vec<JobSpec>) {
        let batch = self.media.eager(specs).await.unwrap();
        self.jobs.extend(batch.jobs().map(|job| job.id()));
    }

    pub(super) async fn state(&self, job: JobId) -> String {
        let find = format!("SELECT state FROM mediaflow_jobs WHERE id = '{job}'");
        self.look.texts(&find).await.pop().unwrap_or_default()
    }

    pub(super) async fn ends(&self, job: JobId, limit: Duration) -> String {
        let until = tokio::time::Instant::now() + limit;
        loop {
            let state = self.state(job).await;
            if !matches!(&*state, "queued" | "held" | "running" | "waiting") {
                return state;
            }
            let late = tokio::time::Instant::now() > until;
            assert!(!late, "after {limit:?} {job} is {state}\n{}", diary::tail(&self.folder()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The workers that are registered: id and when they began.
    pub(super) async fn workers(&self) -> Vec<Vec<String>> {
        let find = "SELECT id, CAST(started_at AS TEXT) FROM mediaflow_workers ORDER BY id";
        self.look.rows(find).await
    }

    pub(super) async fn registered(&self, count: usize) -> Vec<Vec<String>> {
        super::eventually("registration of the workers", Duration::from_secs(20), async || {
            Some(self.workers().await).filter(|workers| workers.len() == count)
        })
        .await
    }

    /// Waits until nothing is left to do, and nothing to tell.
    pub(super) async fn settles(&self, limit: Duration) {
        let until = tokio::time::Instant::now() + limit;
        loop {
            let left = [
                self.look.count("mediaflow_jobs WHERE ended_at IS NULL").await,
                self.look.count("mediaflow_batches WHERE ended_at IS NULL").await,
                self.look.count("mediaflow_unrouted").await,
                self.look
                    .count("mediaflow_messages WHERE state IN ('pending', 'sending') OR state = 'dead' AND next IS NOT NULL")
                    .await,
                self.look
                    .count("river_job WHERE kind LIKE 'mediaflow.%' AND finalized_at IS NULL")
                    .await,
                self.look.count("mediaflow_followed").await,
                self.look.count("mediaflow_open_batches").await,
            ];
            if left == [0; 7] {
                return;
            }
            assert!(
                tokio::time::Instant::now() < until,
                "{}: after {limit:?} there are jobs, batches, unrouted events, messages, rows of River, ends with followers, open batches left: {left:?}\n{}",
                self.backing.name(),
                diary::tail(&self.folder())
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
