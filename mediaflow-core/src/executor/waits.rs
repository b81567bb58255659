//! Groups that wait: noting that one does, and going on with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::attempted::unsupported;
use super::checkpoint::{GroupWait, KnownWait};
use super::execution::{Execution, stopping};
use super::recovery::origin;
use super::resources::Executor;
use super::rest::{Rest, Slot, is_final};
use crate::backend::Backend;
use crate::codes;
use crate::media::{Media, MediaInfo};
use crate::operation::Outputs;
use crate::planner::{Failed, exit_of};
use crate::spec::Pipeline;
use crate::spec::digest::{digest, sorted};
use crate::wait::{Ran, Update, Wait};
use crate::{Error, Failure, Result, Retry};

/// What going on with a group came to.
enum Went {
    Done(Outputs),
    Waits,
    Failed(Error),
}

impl Executor {
    /// Stops work that nobody waits for any more, and tries again for a little while if that fails.
    ///
    /// # Errors
    /// `backend.unknown`, or what the backend gives: then it may still go on.
    pub async fn abandon(&self, group: &GroupWait) -> Result<()> {
        let (backend, mut failures) = (self.0.registry.backend_named(&group.backend)?, 0);
        loop {
            let Err(error) = backend.abandon(&group.wait).await else { return Ok(()) };
            failures += 1;
            if error.retry() == Retry::Never || failures >= self.0.retry.max_attempts {
                return Err(error.with("backend", &group.backend));
            }
            let again = self.0.clock.now().plus(self.0.retry.wait(failures));
            self.0.clock.sleep_until(again).await;
        }
    }
}

