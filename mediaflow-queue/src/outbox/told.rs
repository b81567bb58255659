//! Of whom it was told that something for them was lost, and for whom nothing has arrived since: it is told once.

use std::collections::{BTreeMap, BTreeSet};

use mediaflow_core::{Result, Timestamp};
use sqlx::AssertSqlSafe;

use crate::db::{Tx, Value, places, values};
use crate::process::Process;

/// Recipients by their destinations, as far as a transaction has to do with them.
#[derive(Debug, Default)]
pub(super) struct Told {
    before: BTreeSet<(String, String)>,
    now: BTreeMap<String, BTreeSet<String>>,
}

/// How many recipients one statement names.
const TOGETHER: usize = 64;

impl Told {
    /// Those of these recipients, each with its destination, of whom it was told. Others can not write them until the end of
    /// the transaction.
    pub(super) async fn read(
        process: &Process,
        tx: &mut Tx<'_, '_>,
        recipients: &BTreeSet<(String, &str)>,
    ) -> Result<Self> {
        let mut told = Self::default();
        let names: Vec<_> = recipients
            .iter()
            .flat_map(|(destination, recipient)| [Value::from(destination), (*recipient).into()])
            .collect();
        for names in names.chunks(2 * TOGETHER) {
            let find = format!(
                "SELECT destination, recipient FROM mediaflow_told WHERE (destination, recipient) IN (VALUES {})
                 ORDER BY destination, recipient{}",
                places(names.len() / 2, 2),
                process.db.for_update()
            );
            for row in tx.rows(AssertSqlSafe(find), names).await? {
                let (destination, recipient) = (row.text("destination")?, row.text("recipient")?);
                told.of(&destination).insert(recipient.clone());
                told.before.insert((destination, recipient));
            }
        }
        Ok(told)
    }

    /// Whether something was told of a destination.
    pub(super) fn is_of(&self, destination: &str) -> bool {
        self.now.contains_key(destination)
    }

    /// The recipients at a destination, to be changed.
    pub(super) fn of(&mut self, destination: &str) -> &mut BTreeSet<String> {
        self.now.entry(destination.to_owned()).or_default()
    }

    /// Writes what has changed.
    pub(super) async fn save(&self, tx: &mut Tx<'_, '_>, now: Timestamp) -> Result<()> {
        let mut told = BTreeSet::new();
        for (destination, recipients) in &self.now {
            told.extend(recipients.iter().map(|one| (destination.clone(), one.clone())));
        }
        for (destination, recipient) in self.before.difference(&told) {
            let forget = "DELETE FROM mediaflow_told WHERE destination = $1 AND recipient = $2";
            tx.run(forget, values![destination, recipient]).await?;
        }
        for (destination, recipient) in told.difference(&self.before) {
            let remember =
                "INSERT INTO mediaflow_told (destination, recipient, at) VALUES ($1, $2, $3)
                            ON CONFLICT (destination, recipient) DO NOTHING";
            tx.run(remember, values![destination, recipient, now]).await?;
        }
        Ok(())
    }
}
