//! A job's life in the tables. Everything here is one transaction each; loops and waiting are elsewhere.
//!
//! Uses: db, events, failpoint, process.

mod after;
mod batch;
mod cancel;
mod end;
mod groups;
mod lock;
mod one_statement;
mod park;
mod parts;
mod ready;
mod requeue;
mod row;
mod schedule;
mod start;
mod status;
mod submit;
mod unclaimed;
mod waits;

pub(crate) use after::{follow_ended, start_new};
pub(crate) use batch::{batches_left, go_on_with_batches};
pub(crate) use cancel::{cancel, stop_cancelled};
pub(crate) use end::{Ended, Ends, asked, fail_by_name, give_back, progress, retry};
pub(crate) use groups::Jobs;
pub(crate) use lock::{lock, lock_held};
pub(crate) use park::{park_orphans, take_up};
pub(crate) use parts::{
    ClaimedPart, part_done, part_failed, part_progress, part_retry, remake, results, split,
    start_part, stop as stop_parts,
};
pub(crate) use ready::{Left, recount_shares, start_due};
pub(crate) use requeue::queue_again;
pub(crate) use row::{ClaimedJob, NOT_WHOLE, unknown};
pub(crate) use schedule::{run_due, schedule, schedules, unschedule};
pub(crate) use start::{Start, start_assembly};
pub(crate) use status::{batch, outcome, recalled, replayable, status};
pub(crate) use submit::submit_in;
pub(crate) use unclaimed::{UNCLAIMED, count_unserved, queued_classes, tell_unclaimed};
pub(crate) use waits::{signal, stop_abandoned, store_wait, suspend, waits, wake_due, wake_missed};
