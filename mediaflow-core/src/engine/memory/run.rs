use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::attempts::Taken;
use super::inner::Inner;
use crate::codes;

use crate::engine::Shutdown;
use crate::executor::{Attempt, Attempted, Executor, GroupWait, Journal, Observer, Outcomes};
use crate::id::JobId;
use crate::outbox::Dispatcher;
use crate::report::JobStatus;
use crate::supervise::supervise;
use crate::{Error, Failure, Result};

/// Works on jobs and deliveries until it is told to stop.
pub(super) async fn run(inner: &Arc<Inner>, executor: Executor, shutdown: Shutdown) -> Result<()> {
    // The outbox drains last: jobs that end during the shutdown have something to tell.
    let mut deliver = Shutdown::new();
    deliver.now = shutdown.now.clone();
    let delivering = tokio::spawn({
        let (store, executor, deliver) =
            (Arc::clone(&inner.outbox), executor.clone(), deliver.clone());
        async move {
            let run = || {
                let (store, executor, deliver) =
                    (Arc::clone(&store), executor.clone(), deliver.clone());
                async move {
                    store.take_back();
                    Dispatcher::new(store, executor).run(&deliver).await;
                }
            };
            // Begun again during the shutdown, too: what it does not tell then is told by nobody.
            supervise("dispatcher", deliver.now.clone(), || {}, run).await;
        }
    });
    take_jobs(inner, &executor, &shutdown).await;
    deliver.drain.cancel();
    delivering
        .await
        .map_err(|e| Error::internal(codes::ENGINE_PANICKED, "the dispatcher panicked").because(e))
}

async fn take_jobs(inner: &Arc<Inner>, executor: &Executor, shutdown: &Shutdown) {
    let mut running = JoinSet::new();
    let places: Vec<_> = executor
        .places()
        .map(|(class, places)| {
            (class, Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))))
        })
        .collect();
    loop {
        // Looked at once a round: what is cancelled after this wakes the wait below.
        let draining = shutdown.drain.is_cancelled();
        for (job, groups) in inner.lock().take_abandoned() {
            let (abandon, now) = (abandon(executor.clone(), job, groups), shutdown.now.clone());
            // Nothing of it is known after this process: it has no claim to more time.
            running
                .spawn(async move { now.run_until_cancelled(abandon).await.unwrap_or_default() });
        }
        if !draining {
            inner.lock().look(inner.clock.now());
            inner.settle();
        }
        for (class, places) in places.iter().filter(|_| !draining) {
            while let Ok(place) = Arc::clone(places).try_acquire_owned() {
                let Some(taken) = inner.lock().take(*class, inner.clock.now()) else { break };
                inner.settle();
                let work = attempt(Arc::clone(inner), executor.clone(), shutdown.clone(), taken);
                running.spawn(async move {
                    work.await;
                    drop(place);
                });
            }
        }
        if draining && running.is_empty() {
            return;
        }
        let next_due = inner.lock().next_due().filter(|_| !draining);
        tokio::select! {
            () = inner.work.notified() => {}
            () = shutdown.drain.cancelled(), if !draining => {}
            Some(_) = running.join_next() => {}
            () = inner.clock.sleep_until(next_due.unwrap_or_default()), if next_due.is_some() => {}
        }
    }
}

async fn attempt(inner: Arc<Inner>, executor: Executor, shutdown: Shutdown, taken: Taken) {
    let (job, cancel) = (taken.job, taken.cancel.clone());
    let watcher = Arc::new(Watcher { inner: Arc::clone(&inner), job });
    let attempt = taken.attempt(Arc::clone(&watcher) as _, Arc::clone(&watcher) as _, watcher);
    // The attempt runs in a task of its own, so that a panic in it ends the attempt and not the engine.
    let working = tokio::spawn({
        let executor = executor.clone();
        async move { worked(&executor, &attempt).await }
    });
    let mut working = std::pin::pin!(working);
    let joined = tokio::select! {
        joined = &mut working => Ok(joined),
        () = shutdown.now.cancelled() => {
            cancel.cancel();
            timeout(LAST, &mut working).await
        }
        () = cancel.cancelled() => timeout(LAST, &mut working).await,
    };
    let result = match joined {
        Ok(Ok(result)) => result,
        Ok(Err(e)) => Err(Error::internal(codes::JOB_PANICKED, "the job panicked")
            .help("this is a defect: please report it")
            .because(e)),
        Err(_) => {
            tracing::error!(%job, "an attempt that was stopped does not end; it is left alone");
            working.abort();
            Err(Error::cancelled())
        }
    };
    let now = inner.clock.now();
    match result {
        Ok(Attempted::Finished(made)) => inner.lock().succeeded(job, made, now),
        Ok(Attempted::Waiting(suspended)) => inner.lock().suspended(job, suspended, now),
        Err(error) => {
            tracing::warn!(%job, %error, "an attempt failed");
            let handed_back = shutdown.now.is_cancelled();
            inner.lock().failed(job, &error, executor.retry(), handed_back, now);
        }
    }
    inner.settle();
}

/// How long an attempt that is to stop is waited for. By itself it takes less, unless it blocks its thread.
const LAST: Duration = Duration::from_secs(30);

async fn worked(executor: &Executor, attempt: &Attempt) -> Result<Attempted> {
    let mut made = executor.attempt(attempt).await?;
    if attempt.cancel.is_cancelled() {
        return Err(Error::cancelled());
    }
    if let Attempted::Finished(made) = &mut made {
        made.publish().await?;
    }
    Ok(made)
}

/// Stops what goes on elsewhere for a job that has ended, and discards what was staged for it.
async fn abandon(executor: Executor, job: JobId, groups: Vec<GroupWait>) {
    for group in groups {
        if let Err(error) = executor.abandon(&group).await {
            tracing::warn!(%job, key = group.wait.key, %error, "work elsewhere could not be stopped");
        }
    }
    executor.discard([job]).await;
}

/// Tells the engine's state what happens in an attempt.
struct Watcher {
    inner: Arc<Inner>,
    job: JobId,
}

impl Observer for Watcher {
    fn progress(&self, done: f32) {
        let now = self.inner.clock.now();
        self.inner.lock().progress(self.job, done, now);
        self.inner.settle();
    }

    fn steps(&self, steps: &[String], failure: Option<&Failure>) {
        let now = self.inner.clock.now();
        self.inner.lock().steps(self.job, steps, failure, now);
        self.inner.settle();
    }
}

#[async_trait]
impl Journal for Watcher {
    async fn waiting(&self, wait: &GroupWait, heard: &[u64]) -> Result<()> {
        self.inner.lock().store_wait(self.job, wait, heard)
    }
}

#[async_trait]
impl Outcomes for Watcher {
    async fn outcome(&self, job: JobId) -> Result<JobStatus> {
        self.inner.lock().outcome(self.job, job)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("job", &self.job).finish_non_exhaustive()
    }
}
