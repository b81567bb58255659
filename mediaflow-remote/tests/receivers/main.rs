//! Every receiver against what its vendor sends, and against what somebody else sends in the vendor's place.
#![cfg(feature = "all")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod certificates;
mod cloudinary;
mod common;
mod hostile;
mod jobs;
mod peers;
#[cfg(feature = "axum")]
mod served;
mod sns;
mod standard;
mod tencent;
mod zencoder;

#[path = "../../../tests/verifiers/mod.rs"]
mod verifiers;
