//! The image backend from outside: files in, files out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bad_input;
mod conformance;
mod files;
mod metadata;
mod operations;
mod sharing;
mod support;
