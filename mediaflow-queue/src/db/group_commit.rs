use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mediaflow_core::{Error, ErrorKind, Failure, Result, codes};
use tokio::sync::{Semaphore, oneshot};

use super::through_conflicts;

/// Something that is done in a transaction, together with others of its kind that are wanted at the same moment: a
/// database charges by the commit.
pub(crate) trait GroupCommit: Send + Sync + Sized + 'static {
    /// What the transaction works with.
    type Context: Send + Sync + 'static;

    /// What comes of it.
    type Done: Send + 'static;

    /// Does all of these in one transaction, or none of them. Several that fail are done again one by one, so the error
    /// that one of them deserves does not reach the others.
    fn commit(
        context: &Self::Context,
        items: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Done>>> + Send;
}

/// Those who wait for a transaction of one kind. One is under way at a time; who comes meanwhile shares the next.
pub(crate) struct CommitQueue<T: GroupCommit> {
    context: Arc<T::Context>,
    waiting: Mutex<Waiting<T>>,
    /// How many that were in somebody's way may be done at once beside the line.
    alone: Arc<Semaphore>,
}

struct Waiting<T: GroupCommit> {
    items: VecDeque<(T, oneshot::Sender<Result<T::Done>>)>,
    busy: bool,
}

/// How many share a transaction: enough to forget its cost, and few enough for a short one.
const MOST: usize = 16;

/// Each holds a connection.
const ALONE: usize = 3;

impl<T: GroupCommit> CommitQueue<T> {
    pub(crate) fn new(context: &Arc<T::Context>) -> Arc<Self> {
        let waiting = Waiting { items: VecDeque::new(), busy: false };
        Arc::new(Self {
            context: Arc::clone(context),
            waiting: Mutex::new(waiting),
            alone: Arc::new(Semaphore::new(ALONE)),
        })
    }

    /// Does something, together with whatever else waits. Once it is queued it is done, even if nobody waits any more.
    pub(crate) async fn commit(self: &Arc<Self>, item: T) -> Result<T::Done> {
        let (sender, done) = oneshot::channel();
        let idle = {
            let mut waiting = self.lock();
            waiting.items.push_back((item, sender));
            !std::mem::replace(&mut waiting.busy, true)
        };
        if idle {
            tokio::spawn(serve(Leader { queue: Arc::clone(self), over: false }));
        }
        done.await.unwrap_or_else(|_| {
            Err(Error::transient(
                codes::QUEUE_UNAVAILABLE,
                "a transaction was given up; nothing of it is stored",
            ))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until nobody waits.
async fn serve<T: GroupCommit>(mut leader: Leader<T>) {
    loop {
        // Whoever has become ready in this moment is queued first.
        tokio::task::yield_now().await;
        let (items, senders): (Vec<_>, Vec<_>) = {
            let mut waiting = leader.queue.lock();
            if waiting.items.is_empty() {
                waiting.busy = false;
                leader.over = true;
                return;
            }
            let most = waiting.items.len().min(MOST);
            waiting.items.drain(..most).unzip()
        };
        let context = &leader.queue.context;
        let mut done = Vec::with_capacity(items.len());
        match T::commit(context, &items).await {
            Ok(all) => done.extend(all.into_iter().map(Ok)),
            // Another transaction is in the way, of one of them perhaps: nobody else is to wait for that.
            Err(error) if error.code() == codes::QUEUE_CONFLICT => {
                for (item, sender) in items.into_iter().zip(senders) {
                    tokio::spawn(alone(Arc::clone(&leader.queue), item, sender));
                }
                continue;
            }
            Err(error) if items.len() == 1 => done.push(Err(error)),
            // The database is away, for each of them.
            Err(error) if error.kind() == ErrorKind::Transient => {
                let failure = Failure::from(&error);
                done.extend(items.iter().map(|_| Err(failure.clone().into())));
            }
            Err(_) => {
                for item in &items {
                    done.push(one::<T>(context, item).await);
                }
            }
        }
        for (sender, done) in senders.into_iter().zip(done) {
            // Who has stopped waiting does not mind.
            let _ = sender.send(done);
        }
    }
}

/// Does one by itself, beside the line.
async fn alone<T: GroupCommit>(
    queue: Arc<CommitQueue<T>>,
    item: T,
    sender: oneshot::Sender<Result<T::Done>>,
) {
    let _place = queue.alone.acquire().await;
    let (context, item) = (&*queue.context, &item);
    let done = through_conflicts(move || one(context, item)).await;
    let _ = sender.send(done);
}

async fn one<T: GroupCommit>(context: &T::Context, item: &T) -> Result<T::Done> {
    let one = T::commit(context, std::slice::from_ref(item)).await?;
    one.into_iter().next().ok_or_else(nothing)
}

/// The task that commits for a queue. If it panics, the next one to be queued starts another.
struct Leader<T: GroupCommit> {
    queue: Arc<CommitQueue<T>>,
    over: bool,
}

impl<T: GroupCommit> Drop for Leader<T> {
    fn drop(&mut self) {
        if !self.over {
            let mut waiting = self.queue.lock();
            waiting.busy = false;
            // Those who wait are told that it was given up.
            waiting.items.clear();
        }
    }
}

fn nothing() -> Error {
    Error::internal(codes::QUEUE_DATABASE, "a transaction gave no result")
}
