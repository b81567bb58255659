//! The child process of the sandbox: it reads one task from its standard input, does it, and writes what came of it.

use acme_media::{Duotone, Fault, FaultyBackend, FlipReader, PrintBackend, RawfReader, sandbox};
use mediaflow::Registry;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let mut registry = Registry::new();
    registry
        .operation::<Duotone>()
        .word::<Fault>()
        .reader(RawfReader)
        .reader(FlipReader)
        .backend(PrintBackend)
        .backend(FaultyBackend);
    sandbox::serve(&registry).await
}
