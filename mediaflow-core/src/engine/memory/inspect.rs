use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::engine::MemoryEngine;
use super::messages::Row;
use crate::codes;
use crate::engine::Record;
use crate::event::EventKind;
use crate::id::JobId;
use crate::inspect::{
    Counts, Cursor, EventFilter, Inspect, JobFilter, JobHistory, JobSummary, List, MessageFilter,
    MessageHistory, MessageState, MessageSummary, Page, Paging, PlacedEvent, WaitSummary,
};
use crate::{Error, Result};

#[async_trait]
impl Inspect for MemoryEngine {
    async fn jobs(&self, filter: &JobFilter, paging: &Paging) -> Result<Page<JobSummary>> {
        let store = self.store();
        let (size, after) = paging.check::<JobId>(List::Jobs, store)?;
        let state = self.0.lock();
        let batch: Option<BTreeSet<_>> =
            filter.batch.map(|batch| state.jobs_of(batch).iter().copied().collect());
        let is_meant = |record: &&Record| {
            after.is_none_or(|after| record.id < after)
                && batch.as_ref().is_none_or(|batch| batch.contains(&record.id))
                && takes(filter, record)
        };
        let mut found: Vec<_> = state.records().filter(is_meant).collect();
        found.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
        let more = found.len() > size;
        let items: Vec<_> = found.into_iter().take(size).map(Record::summary).collect();
        let next = items.last().filter(|_| more);
        let next = next.map(|last| Cursor::new(List::Jobs, store, last.job));
        Ok(Page::new(items, next, more))
    }

    async fn job(&self, job: JobId) -> Result<JobHistory> {
        let (summary, status, waits) = {
            let state = self.0.lock();
            let record = state.record(job)?;
            (record.summary(), record.status(), state.known_waits(job))
        };
        let about = EventFilter::new().job(job);
        let events = self.read(&about, 0, JobHistory::EVENTS).items;
        let mut history = JobHistory::new(summary, status, events);
        history.waits = waits.iter().map(WaitSummary::from).collect();
        let told = self.list(&MessageFilter::new().job(job), None, JobHistory::MESSAGES);
        let kept = |message| MessageHistory::new(message, Vec::new());
        history.messages = told.items.into_iter().map(kept).collect();
        Ok(history)
    }

    async fn events(&self, filter: &EventFilter, paging: &Paging) -> Result<Page<PlacedEvent>> {
        let (size, after) = paging.check::<u64>(List::Events, self.store())?;
        let missed = after.map_or(0, |after| self.0.ring.behind(after, 1).missed);
        if missed > 0 {
            return Err(Error::input(
                codes::INSPECT_GAP,
                "what followed the cursor is not kept any more",
            )
            .with("missed", missed)
            .help("begin without a cursor, and look at the states of jobs that matter"));
        }
        Ok(self.read(filter, after.unwrap_or(0), size))
    }

    async fn newest(&self) -> Result<Cursor> {
        Ok(Cursor::new(List::Events, self.store(), self.0.ring.newest()))
    }

    async fn messages(
        &self,
        filter: &MessageFilter,
        paging: &Paging,
    ) -> Result<Page<MessageSummary>> {
        let (size, after) = paging.check::<i64>(List::Messages, self.store())?;
        Ok(self.list(filter, after, size))
    }

    async fn counts(&self) -> Result<Counts> {
        let (now, mut counts) = (self.0.clock.now(), Counts::default());
        for record in self.0.lock().records() {
            let Some(report) = record.report.as_ref().filter(|_| record.state.is_terminal()) else {
                *counts.live.entry(record.state.as_str().to_owned()).or_default() += 1;
                continue;
            };
            let code = report.failure.as_ref().map(|failure| failure.code.as_str());
            let age = now.since(report.finished_at);
            for (span, minutes) in
                [(&mut counts.minute, 1), (&mut counts.hour, 60), (&mut counts.day, 24 * 60)]
            {
                if age < Duration::from_secs(60 * minutes) {
                    span.add(report.state.as_str(), code, 1);
                }
            }
        }
        Ok(counts)
    }
}

impl MemoryEngine {
    fn store(&self) -> &str {
        &self.0.store
    }

    fn read(&self, filter: &EventFilter, after: u64, size: usize) -> Page<PlacedEvent> {
        let place = |number: u64| Cursor::new(List::Events, self.store(), number);
        let (mut items, mut last) = (Vec::new(), after);
        for (number, event) in self.0.ring.behind(after, usize::MAX).events {
            if items.len() == size {
                return Page::new(items, Some(place(last)), true);
            }
            last = number;
            // How far a job is, is kept with the job.
            if event.kind != EventKind::JobProgress && filter.takes(&event) {
                items.push(PlacedEvent::new(place(number), event));
            }
        }
        Page::new(items, Some(place(last)), false)
    }

    fn list(
        &self,
        filter: &MessageFilter,
        before: Option<i64>,
        size: usize,
    ) -> Page<MessageSummary> {
        let outbox = Arc::clone(&self.0.outbox);
        let tables = outbox.lock();
        let rows = tables.messages.range(..before.unwrap_or(i64::MAX)).rev();
        let about = |row: &Row| {
            let mut jobs = row.message.events().iter().map(|event| event.job);
            filter.job.is_none_or(|job| jobs.any(|of| of == Some(job)))
        };
        let rows = rows.filter(|(_, row)| about(row));
        let told = rows.map(|(number, row)| told(*number, row));
        let is_meant = |message: &MessageSummary| {
            let to = || (message.channel.clone(), message.origin.clone());
            filter.state.is_none_or(|state| message.state == state)
                && filter.destination.as_ref().is_none_or(|meant| *meant == to())
        };
        let mut items: Vec<_> = told.filter(is_meant).take(size + 1).collect();
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more);
        let next = next.map(|last| Cursor::new(List::Messages, self.store(), last.number));
        Page::new(items, next, more)
    }
}

fn takes(filter: &JobFilter, record: &Record) -> bool {
    let options = &record.spec.options;
    let made = record.id.made_at().unwrap_or(record.queued_at);
    filter.state.is_none_or(|state| record.state == state)
        && filter.kind.as_ref().is_none_or(|kind| record.spec.kind == *kind)
        && filter.tag.as_ref().is_none_or(|tag| options.tags.contains(tag))
        && filter.tenant.as_ref().is_none_or(|tenant| options.tenant.as_ref() == Some(tenant))
        && filter.owner.as_ref().is_none_or(|owner| options.owner.as_ref() == Some(owner))
        && filter.since.is_none_or(|since| made >= since)
        && filter.until.is_none_or(|until| made < until)
}

fn told(number: i64, row: &Row) -> MessageSummary {
    let (message, to) = (&row.message, &row.destination);
    let event = message.event();
    let mut told = MessageSummary::new(
        number,
        (message.id, event.id, event.kind),
        (to.channel.clone(), to.name.clone()),
        row.due,
    );
    (told.job, told.attempts) = (event.job, row.attempts);
    if row.sending {
        told.state = MessageState::Sending;
    }
    told
}
