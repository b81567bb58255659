//! Compared with libjpeg-turbo.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod bare;
mod coefficients;
mod damage;
mod halves;
mod header;
mod mutants;
mod planes;
mod quarter;
mod rebuild;
mod support;
mod view;
