use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use mediaflow_core::Result;
use mediaflow_core::executor::Executor;
use riverqueue::{Client, MaintenanceConfig, WorkCancelled, WorkContext, Workers};
use tokio::sync::SemaphorePermit;

use super::attempt::Working;
use super::{assembly, attempt, part};
use crate::db::{AssemblyTask, Db, JobTask, PartTask, queue_of, river_failed};
use crate::jobs::Jobs;
use crate::process::{COOLDOWN, Process, class_places, poll, queue_config};

/// Where River's workers find the jobs of this process, once it is open.
pub(crate) type JobsCell = Arc<OnceLock<Weak<Jobs>>>;

/// How often River looks for what has become due. On a server we do, by its clock, and call those who are to take it: River
/// would have all workers look.
#[cfg(feature = "sqlite")]
const DUE: Duration = Duration::from_secs(1);
#[cfg(feature = "postgres")]
const DUE_ON_SERVER: Duration = Duration::from_secs(15);

/// How often each worker of a server asks River who leads. Nobody waits for what its leader does there; a bid is a transaction.
#[cfg(feature = "postgres")]
const ELECT_ON_SERVER: Duration = Duration::from_secs(30);

/// After so long River's leader would give up what it takes for stuck: never. It may be of an older build, which does not
/// know what a newer one has queued, and the takeover of what a dead worker held is ours.
const STUCK: Duration = Duration::from_secs(10 * 365 * 86_400);

/// River's client: submits, and works once it is started.
pub(crate) fn client(cell: &JobsCell, db: &Db, executor: &Executor, id: &str) -> Result<Client> {
    let builder = match db {
        #[cfg(feature = "sqlite")]
        // Its messages are rows that it looks for ten times a second. Whoever watches the file hears sooner.
        Db::Sqlite(db) => Client::builder(db.write.clone()).without_notifications(),
        #[cfg(feature = "postgres")]
        Db::Postgres(db) => {
            let river = riverqueue::database::PostgresDatabase::new(db.pool.clone());
            Client::builder(river.with_schema(db.river.clone()))
        }
    };
    let maintenance = MaintenanceConfig::default().with_rescue_after(STUCK);
    let maintenance = match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => maintenance.with_scheduler_interval(DUE),
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => {
            maintenance.with_scheduler_interval(DUE_ON_SERVER).with_elect_interval(ELECT_ON_SERVER)
        }
    };
    let builder = builder
        .id(id)
        .workers(kinds(cell).map_err(river_failed)?)
        .fetch_only_known_kinds(true)
        .fetch_cooldown(COOLDOWN)
        // Deadlines are ours, and so is the takeover of what a dead worker held.
        .without_job_timeout()
        .maintenance(maintenance);
    let capability = executor.capability();
    class_places(executor)
        .fold(builder, |builder, (class, places)| {
            let own = queue_of(&class, &capability);
            let config = |queue: &str| queue_config(places, poll(db, queue, 1));
            let (whole, part) = (config(&class), config(&own));
            builder.queue(class, whole).queue(own, part)
        })
        .build()
        .map_err(river_failed)
}

fn kinds(cell: &JobsCell) -> std::result::Result<Workers, riverqueue::Error> {
    let mut workers = Workers::new();
    let late = || {
        let cell = Arc::clone(cell);
        move || cell.get().and_then(Weak::upgrade).ok_or(WorkCancelled)
    };
    let jobs = late();
    workers.add_fn(move |context, job: riverqueue::Job<JobTask>| {
        let jobs = jobs();
        async move {
            let jobs = jobs?;
            let _place = place(&jobs.process, &context, &job).await?;
            attempt::run(&jobs, &context, &job).await
        }
    })?;
    let jobs = late();
    workers.add_fn(move |context, job: riverqueue::Job<PartTask>| {
        let jobs = jobs();
        async move {
            let jobs = jobs?;
            let _place = place(&jobs.process, &context, &job).await?;
            part::run(&jobs, &context, &job).await
        }
    })?;
    let jobs = late();
    workers.add_fn(move |context, job: riverqueue::Job<AssemblyTask>| {
        let jobs = jobs();
        async move {
            let jobs = jobs?;
            let _place = place(&jobs.process, &context, &job).await?;
            assembly::run(&jobs, &context, &job).await
        }
    })?;
    Ok(workers)
}

/// Waits for a place: River may hand out as many from each of the two queues of a class as the class has places.
async fn place<'p, A: Sync>(
    process: &'p Process,
    context: &WorkContext,
    job: &riverqueue::Job<A>,
) -> std::result::Result<SemaphorePermit<'p>, WorkCancelled> {
    let queue = &*job.row.queue;
    let places = process.places(queue).ok_or(WorkCancelled)?;
    let place = match places.try_acquire() {
        Ok(place) => place,
        Err(_) => {
            let waiting = Working::begin(process, job.id(), context);
            tokio::select! {
                place = places.acquire() => place.map_err(|_| WorkCancelled)?,
                () = waiting.stop.cancelled() => return Err(WorkCancelled),
            }
        }
    };
    process.taken(queue);
    Ok(place)
}
