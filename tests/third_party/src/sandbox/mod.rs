//! Runs a backend or a reader in a child process: what takes its process with it takes the child, what hangs is killed, and
//! limits of the system can be put upon it.
//!
//! One child does one task. A task goes to it over a pipe, and what came of it comes back: a header in JSON, and behind it the
//! bytes of pictures and files. The child's limits are the host's. Frames are pulled through the pipe one by one, from a child for
//! each pass.

mod child;
mod frames;
mod parent;
mod wire;

pub use child::serve;
pub use parent::{Sandbox, SandboxedBackend, SandboxedReader};
