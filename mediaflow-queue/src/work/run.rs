use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mediaflow_core::engine::Shutdown;
use mediaflow_core::outbox::Dispatcher;
use mediaflow_core::{CancellationToken, Error, Result, codes};
use riverqueue::QueueSelector;
use tokio_util::task::AbortOnDropHandle;

#[cfg(feature = "postgres")]
use super::listen;
use super::watch;
use crate::db::river_failed;
use crate::jobs::Jobs;
use crate::outbox::Outbox;
use crate::process::Process;
use crate::supervise::supervise;
use crate::workers;

/// Lets no process take jobs, or lets all take them again.
pub(crate) async fn pause(process: &Process, paused: bool) -> Result<()> {
    for class in process.classes() {
        process.db.add_queue(class).await?;
    }
    for queue in process.db.queues().await? {
        let queues = process.river.queues();
        let selector = QueueSelector::from(&*queue);
        let done =
            if paused { queues.pause(selector).await } else { queues.resume(selector).await };
        done.map_err(river_failed)?;
    }
    Ok(())
}

/// Registers this process, however long the database is away at that moment. Gives nothing if it is to stop before.
async fn begin(process: &Arc<Process>, shutdown: &Shutdown) -> Result<Option<workers::Heartbeat>> {
    let begun = process.patiently(|| workers::Heartbeat::begin(process));
    shutdown.drain.run_until_cancelled(begun).await.transpose()
}

type Loop = fn(Arc<Process>, CancellationToken) -> BoxFuture<'static, ()>;

/// Begins a loop that ends when this is dropped, or at the end of the process.
fn spawn(
    name: &'static str,
    process: &Arc<Process>,
    shutdown: &Shutdown,
    run: Loop,
) -> AbortOnDropHandle<()> {
    let (process, stop) = (Arc::clone(process), shutdown.now.child_token());
    let again = stop.clone();
    let run = move || run(Arc::clone(&process), stop.clone());
    AbortOnDropHandle::new(tokio::spawn(async move { supervise(name, again, run).await }))
}

/// Works on jobs and deliveries until it is told to stop.
pub(crate) async fn run(jobs: &Jobs, shutdown: Shutdown) -> Result<()> {
    let process = &jobs.process;
    let _ = process.halt.set(shutdown.now.clone());
    let Some(heartbeat) = begin(process, &shutdown).await? else { return Ok(()) };
    let loops = [
        spawn("sweeper", process, &shutdown, |process, stop| workers::sweep(process, stop).boxed()),
        spawn("parked", process, &shutdown, |process, stop| workers::parked(process, stop).boxed()),
    ];
    #[cfg(feature = "postgres")]
    let listening =
        spawn("listen", process, &shutdown, |process, stop| listen::listen(process, stop).boxed());
    let watching = process.db.file().map(|file| watch::Watch::begin(process, file));
    // The outbox drains last: jobs that end during the shutdown have something to tell.
    let deliver = Shutdown::new();
    let delivering = tokio::spawn({
        let (process, deliver) = (Arc::clone(process), deliver.clone());
        async move {
            let run = || {
                let (process, deliver) = (Arc::clone(&process), deliver.clone());
                async move {
                    let outbox = Arc::new(Outbox::new(Arc::clone(&process)));
                    let executor = process.executor.clone();
                    Dispatcher::new(Arc::clone(&outbox) as _, executor).run(&deliver).await;
                    outbox.close().await;
                }
            };
            supervise("dispatcher", deliver.drain.clone(), run).await;
        }
    });
    let mut river = process.river.start().map_err(river_failed)?;
    let stopper = river.stopper();
    process.working.store(true, Ordering::SeqCst);
    let ended = {
        let mut waiting = std::pin::pin!(river.wait());
        let mut stage = 0;
        loop {
            tokio::select! {
                ended = &mut waiting => break ended,
                () = shutdown.drain.cancelled(), if stage == 0 => {
                    stage = 1;
                    process.working.store(false, Ordering::SeqCst);
                    stopper.stop();
                }
                () = shutdown.now.cancelled(), if stage < 2 => {
                    stage = 2;
                    process.working.store(false, Ordering::SeqCst);
                    stopper.stop_and_cancel();
                    process.active().values().for_each(|active| active.stop.cancel());
                }
            }
        }
    };
    process.working.store(false, Ordering::SeqCst);
    deliver.drain.cancel();
    let mut delivering = delivering;
    let delivered = tokio::select! {
        delivered = &mut delivering => delivered,
        () = shutdown.now.cancelled() => {
            deliver.now.cancel();
            delivering.await
        }
    };
    drop((loops, watching));
    #[cfg(feature = "postgres")]
    drop(listening);
    heartbeat.end().await;
    ended.map_err(river_failed)?;
    delivered.map_err(|e| {
        Error::internal(codes::ENGINE_PANICKED, "the dispatcher of messages panicked").because(e)
    })
}
