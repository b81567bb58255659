//! The backend on a real clip, with `ffprobe` as the second opinion on what it writes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod bad_input;
mod common;
mod conformance;
mod missing;
mod poster;
mod probe;
mod spec;
mod stop;
mod transcode;
