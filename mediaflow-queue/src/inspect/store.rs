use mediaflow_core::inspect::Cursor;
use mediaflow_core::{Error, Result, codes};

use crate::db::values;
use crate::process::Process;

const FIND: &str = "SELECT value FROM mediaflow_facts WHERE name = 'store'";

/// The name of this database among all that there are: a copy of it has the same.
pub(super) async fn store(process: &Process) -> Result<&str> {
    let name = process.store.get_or_try_init(|| async {
        if let Some(row) = process.db.row(FIND, &[]).await? {
            return row.text("value");
        }
        let name = "INSERT INTO mediaflow_facts (name, value) VALUES ('store', $1) ON CONFLICT (name) DO NOTHING";
        process.db.run(name, values![Cursor::new_store()]).await?;
        let row = process.db.row(FIND, &[]).await?;
        row.ok_or_else(|| Error::internal(codes::QUEUE_STORE, "the database has no name"))?.text("value")
    });
    name.await.map(String::as_str)
}
