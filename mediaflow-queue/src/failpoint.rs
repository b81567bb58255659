//! Places at which a test can end or stop the process.
//!
//! Uses: nothing.

use mediaflow_core::codes;

/// A place at which a test can end the process, as `kill -9` would, or stop it, as `SIGSTOP` does. Does nothing
/// otherwise.
///
/// The variable `MEDIAFLOW_FAILPOINT` names the place, and after a colon which passage of it is the last: `end.row:3`.
/// With `stop:` before it the process is stopped there, and goes on when it is told to.
#[cfg(feature = "testing")]
pub(crate) fn failpoint(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: LazyLock<Option<(String, u64, bool)>> = LazyLock::new(|| {
        let wanted = std::env::var("MEDIAFLOW_FAILPOINT").ok()?;
        let (wanted, stops) =
            wanted.strip_prefix("stop:").map_or((&*wanted, false), |wanted| (wanted, true));
        let (name, passage) = wanted.split_once(':').unwrap_or((wanted, "1"));
        Some((name.to_owned(), passage.parse().ok()?, stops))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let Some((wanted, last, stops)) = &*WANTED else { return };
    if wanted == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *last {
        #[cfg(unix)]
        if *stops {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::STOP,
            );
            return;
        }
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

/// What tests have asked for, by place: how often still.
#[cfg(feature = "testing")]
static ARMED: std::sync::Mutex<std::collections::BTreeMap<&'static str, u32>> =
    std::sync::Mutex::new(std::collections::BTreeMap::new());

/// Lets a place of this process fail so many times.
#[cfg(feature = "testing")]
pub(crate) fn arm(place: &'static str, times: u32) {
    *ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(place).or_default() +=
        times;
}

/// How often a place has still to fail.
#[cfg(feature = "testing")]
pub(crate) fn armed(place: &str) -> u32 {
    let armed = ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    armed.get(place).copied().unwrap_or(0)
}

#[cfg(feature = "testing")]
fn fails(place: &str) -> bool {
    let mut armed = ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match armed.get_mut(place) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    }
}

#[cfg(not(feature = "testing"))]
#[inline]
fn fails(_place: &str) -> bool {
    false
}

/// A place at which a test can have a loop panic.
pub(crate) fn may_panic(place: &str) {
    assert!(!fails(place), "{place} panics on demand");
}

/// A place at which a test can lose the answer to a commit.
pub(crate) fn lost_answer(place: &str) -> mediaflow_core::Result<()> {
    if fails(place) {
        return Err(mediaflow_core::Error::transient(
            codes::QUEUE_UNAVAILABLE,
            "the answer was lost",
        )
        .help("on demand"));
    }
    Ok(())
}
