//! Every channel of words against a receiver on the loopback: what is sent, what answers mean, what is hostile, what is
//! too long, and what must be seen by nobody.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod answers;
mod apple;
mod common;
mod configured;
mod credentials;
mod forms;
mod hostile;
mod limits;
mod lines;
mod mail;
mod pages;
mod peers;
mod push;
mod rendered;
mod together;
mod words;

#[path = "../../src/webhook/tests/trace.rs"]
mod trace;
#[path = "../../../tests/verifiers/mod.rs"]
mod verifiers;
