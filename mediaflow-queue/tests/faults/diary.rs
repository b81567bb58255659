//! The warnings of a worker process, for whoever has to find out why a scenario failed.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

struct Diary {
    file: Mutex<std::fs::File>,
    stamp: String,
}

/// From now on, into the file `diary`.
pub(super) fn keep(folder: &Path, stamp: &str) {
    let file = std::fs::File::options().append(true).create(true).open(folder.join("diary"));
    let diary = Diary { file: Mutex::new(file.unwrap()), stamp: stamp.to_owned() };
    tracing::subscriber::set_global_default(diary).unwrap();
}

/// The last pages.
pub(super) fn tail(folder: &Path) -> String {
    let diary = std::fs::read_to_string(folder.join("diary")).unwrap_or_default();
    let output = std::fs::read_to_string(folder.join("output")).unwrap_or_default();
    let lines: Vec<_> = diary.lines().collect();
    let last = lines[lines.len().saturating_sub(40)..].join("\n");
    format!(
        "the diary ends:\n{last}\nthe output ends:\n{}",
        &output[output.len().saturating_sub(2000)..]
    )
}

impl Subscriber for Diary {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours =
            ["mediaflow", "riverqueue"].iter().any(|name| metadata.target().starts_with(name));
        metadata.is_event() && ours && *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let millis = mediaflow_core::Timestamp::from(std::time::SystemTime::now()).millis();
        let mut line =
            Line(format!("{} {} {}", millis % 1_000_000, self.stamp, event.metadata().level()));
        event.record(&mut line);
        line.0.push('\n');
        let _ = self.file.lock().unwrap().write_all(line.0.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
