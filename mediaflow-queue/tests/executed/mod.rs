//! The statements that this process executes, as sqlx tells of them.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Metadata, Subscriber};

/// Is told of each from now on: its text, and the seconds that it took.
pub(crate) fn listen<F>(hear: F) -> Result<(), SetGlobalDefaultError>
where
    F: Fn(&str, f64) + Send + Sync + 'static,
{
    tracing::subscriber::set_global_default(Listener(hear))
}

struct Listener<F>(F);

impl<F: Fn(&str, f64) + Send + Sync + 'static> Subscriber for Listener<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        (self.0)(statement.text.trim(), statement.seconds);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Statement {
    text: String,
    seconds: f64,
}

impl Visit for Statement {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // A short one is told as a summary only.
        let whole = field.name() == "db.statement" && !value.is_empty();
        if whole || field.name() == "summary" && self.text.is_empty() {
            value.clone_into(&mut self.text);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["db.statement", "summary"].contains(&field.name()) {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}
