/// A table `found (value)` of the values of a column, in order, at the head of a query. It steps from one value to the next
/// along the column's index: how many rows have a value does not matter. The last value is NULL.
///
/// `condition` is that of the index; `TRUE` for one of the whole table. PostgreSQL knows no such scan of its own.
pub(crate) fn distinct(table: &str, column: &str, condition: &str) -> String {
    format!(
        "WITH RECURSIVE found (value) AS (
             SELECT (SELECT min({column}) FROM {table} WHERE {condition})
             UNION ALL
             SELECT (SELECT min({column}) FROM {table} WHERE {condition} AND {column} > found.value)
             FROM found WHERE found.value IS NOT NULL
         )"
    )
}
