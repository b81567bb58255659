use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mediaflow_core::{CancellationToken, Error, Result, codes};
use tokio::time::timeout;

use crate::calls;
use crate::db::{Listener, values};
use crate::failpoint::may_panic;
use crate::process::Process;

/// How long nothing may be heard before it is asked whether the connection still answers, and how long the answer may take.
/// Without calls, workers still look by themselves.
const SILENT: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);

/// The wait after the connection was lost, which doubles up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// Looks for work when this worker is called, until `stop`.
pub(super) async fn listen(process: Arc<Process>, stop: CancellationToken) {
    let mut wait = FIRST;
    while !stop.is_cancelled() {
        let heard = stop.run_until_cancelled(hear(&process, &mut wait)).await;
        process.listening.store(false, Ordering::SeqCst);
        match heard {
            None | Some(Ok(())) => return,
            Some(Err(error)) => {
                tracing::debug!(%error, "calls are not heard; looking less often, and trying again");
            }
        }
        let jittered = wait.mul_f64(0.5 + fastrand::f64());
        wait = (wait * 2).min(LONGEST);
        if stop.run_until_cancelled(tokio::time::sleep(jittered)).await.is_none() {
            return;
        }
    }
}

/// Ends if the database is one that tells nothing.
async fn hear(process: &Process, wait: &mut Duration) -> Result<()> {
    let Some(mut listener) = process.db.listen(&process.id).await? else { return Ok(()) };
    *wait = FIRST;
    process.listening.store(true, Ordering::SeqCst);
    loop {
        // Others learn of it now, and not with the next sign of life; and what they have queued meanwhile was told to nobody.
        let open = "UPDATE mediaflow_workers SET open = $2 WHERE id = $1";
        process.db.run(open, values![&process.id, process.open()]).await?;
        process.classes().for_each(|class| process.wake(class));
        while let Some(called) = next(&mut listener).await? {
            may_panic("loop.listen");
            if let Some((queue, passes)) = calls::read(&called) {
                process.called(queue, passes);
            }
        }
    }
}

/// The next call. Nothing if some may have been missed.
async fn next(listener: &mut Listener) -> Result<Option<String>> {
    loop {
        match timeout(SILENT, listener.next()).await {
            Ok(called) => return called,
            Err(_) => timeout(ANSWER, listener.check()).await.unwrap_or_else(|_| Err(silent()))?,
        }
    }
}

fn silent() -> Error {
    Error::transient(
        codes::QUEUE_UNAVAILABLE,
        "the connection on which calls are heard does not answer",
    )
}
