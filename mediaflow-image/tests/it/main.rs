//! The image backend from outside: files in, files out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod accepting;
#[cfg(feature = "avif")]
mod avif;
mod bad_input;
#[cfg(feature = "bitmaps")]
mod bitmaps;
mod cases;
mod colours;
mod conformance;
mod copying;
mod damage;
mod eighth;
mod facts;
mod files;
mod gif;
mod metadata;
mod operations;
mod readme;
mod rows;
mod said;
mod sharing;
mod side_by_side;
mod stopping;
mod support;
#[cfg(feature = "tiff")]
mod tiff;
mod tones;
mod tree;
mod words;