impl Execution<'_> {
    /// Notes that a group waits, before anything else is done.
    pub(super) async fn waits(&self, group: GroupWait, rest: &mut Rest) -> Result<()> {
        group.wait.check(&self.resources.limits)?;
        self.write_down(&group, &[]).await?;
        self.stand_by(group, rest);
        Ok(())
    }

    fn stand_by(&self, group: GroupWait, rest: &mut Rest) {
        for (exit, info) in &group.exits {
            rest.infos.insert(exit.clone(), info.clone());
            rest.slots.insert(exit.clone(), Slot::Pending);
        }
        rest.waits.push(group);
    }

    async fn write_down(&self, group: &GroupWait, heard: &[u64]) -> Result<()> {
        let journal = self.attempt.journal.as_ref().ok_or_else(unsupported)?;
        journal.waiting(group, heard).await
    }

    /// Goes on with every group that something was said of, or whose time has come.
    pub(super) async fn resume(&self, rest: &mut Rest) -> Result<()> {
        for KnownWait { group, updates } in &self.attempt.waits {
            rest.seen = updates.iter().map(|update| update.id).fold(rest.seen, u64::max);
            self.resume_group(group.clone(), updates, rest)
                .await
                .map_err(|e| e.with("backend", &group.backend).with("wait", &group.wait.key))?;
        }
        Ok(())
    }

    async fn resume_group(
        &self,
        mut group: GroupWait,
        updates: &[Update],
        rest: &mut Rest,
    ) -> Result<()> {
        let backend = self.resources.registry.backend_named(&group.backend)?;
        let (known, mut heard) = (group.clone(), Vec::new());
        let mut went = Went::Waits;
        for update in updates {
            went = self.ask(&**backend, &mut group, Some(update)).await?;
            if group.failures == known.failures {
                heard.push(update.id);
            }
            if !matches!(went, Went::Waits) || group.failures > known.failures {
                break;
            }
        }
        let now = self.cx.now();
        if matches!(went, Went::Waits) && group.due() <= now && group.failures == known.failures {
            went = if group.wait.until <= now {
                self.give_up(&**backend, &group.wait).await
            } else {
                self.ask(&**backend, &mut group, None).await?
            };
        }
        match went {
            Went::Waits => {
                if group != known || !heard.is_empty() {
                    group.wait.check(&self.resources.limits)?;
                    self.write_down(&group, &heard).await?;
                }
                self.stand_by(group, rest);
                Ok(())
            }
            Went::Done(outputs) => self.came_back(group, outputs, rest).await,
            Went::Failed(error) => {
                self.attempt.observer.steps(&group.steps, Some(&Failure::from(&error)));
                let error = Arc::new(error);
                for (exit, info) in group.exits {
                    rest.infos.insert(exit.clone(), info);
                    let origin = origin(&rest.pipeline, &group.steps, &error, exit_of(&exit));
                    let failed = Failed { origin, error: Arc::clone(&error) };
                    rest.slots.insert(exit, Slot::Failed(failed));
                }
                Ok(())
            }
        }
    }

    /// Asks the backend to go on. What may pass is noted in the group, which then waits on.
    async fn ask(
        &self,
        backend: &dyn Backend,
        group: &mut GroupWait,
        update: Option<&Update>,
    ) -> Result<Went> {
        let cx = self.cx.of_group(&group.group);
        match stopping(&cx, backend.resume(&group.wait, update, &cx)).await {
            Ok(Ran::Done(outputs)) => Ok(Went::Done(outputs)),
            Ok(Ran::Waiting(wait)) => {
                (group.wait, group.failures, group.retry_at) = (wait, 0, None);
                Ok(Went::Waits)
            }
            Err(error) if error.code() == Update::UNREADABLE => {
                tracing::warn!(key = group.wait.key, %error, "an update can not be read; it is dropped");
                self.cx.warn(format!("an update of {} could not be read: {error}", group.wait.key));
                Ok(Went::Waits)
            }
            Err(error) if is_final(&error) => Err(error),
            Err(error) => Ok(self.failed(group, error)),
        }
    }

    fn failed(&self, group: &mut GroupWait, error: Error) -> Went {
        let retry = &self.resources.retry;
        let failures = group.failures + 1;
        let wait = match error.retry() {
            Retry::Never => return Went::Failed(error),
            // It was tried often enough: another attempt at the whole job would not help.
            _ if failures >= retry.max_attempts => {
                return Went::Failed(error.retrying(Retry::Never));
            }
            Retry::After(asked) => retry.wait(failures).max(asked),
            Retry::Backoff => retry.wait(failures),
        };
        tracing::warn!(key = group.wait.key, %error, "work that waits could not go on; trying again");
        (group.failures, group.retry_at) = (failures, Some(self.cx.now().plus(wait)));
        Went::Waits
    }

    async fn give_up(&self, backend: &dyn Backend, wait: &Wait) -> Went {
        if let Err(error) = backend.abandon(wait).await {
            tracing::warn!(key = wait.key, %error, "work whose time is over could not be stopped");
        }
        Went::Failed(
            Error::limit(
                codes::WAIT_EXPIRED,
                "nothing came back in time from where the work goes on",
            )
            .with("until", wait.until),
        )
    }

    /// Takes the results of a group.
    async fn came_back(
        &self,
        group: GroupWait,
        mut outputs: Outputs,
        rest: &mut Rest,
    ) -> Result<()> {
        let mut failure = None;
        for (exit, expected) in group.exits {
            let slot = match outputs.take(exit_of(&exit)).map_err(|e| e.with("step", &exit)) {
                Ok(media) => {
                    rest.infos.insert(exit.clone(), self.look_at(&media, &expected).await);
                    Slot::Ready(media)
                }
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => {
                    failure.get_or_insert_with(|| Failure::from(&error));
                    rest.infos.insert(exit.clone(), expected.clone());
                    let origin = origin(&rest.pipeline, &group.steps, &error, exit_of(&exit));
                    Slot::Failed(Failed::new(origin, error))
                }
            };
            rest.expected.insert(exit.clone(), expected);
            rest.slots.insert(exit, slot);
        }
        self.attempt.observer.steps(&group.steps, failure.as_ref());
        Ok(())
    }

    /// What a result is for those who take it: as far as that can be seen. Verification of outputs comes on top.
    async fn look_at(&self, media: &Media, expected: &MediaInfo) -> MediaInfo {
        match media {
            Media::Image(_)
            | Media::Frames(_)
            | Media::Audio(_)
            | Media::Pages(_)
            | Media::Facts(_) => media.info(),
            Media::Bundle(_) => expected.clone(),
            Media::File(file) => {
                self.resources.probe(file, self.cx).await.unwrap_or_else(|_| expected.clone())
            }
        }
    }
}

/// The name of a group: a digest of its backend, its steps and what comes out of it.
pub(super) fn group_name(
    pipeline: &Pipeline,
    backend: &str,
    steps: &[String],
    exits: &BTreeMap<String, MediaInfo>,
) -> String {
    let mut steps: Vec<_> = steps
        .iter()
        .filter_map(|name| pipeline.steps.get_key_value(name))
        .map(|(name, step)| json!([name, step.op, step.v, step.with, step.from]))
        .collect();
    steps.sort_by_key(ToString::to_string);
    let exits: Vec<_> = exits.keys().collect();
    let mut name = digest(&sorted(&json!([backend, steps, exits])));
    name.truncate(16);
    name
}
