//! A job's life in the tables. Everything here is one transaction each; loops and waiting are elsewhere.

mod cancel;
mod end;
mod parts;
mod row;
mod start;
mod status;
mod submit;
mod together;

pub(crate) use cancel::cancel;
pub(crate) use end::{End, asked, end, fail_by_name, give_back, progress, retry};
pub(crate) use parts::{
    PartRow, part_done, part_failed, part_progress, part_retry, parts_of, remake, results, split,
    start_part, stop as stop_parts,
};
pub(crate) use row::Held;
pub(crate) use start::{Start, start, start_assembly};
pub(crate) use status::{batch, replayable, status};
pub(crate) use submit::{submit, submit_in};

/// Where jobs wait for a transaction that they can share.
#[derive(Default)]
pub(crate) struct Lines {
    submit: together::Line<submit::Taken>,
    start: together::Line<start::Begun>,
    end: together::Line<end::Ended>,
}
