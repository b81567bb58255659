//! Places at which a test can end the process.
//!
//! Uses: nothing.

/// A place at which a test can end the process, as `kill -9` would. Does nothing otherwise.
///
/// The variable `MEDIAFLOW_FAILPOINT` names the place, and after a colon which passage of it is the last: `end.row:3`.
#[cfg(feature = "testing")]
pub(crate) fn failpoint(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let wanted = std::env::var("MEDIAFLOW_FAILPOINT").ok()?;
        let (name, passage) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        Some((name.to_owned(), passage.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let Some((wanted, last)) = &*WANTED else { return };
    if wanted == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *last {
        // No destructor runs, and nothing is written any more. Where there is no such signal, aborting is as good.
        #[cfg(unix)]
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort();
    }
}

/// A place at which a test can end the process. Not in this build.
#[cfg(not(feature = "testing"))]
#[inline]
pub(crate) fn failpoint(_name: &str) {}
