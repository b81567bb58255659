use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Person, Recipients, Whom};
use crate::{Result, Timestamp};

/// How long people are remembered: a burst of events asks for them once.
const KEPT: Duration = Duration::from_secs(60);

/// How many audiences are remembered.
const MOST: usize = 10_000;

/// People that were found a moment ago.
#[derive(Default)]
pub(crate) struct PeopleCache(Mutex<Found>);

/// Who an audience was, and when.
type Found = HashMap<Whom, (Timestamp, Arc<Vec<Person>>)>;

impl PeopleCache {
    /// Those whom an audience is, found now or a minute ago at most. A failure is not remembered.
    pub(crate) async fn find(
        &self,
        recipients: &dyn Recipients,
        whom: &Whom,
        now: Timestamp,
    ) -> Result<Arc<Vec<Person>>> {
        if let Some((found, people)) = self.lock().get(whom)
            && now.since(*found) < KEPT
        {
            return Ok(Arc::clone(people));
        }
        let people = Arc::new(recipients.people(whom).await?);
        let mut cache = self.lock();
        if cache.len() >= MOST {
            cache.retain(|_, (found, _)| now.since(*found) < KEPT);
        }
        if cache.len() < MOST {
            cache.insert(whom.clone(), (now, Arc::clone(&people)));
        }
        Ok(people)
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PeopleCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeopleCache").finish_non_exhaustive()
    }
}
