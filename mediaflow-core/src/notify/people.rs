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
            && is_fresh(*found, now)
        {
            return Ok(Arc::clone(people));
        }
        let people = Arc::new(recipients.people(whom).await?);
        let mut cache = self.lock();
        if cache.len() >= MOST {
            cache.retain(|_, (found, _)| is_fresh(*found, now));
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

/// A clock that is put back makes nothing last longer.
fn is_fresh(found: Timestamp, now: Timestamp) -> bool {
    now.since(found) < KEPT && found.since(now) < KEPT
}

impl fmt::Debug for PeopleCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeopleCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::event::{Audience, Event, EventData, EventKind};

    #[derive(Debug, Default)]
    struct Counting(AtomicU32);

    #[async_trait]
    impl Recipients for Counting {
        async fn people(&self, _whom: &Whom) -> Result<Vec<Person>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn people_are_remembered_for_a_minute_whatever_the_clock_does() {
        let event = Event::new(EventKind::JobFailed, Timestamp::default(), EventData::None);
        let whom = Whom::of(&event, Audience::Owner);
        let (cache, directory) = (PeopleCache::default(), Counting::default());
        let hour = 3_600_000;
        for (millis, asked) in [(hour, 1), (hour + 59_999, 1), (hour + 60_000, 2), (1, 3)] {
            cache.find(&directory, &whom, Timestamp::from_millis(millis)).await.unwrap();
            assert_eq!(directory.0.load(Ordering::Relaxed), asked, "{millis}");
        }
    }
}
