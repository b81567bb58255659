use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mediaflow_core::{Error, ErrorKind, Failure, Result};
use tokio::sync::oneshot;

use crate::process::Process;

/// Something that is done in a transaction, together with others of its kind that are wanted at the same moment: a
/// database charges by the commit.
pub(crate) trait Together: Send + Sync + Sized + 'static {
    /// What comes of it.
    type Done: Send + 'static;

    /// Where those who want it wait.
    fn line(process: &Process) -> &Line<Self>;

    /// Does all of these in one transaction, or none of them. Several that fail are done again one by one, so the error
    /// that one of them deserves does not reach the others.
    fn all(
        process: &Process,
        items: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Done>>> + Send;
}

/// Those who wait for a transaction of one kind. One is under way at a time; who comes meanwhile shares the next.
pub(crate) struct Line<T: Together>(Mutex<Waiting<T>>);

struct Waiting<T: Together> {
    items: VecDeque<(T, oneshot::Sender<Result<T::Done>>)>,
    busy: bool,
}

/// How many share a transaction: enough to forget its cost, and few enough for a short one.
const MOST: usize = 16;

/// Does something, together with whatever else waits. Once it is in line it is done, even if nobody waits any more.
pub(crate) async fn together<T: Together>(process: &Arc<Process>, item: T) -> Result<T::Done> {
    let (tell, told) = oneshot::channel();
    let idle = {
        let mut waiting = T::line(process).lock();
        waiting.items.push_back((item, tell));
        !std::mem::replace(&mut waiting.busy, true)
    };
    if idle {
        tokio::spawn(serve(Busy::<T> {
            process: Arc::clone(process),
            over: false,
            line: PhantomData,
        }));
    }
    told.await.unwrap_or_else(|_| {
        Err(Error::transient(
            "queue.unavailable",
            "a transaction was given up; nothing of it is stored",
        ))
    })
}

/// Works until nobody waits.
async fn serve<T: Together>(mut busy: Busy<T>) {
    loop {
        // Whoever has become ready in this moment gets into line first.
        tokio::task::yield_now().await;
        let (items, tells): (Vec<_>, Vec<_>) = {
            let mut waiting = T::line(&busy.process).lock();
            if waiting.items.is_empty() {
                waiting.busy = false;
                busy.over = true;
                return;
            }
            let most = waiting.items.len().min(MOST);
            waiting.items.drain(..most).unzip()
        };
        let mut done = Vec::with_capacity(items.len());
        match T::all(&busy.process, &items).await {
            Ok(all) => done.extend(all.into_iter().map(Ok)),
            Err(error) if items.len() == 1 => done.push(Err(error)),
            // The database is away, for each of them.
            Err(error)
                if error.kind() == ErrorKind::Transient && error.code() != "queue.conflict" =>
            {
                let failure = Failure::from(&error);
                done.extend(items.iter().map(|_| Err(failure.clone().into())));
            }
            Err(_) => {
                for item in &items {
                    let one = T::all(&busy.process, std::slice::from_ref(item)).await;
                    done.push(one.and_then(|one| one.into_iter().next().ok_or_else(nothing)));
                }
            }
        }
        for (tell, done) in tells.into_iter().zip(done) {
            // Who has stopped waiting does not mind.
            let _ = tell.send(done);
        }
    }
}

/// Whoever serves a line. If that panics, the next one in line calls another.
struct Busy<T: Together> {
    process: Arc<Process>,
    over: bool,
    line: PhantomData<fn(T)>,
}

impl<T: Together> Drop for Busy<T> {
    fn drop(&mut self) {
        if !self.over {
            let mut waiting = T::line(&self.process).lock();
            waiting.busy = false;
            // Those who wait are told that it was given up.
            waiting.items.clear();
        }
    }
}

impl<T: Together> Line<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Together> Default for Line<T> {
    fn default() -> Self {
        Self(Mutex::new(Waiting { items: VecDeque::new(), busy: false }))
    }
}

fn nothing() -> Error {
    Error::internal("queue.database", "a transaction gave no result")
}
