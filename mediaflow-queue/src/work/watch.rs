use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mediaflow_core::CancellationToken;
use tokio::sync::Notify;
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;

use crate::failpoint::may_panic;
use crate::jobs;
use crate::process::Process;
use crate::supervise::supervise;

/// How often the file is looked at. River's own look for what others have queued is four times as rare, and costs a
/// query.
const EVERY: Duration = Duration::from_millis(25);

/// Lets everything here look for work as soon as another process has written to the database, which is a file and tells
/// nobody. Ends when it is dropped.
pub(super) struct Watch {
    _thread: DropGuard,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    pub(super) fn begin(process: &Arc<Process>, file: &Path) -> Self {
        let (written, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let mut log = OsString::from(file);
        log.push("-wal");
        let look = {
            let (written, stop) = (Arc::clone(&written), stop.clone());
            move || look(log.as_ref(), &written, &stop)
        };
        // A sleeping thread costs a tenth of what a timer of the runtime does, which wakes other threads with it.
        if let Err(error) = thread::Builder::new().name("mediaflow-watch".into()).spawn(look) {
            tracing::warn!(%error, "no thread can be started to watch the database: jobs of other processes begin later");
        }
        let process = Arc::clone(process);
        let again = stop.clone();
        let wake = move || wake(Arc::clone(&process), Arc::clone(&written));
        let task = tokio::spawn(async move { supervise("watch", again, wake).await });
        Self { _thread: stop.drop_guard(), _task: AbortOnDropHandle::new(task) }
    }
}

fn look(log: &Path, written: &Notify, stop: &CancellationToken) {
    let (mut known, mut fresh) = (None, false);
    while !stop.is_cancelled() {
        let now = fs::metadata(log).and_then(|log| log.modified()).ok();
        let changed = now != known;
        // Times of files go by ticks of several milliseconds: what is written within one, after the look, does not show.
        if changed || fresh {
            written.notify_one();
        }
        (known, fresh) = (now, changed);
        thread::sleep(EVERY);
    }
}

async fn wake(process: Arc<Process>, written: Arc<Notify>) {
    let mut version = None;
    loop {
        written.notified().await;
        may_panic("loop.watch");
        let others = loop {
            match process.db.version_of_others().await {
                Ok(Some(others)) => break others,
                // While this process writes, or the file can not be read, a little later is soon enough.
                _ => tokio::time::sleep(EVERY).await,
            }
        };
        if version.replace(others) != Some(others) {
            process.classes().for_each(|class| process.wake(class));
            process.messages_changed();
            if let Err(error) = jobs::stop_cancelled(&process).await {
                tracing::debug!(%error, "what was cancelled elsewhere can not be read; it is looked for again");
            }
        }
    }
}
