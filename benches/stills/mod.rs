//! The parts of `compare_sharp`: sharp as a process, mediaflow as a host uses it, and the page.

pub(crate) mod host;
#[path = "../machine/mod.rs"]
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod peer;

pub(crate) use machine::Result;
