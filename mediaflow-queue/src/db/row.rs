use mediaflow_core::{Error, Result, codes};
use sqlx::Row as _;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgRow;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::SqliteRow;

/// A value for a placeholder. Nulls have a type, which PostgreSQL asks for.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(Option<i64>),
    Real(f64),
    Text(Option<String>),
}

macro_rules! from {
    ($($from:ty => |$value:ident| $to:expr,)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        })*
    };
}

from! {
    i64 => |value| Self::Int(Some(value)),
    u32 => |value| Self::Int(Some(value.into())),
    bool => |value| Self::Int(Some(value.into())),
    Option<i64> => |value| Self::Int(value),
    f32 => |value| Self::Real(value.into()),
    &str => |value| Self::from(value.to_owned()),
    &String => |value| Self::from(value.clone()),
    String => |value| Self::from(Some(value)),
    Option<String> => |value| Self::Text(value.map(without_nul)),
    mediaflow_core::JobId => |value| Self::Text(Some(value.to_string())),
    mediaflow_core::BatchId => |value| Self::Text(Some(value.to_string())),
    mediaflow_core::EventId => |value| Self::Text(Some(value.to_string())),
    mediaflow_core::MessageId => |value| Self::Text(Some(value.to_string())),
    Option<mediaflow_core::JobId> => |value| Self::Text(value.map(|id| id.to_string())),
    Option<mediaflow_core::BatchId> => |value| Self::Text(value.map(|id| id.to_string())),
    mediaflow_core::Timestamp => |value| Self::Int(i64::try_from(value.millis()).ok()),
    Option<mediaflow_core::Timestamp> => |value| Self::Int(value.and_then(|time| i64::try_from(time.millis()).ok())),
}

/// PostgreSQL takes no NUL in a text, and one that a receiver has sent must not keep everything else from being written.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// The values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Value::from($value)),*] };
}
pub(crate) use values;

/// What a query found. A column of another type than asked for is a corrupted row.
pub(crate) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(PgRow),
}

macro_rules! get {
    ($row:expr, $column:expr) => {
        match $row {
            #[cfg(feature = "sqlite")]
            Row::Sqlite(row) => row.try_get($column),
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => row.try_get($column),
        }
        .map_err(|e: sqlx::Error| corrupt($column).because(e))
    };
}

impl Row {
    pub(crate) fn int(&self, column: &str) -> Result<i64> {
        get!(self, column)
    }

    pub(crate) fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        get!(self, column)
    }

    /// A share from 0 to 1.
    #[expect(clippy::cast_possible_truncation, reason = "percents are all that is asked of it")]
    pub(crate) fn share(&self, column: &str) -> Result<f32> {
        let share: Result<f64> = get!(self, column);
        share.map(|share| share as f32)
    }

    pub(crate) fn text(&self, column: &str) -> Result<String> {
        get!(self, column)
    }

    pub(crate) fn opt_text(&self, column: &str) -> Result<Option<String>> {
        get!(self, column)
    }

    /// A text that is an id or a name of ours.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, column: &str) -> Result<T> {
        self.text(column)?.parse().map_err(|_| corrupt(column))
    }

    /// A text that is the name of a variant.
    pub(crate) fn named<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        let name = self.text(column)?;
        serde_json::from_value(name.clone().into())
            .map_err(|e| corrupt(column).with("value", name.escape_debug()).because(e))
    }

    /// A text that is JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|e| corrupt(column).because(e))
    }

    /// A text that is JSON, or nothing.
    pub(crate) fn opt_json<T: serde::de::DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>> {
        let text = self.opt_text(column)?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| corrupt(column).because(e))
    }

    /// A moment, or nothing.
    pub(crate) fn opt_time(&self, column: &str) -> Result<Option<mediaflow_core::Timestamp>> {
        let millis = self.opt_int(column)?;
        Ok(millis.map(|millis| {
            mediaflow_core::Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
        }))
    }

    /// A moment.
    pub(crate) fn time(&self, column: &str) -> Result<mediaflow_core::Timestamp> {
        self.opt_time(column)?.ok_or_else(|| corrupt(column))
    }
}

/// What a value is stored as.
pub(crate) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| {
        Error::internal(codes::QUEUE_JSON, "a value can not be written as JSON").because(e)
    })
}

fn corrupt(column: &str) -> Error {
    Error::backend(codes::QUEUE_CORRUPT_ROW, "a stored row can not be read")
        .with("column", column)
        .help("it was damaged or written by something else; restore it from a backup, or delete it")
}

/// Placeholders for so many rows: `($1, $2), ($3, $4)`.
pub(crate) fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", numbers.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// How many rows one statement writes at most, and how many bytes, unless a single row has more.
const TOGETHER: usize = 64;
const BYTES: usize = 4 << 20;

/// Cuts what is written or asked for together into as few numbers as [`together`], whatever bytes it has.
pub(crate) fn in_parts<T>(mut all: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let (part, rest) = all.split_at(number(all.len())?);
        all = rest;
        Some(part)
    })
}

/// How many of so many go together.
fn number(left: usize) -> Option<usize> {
    match left {
        0 => None,
        left @ ..=16 => Some(left),
        left => Some((1 << left.ilog2()).min(TOGETHER)),
    }
}

/// Cuts rows of so many columns into what one statement writes each. Each number of rows is a statement of its own, which
/// every connection prepares once and keeps, so few numbers are used: any up to 16, 32, and 64.
pub(crate) fn together(mut rows: &[Value], columns: usize) -> impl Iterator<Item = &[Value]> {
    std::iter::from_fn(move || {
        let mut most = number(rows.len() / columns)?;
        while most > 1 && rows[..most * columns].iter().map(Value::bytes).sum::<usize>() > BYTES {
            most /= 2;
        }
        let (these, others) = rows.split_at(most * columns);
        rows = others;
        Some(these)
    })
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(Some(text)) => text.len(),
            Self::Text(None) | Self::Int(_) | Self::Real(_) => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, Value, together};

    #[test]
    fn rows_are_written_by_few_statements() {
        let sizes = |rows: usize| {
            let rows = vec![Value::from(1_i64); rows * 3];
            together(&rows, 3).map(|rows| rows.len() / 3).collect::<Vec<_>>()
        };
        assert!(sizes(0).is_empty());
        assert_eq!(sizes(13), [13]);
        assert_eq!(sizes(16), [16]);
        assert_eq!(sizes(150), [64, 64, 16, 6]);
        let long = vec![Value::from("x".repeat(BYTES / 3)); 8];
        let sizes: Vec<_> = together(&long, 1).map(<[_]>::len).collect();
        assert_eq!(sizes, [2, 3, 3]);
    }

    #[test]
    fn placeholders_count_on() {
        assert_eq!(super::places(1, 3), "($1, $2, $3)");
        assert_eq!(super::places(2, 2), "($1, $2), ($3, $4)");
    }
}
