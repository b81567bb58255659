use crate::db::Value;

/// How many rows a page examines at most, if it asks for more than one thing.
pub(super) const BUDGET: usize = 2000;

/// Each row.
const EVERY: &str = "1 = 1";

/// A statement that walks along an index, and takes those rows of which the rest is true.
pub(super) struct Walk {
    values: Vec<Value>,
    ways: Vec<Way>,
    rest: Vec<String>,
    /// Bounds of a key, written `{key}`.
    range: String,
    order: &'static str,
}

/// Where the keys come from, in order: an index.
struct Way {
    from: &'static str,
    key: &'static str,
    when: String,
}

/// A statement with its values.
pub(super) type Statement = (String, Vec<Value>);

impl Walk {
    /// The newest first, or the oldest.
    pub(super) fn new(newest_first: bool) -> Self {
        let order = if newest_first { "DESC" } else { "ASC" };
        let (values, ways, rest) = Default::default();
        Self { values, ways, rest, range: EVERY.to_owned(), order }
    }

    /// A placeholder.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Bounds of the key, each with its comparison, and what it is if nothing is asked for: it binds nothing then. On the way along
    /// another index it is said all the same, or PostgreSQL takes the order of the table's own key for the cheaper way.
    pub(super) fn range<V: Into<Value>>(&mut self, bounds: [(&str, Option<V>, V); 2]) {
        let is_along = self.ways.iter().any(|way| way.when != EVERY);
        for (than, bound, else_) in bounds {
            if let Some(bound) = bound.or(is_along.then_some(else_)) {
                let bound = self.bind(bound);
                self.range.push_str(&format!(" AND {{key}} {than} {bound}"));
            }
        }
    }

    /// All of a table, in the order of its own key.
    pub(super) fn whole_way(&mut self, from: &'static str, key: &'static str) {
        self.way(from, key, EVERY.to_owned());
    }

    pub(super) fn way(&mut self, from: &'static str, key: &'static str, when: String) {
        self.ways.push(Way { from, key, when });
    }

    pub(super) fn rest(&mut self, when: String) {
        self.rest.push(when);
    }

    pub(super) fn has_way(&self) -> bool {
        !self.ways.is_empty()
    }

    /// How many keys each way gives for a page of so many rows.
    fn budget(&self, size: usize) -> usize {
        if self.rest.is_empty() { size + 1 } else { BUDGET }
    }

    fn keys(&self, way: usize, limit: &str) -> String {
        let Way { from, key, when } = &self.ways[way];
        let (range, order) = (self.range.replace("{key}", key), self.order);
        // A job can be twice in a batch.
        let distinct = if from.contains("batch") { "DISTINCT " } else { "" };
        format!(
            "SELECT {distinct}{key} AS key FROM {from} WHERE {when} AND {range} ORDER BY {key} {order} LIMIT {limit}"
        )
    }

    fn union(&self, limit: &str) -> String {
        let one = |way| format!("SELECT key FROM ({}) AS way{way}", self.keys(way, limit));
        (0..self.ways.len()).map(one).collect::<Vec<_>>().join(" UNION ALL ")
    }

    /// A row more than the page holds, if there are so many. That number is no value of the statement: PostgreSQL would take it for
    /// a tenth of the table when it makes a plan for all values, and so plan anew each time.
    pub(super) fn page(&self, columns: &str, join: &str, size: usize) -> Statement {
        let limit = size + 1;
        if let Some(sql) = self.whole(columns, join, limit) {
            return (sql, self.values.clone());
        }
        let rest = if self.rest.is_empty() { "1 = 1" } else { &self.rest.join(" AND ") };
        let sql = format!(
            "SELECT {columns} FROM ({}) AS k JOIN {join} = k.key WHERE {rest} ORDER BY k.key {} LIMIT {limit}",
            self.union(&self.budget(size).to_string()),
            self.order
        );
        (sql, self.values.clone())
    }

    /// The statement of a page of the whole table: no row has to be looked up by a key that was read before.
    fn whole(&self, columns: &str, join: &str, limit: usize) -> Option<String> {
        let [Way { from, key, when }] = &*self.ways else { return None };
        let table = from.strip_suffix(" d")?;
        let key = key.replace("d.", "j.");
        if when != EVERY || !self.rest.is_empty() || join != format!("{table} j ON {key}") {
            return None;
        }
        let columns = columns.replace("k.key", &format!("{key} AS key"));
        let (range, order) = (self.range.replace("{key}", &key), self.order);
        Some(format!(
            "SELECT {columns} FROM {table} j WHERE {range} ORDER BY {key} {order} LIMIT {limit}"
        ))
    }

    /// The last key that such a page examines; no row if it examines all there are. Nothing if it examines no other rows
    /// than it gives.
    pub(super) fn boundary(&self, size: usize) -> Option<Statement> {
        if self.rest.is_empty() {
            return None;
        }
        let last = self.budget(size) - 1;
        let (first, order) = (self.union(&format!("1 OFFSET {last}")), self.order);
        // Of several ways the one that got less far.
        let sql = format!("SELECT key FROM ({first}) AS k ORDER BY key {order} LIMIT 1");
        Some((sql, self.values.clone()))
    }

    /// The statements of single ways, for a look at their plans.
    #[cfg(all(test, feature = "testing", feature = "sqlite", feature = "postgres"))]
    pub(super) fn each(&self) -> Vec<Statement> {
        let alone = |way| {
            let sql = self.keys(way, "10");
            // PostgreSQL takes no values behind the last that is used.
            let used = (1..=self.values.len()).rfind(|at| sql.contains(&format!("${at}")));
            (sql, self.values.iter().take(used.unwrap_or(0)).cloned().collect())
        };
        (0..self.ways.len()).map(alone).collect()
    }
}
