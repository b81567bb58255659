//! The backend on a real clip, with `ffprobe` as the second opinion on what it writes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod bad_input;
mod clips;
mod colours;
mod common;

mod conformance;

mod damage;
mod fields;
mod generations;
mod measure;
mod memory;
mod metadata;
mod missing;
mod poster;
mod probe;
mod readme;
mod shapes;
mod spec;
mod stop;
mod streams;
mod transcode;
mod variable;
