//! What a plan says that it takes is no less than what its process has taken in the end.

use std::path::Path;
use std::process::Command;

use mediaflow_video::{Mp4, Preset};

use crate::common::{Bench, step, variant};

const SOURCE: &str = "MEDIAFLOW_TEST_FILM";
const FAST: &str = "MEDIAFLOW_TEST_FAST";

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Measures, if it is asked to; else there is nothing to do.
#[tokio::test]
async fn child() {
    let Some(path) = std::env::var_os(SOURCE) else { return };
    let bench = Bench::new();
    let is_fast = std::env::var_os(FAST).is_some();
    let preset = if is_fast { Preset::Veryfast } else { Preset::Medium };
    let steps = vec![step("mp4", Mp4::crf(28).preset(preset), "source")];
    let plan = bench.explain(Path::new(&path), steps.clone(), &["mp4"]).await.unwrap();
    let estimate = plan.estimate.bytes;
    bench.run(Path::new(&path), steps, &["mp4"]).await.unwrap();
    let peak = status("VmHWM:");
    assert!(peak <= estimate, "{} MiB, and {} were said", peak >> 20, estimate >> 20);
    assert!(estimate <= 2 * peak, "{} MiB, and {} were said", peak >> 20, estimate >> 20);
}

#[cfg(target_os = "linux")]
#[test]
fn a_film_takes_no_more_than_is_said() {
    let bench = Bench::new();
    for (size, frames, is_fast) in [("1920x1080", "80", false), ("3840x2160", "40", true)] {
        let coded = ["-s", size, "-frames:v", frames, "-c:v", "libx264", "-preset", "ultrafast"];
        let clip =
            variant(&bench, &format!("{size}.mp4"), &[&coded[..], &["-c:a", "aac"]].concat());
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["memory::child", "--exact"]).env(SOURCE, &clip);
        if is_fast {
            child.env(FAST, "1");
        }
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{size}: {said}");
    }
}
