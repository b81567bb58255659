//! Writing: from a text to lines of glyphs, and from these to a mask.
//!
//! Uses: nothing.

mod draw;
mod faces;
mod lines;

pub(crate) use draw::{Block, Mask};
