//! Two builds work on one database under load. The newer one has an operation, a storage, tables and a kind of event more.

use std::collections::BTreeSet;

use mediaflow_core::media::{Blob, Format, MediaFile};
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{IntoSpec as _, JobSpec, Pipeline};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, ScriptedNotifier, dot, soon};
use mediaflow_core::{
    EventKind, Inputs, JobId, Mediaflow, OpContext, Operation, Outputs, Result, Run, Takes,
    async_trait,
};
use serde::{Deserialize, Serialize};

use super::database::{Database, builder, shut, work};
use super::newer;

/// The step that only the newer build has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    name: String,
}

impl Operation for Rate {
    const KIND: &'static str = "test.rate";
}

#[async_trait]
impl Run for Rate {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        let blob = Blob::bytes(&b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"[..]);
        Ok(Outputs::one(MediaFile::new(&self.name, Format::GIF, blob)))
    }
}

/// A job that needs the newer build, for its operation and for its storage.
fn rated(name: &str) -> JobSpec {
    let pipeline = Pipeline::from(dot())
        .output(format!("archive/{name}.gif"), |dot| dot.then(Rate { name: name.to_owned() }));
    pipeline.build().unwrap().into_spec().unwrap()
}

/// The load, and what became of it.
struct Fleet<'a> {
    database: &'a Database,
    told: ScriptedNotifier,
}

impl Fleet<'_> {
    async fn older(&self) -> Mediaflow {
        builder(self.database.queue(), &FakeBackend::new())
            .storage_with("out", MemoryStorage::new())
            .notify(self.told.clone())
            .places("image", 2)
            .start()
            .await
            .unwrap()
    }

    async fn newer(&self) -> Mediaflow {
        builder(newer(self.database.queue()), &FakeBackend::new())
            .with(|registry| {
                registry.operation::<Rate>();
            })
            .storage_with("out", MemoryStorage::new())
            .storage_with("archive", MemoryStorage::new())
            .notify(self.told.clone())
            .places("image", 2)
            .start()
            .await
            .unwrap()
    }

    /// An event of a kind that the older build does not know, as the newer one writes it.
    async fn invent(&self) {
        let body = "replace(replace(replace(body, 'job.created', 'job.rated'), '\"info\"', '\"splendid\"'), id, id || 'r')";
        for sql in [
            &*format!(
                "INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body)
                 SELECT id || 'r', 'job.rated', job, batch, at, 'newer', {body}
                 FROM mediaflow_events WHERE kind = 'job.created' ORDER BY seq LIMIT 1"
            ),
            "INSERT INTO mediaflow_unrouted (seq) SELECT seq FROM mediaflow_events WHERE kind = 'job.rated'",
        ] {
            self.database.run(sql).await;
        }
    }

    /// That nothing was lost, doubled, or asked for again and again.
    async fn audit(&self, jobs: usize) {
        let database = self.database;
        let jobs = i64::try_from(jobs).unwrap();
        let count = async |sql: &str| database.int(&format!("SELECT count(*) FROM {sql}")).await;
        assert_eq!(count("mediaflow_jobs").await, jobs);
        assert_eq!(count("mediaflow_jobs WHERE state = 'succeeded'").await, jobs);
        for kind in ["job.created", "job.completed"] {
            let one = format!(
                "(SELECT job FROM mediaflow_events WHERE kind = '{kind}' GROUP BY job HAVING count(*) = 1) AS one"
            );
            assert_eq!(count(&one).await, jobs, "{kind}");
        }
        // Claimed by both at most, once more if the first one went meanwhile, and once more for good.
        assert_eq!(count("mediaflow_jobs WHERE fence > 4").await, 0, "nothing spins");
        // Only what the newer build is to tell waits for it.
        database.until("SELECT count(*) FROM mediaflow_unrouted", 1).await;
        database.until("SELECT count(*) FROM mediaflow_unrouted WHERE route LIKE '?%'", 1).await;
        let sent = "SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'";
        database.until(sent, 2 * jobs).await;
        assert_eq!(count("mediaflow_messages").await, 2 * jobs);
        let told = self.told.told(usize::try_from(2 * jobs).unwrap()).await;
        let told: BTreeSet<_> = told.iter().map(|told| told.event.id.to_string()).collect();
        assert_eq!(told.len(), usize::try_from(2 * jobs).unwrap());
    }
}

/// So many jobs of each kind.
const SOME: usize = 25;

async fn submit(media: &Mediaflow, spec: fn(&str) -> JobSpec, name: &str) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for number in 0..SOME {
        jobs.push(media.submit(spec(&format!("{name}-{number}"))).await.unwrap().id());
    }
    jobs
}

async fn succeed(media: &Mediaflow, jobs: &[JobId]) {
    for job in jobs {
        let status = soon("end", media.handle(*job).ended()).await.unwrap();
        assert_eq!(status.state, JobState::Succeeded, "{status:?}");
    }
}

fn fleet(database: &Database) -> Fleet<'_> {
    let told = ScriptedNotifier::new([EventKind::JobCreated, EventKind::JobCompleted]);
    Fleet { database, told }
}

/// A deploy: the newer build comes, and the older one goes.
pub(super) async fn a_newer_build_takes_over_under_load(database: Database) {
    let fleet = fleet(&database);
    let older = fleet.older().await;
    let (newer, mut jobs) = tokio::join!(fleet.newer(), submit(&older, work, "during"));
    let (some, more, new) = tokio::join!(
        submit(&older, work, "older"),
        submit(&newer, work, "newer"),
        submit(&newer, rated, "rated")
    );
    fleet.invent().await;
    jobs.extend(some.into_iter().chain(more));
    let (last, ()) = tokio::join!(submit(&newer, rated, "last"), shut(older));
    jobs.extend(new.into_iter().chain(last));
    succeed(&newer, &jobs).await;
    fleet.audit(jobs.len()).await;
    shut(newer).await;
}

/// A deploy that is taken back, and made again: what needs the newer build waits for it, and holds nobody up.
pub(super) async fn an_older_build_takes_over_under_load(database: Database) {
    let fleet = fleet(&database);
    let newer = fleet.newer().await;
    let (older, mut jobs) = tokio::join!(fleet.older(), submit(&newer, work, "during"));
    let (some, more, new) = tokio::join!(
        submit(&older, work, "older"),
        submit(&newer, work, "newer"),
        submit(&newer, rated, "rated")
    );
    fleet.invent().await;
    jobs.extend(some.into_iter().chain(more));
    let client = builder(super::newer(database.queue()), &FakeBackend::new())
        .with(|registry| {
            registry.operation::<Rate>();
        })
        .storage_with("archive", MemoryStorage::new())
        .notify(fleet.told.clone())
        .submit_only()
        .start()
        .await
        .unwrap();
    shut(newer).await;
    let (alone, waiting) =
        tokio::join!(submit(&older, work, "alone"), submit(&client, rated, "waiting"));
    jobs.extend(alone);
    succeed(&older, &jobs).await;
    // River holds nothing that can not run, so that nothing is claimed and rolled back.
    let left =
        "SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')";
    database.until(left, 0).await;
    let ended =
        "SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NOT NULL AND spec LIKE '%waiting-%'";
    assert_eq!(database.int(ended).await, 0, "they wait for the newer build");

    let newer = fleet.newer().await;
    jobs.extend(new.into_iter().chain(waiting));
    succeed(&newer, &jobs).await;
    fleet.audit(jobs.len()).await;
    for media in [older, newer, client] {
        shut(media).await;
    }
}
