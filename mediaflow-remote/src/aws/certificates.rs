use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use mediaflow_core::http::GuardedClient;
use mediaflow_core::{Error, Failure, Result, Timestamp, async_trait, codes};
use tokio::sync::{Mutex, Semaphore};

use super::certificate::{Certificate, refused};

/// What a certificate may have.
const BYTES: usize = 16 << 10;
/// How many URLs are remembered. Amazon has one or two for each region.
const KEPT: usize = 64;
/// How many are fetched at a time, whoever sends how many messages.
const AT_ONCE: usize = 4;
/// How long one that could not be had is not asked for again.
const PAUSE: Duration = Duration::from_secs(10);
/// Shorter than Amazon waits for an answer to a message.
const TIME: Duration = Duration::from_secs(8);

/// How something of Amazon's is had. The one that is used unless tests say otherwise is the
/// [guarded client](GuardedClient), by which no private address is reached.
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// What is at this URL, which is one of Amazon SNS's: status and body.
    ///
    /// # Errors
    /// It can not be had.
    async fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>)>;
}

#[async_trait]
impl Fetch for GuardedClient {
    async fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>)> {
        let answer = self.get(url, &[]).await?;
        Ok((answer.status, answer.body.to_vec()))
    }
}

/// The client that is used unless tests say otherwise.
pub(super) fn client() -> Result<GuardedClient> {
    GuardedClient::builder().timeout(TIME).build()
}

/// Certificates by their URLs: each is fetched once, however many messages come at the same time, and kept while it is valid.
#[derive(Debug)]
pub(super) struct Certificates {
    slots: StdMutex<HashMap<String, Arc<Mutex<Slot>>>>,
    places: Semaphore,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Known(Arc<Certificate>),
    /// Since when, and why.
    Failed(Timestamp, Failure),
}

impl Default for Certificates {
    fn default() -> Self {
        Self { slots: StdMutex::default(), places: Semaphore::new(AT_ONCE) }
    }
}

impl Certificates {
    /// The certificate at this URL, which has been checked.
    pub(super) async fn get(
        &self,
        url: &str,
        by: &dyn Fetch,
        now: Timestamp,
    ) -> Result<Arc<Certificate>> {
        let slot = self.slot(url)?;
        let mut slot = slot.lock().await;
        match &*slot {
            Slot::Known(certificate) if certificate.is_valid(now) => {
                return Ok(Arc::clone(certificate));
            }
            Slot::Failed(since, failure) if now.since(*since) < PAUSE && *since <= now => {
                return Err(failure.clone().into());
            }
            _ => {}
        }
        let fetched = self.fetch(url, by).await;
        let fetched = fetched.and_then(|it| it.check(now).map(|()| Arc::new(it)));
        *slot = match &fetched {
            Ok(certificate) => Slot::Known(Arc::clone(certificate)),
            Err(error) => Slot::Failed(now, error.into()),
        };
        fetched
    }

    async fn fetch(&self, url: &str, by: &dyn Fetch) -> Result<Certificate> {
        let Ok(_place) = self.places.acquire().await else {
            return Err(unavailable("nothing is fetched any more"));
        };
        match by.fetch(url).await {
            Ok((200, pem)) if pem.len() <= BYTES => Certificate::from_pem(&pem),
            Ok((200, _)) => Err(refused("it is too long")),
            Ok((status @ (400..=407 | 409..=428 | 430..=499), _)) => {
                Err(refused("Amazon does not know it").with("status", status))
            }
            Ok((status, _)) => Err(unavailable("Amazon does not give it").with("status", status)),
            Err(error) => Err(unavailable("it could not be fetched").because(error)),
        }
    }

    /// The place of a URL. Where there are too many, those that are not being used and of no use are forgotten.
    fn slot(&self, url: &str) -> Result<Arc<Mutex<Slot>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(url) {
            return Ok(Arc::clone(slot));
        }
        if slots.len() >= KEPT {
            slots.retain(|_, slot| {
                slot.try_lock().map_or(true, |slot| matches!(*slot, Slot::Known(_)))
            });
        }
        if slots.len() >= KEPT {
            // All are true ones: one makes room, and is fetched again when it is asked for.
            let idle = slots.iter().find(|(_, slot)| slot.try_lock().is_ok());
            let Some(url) = idle.map(|(url, _)| url.clone()) else {
                return Err(unavailable("too many are being fetched"));
            };
            slots.remove(&url);
        }
        let slot = Arc::default();
        slots.insert(url.to_owned(), Arc::clone(&slot));
        Ok(slot)
    }
}

fn unavailable(why: &str) -> Error {
    Error::transient(
        codes::REMOTE_CERTIFICATE,
        format!("the certificate of the message can not be had: {why}"),
    )
}
