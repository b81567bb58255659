use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use super::ready::priority;
use crate::db::{AssemblyTask, JobTask, NewTask, PartTask, Tx, missing, values};
use crate::process::Process;

/// Queues again what of a job waits without River's knowing of it: its row was deleted, or is in another schema. Gives
/// false if nothing does, any more.
pub(crate) async fn queue_again(process: &Process, job: JobId) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT river, class, spec, priority, due, parts_left FROM mediaflow_jobs
         WHERE id = $1 AND ended_at IS NULL AND worker IS NULL AND parked IS NULL AND held IS NULL AND (parts_left > 0 OR {})",
        missing(&process.db, "mediaflow_jobs")
    );
    let Some(row) = tx.row(AssertSqlSafe(find), values![job]).await? else { return Ok(false) };
    let class = row.text("class")?;
    let priority = priority(&row)?;
    let queued = match row.opt_int("parts_left")? {
        Some(1..) => parts(process, &mut tx, job, &class, priority).await?,
        left => {
            let task = if left.is_some() {
                NewTask::new(&AssemblyTask { job }, &class, priority)?
            } else {
                let due = Some(row.time("due")?).filter(|due| *due > process.now());
                NewTask::new(&JobTask { job }, &class, priority)?.scheduled_at(due)
            };
            let river = tx.enqueue(&process.db, task).await?;
            // Nobody has the job: it waits, unless only its parts have to be put together.
            let follow = "UPDATE mediaflow_jobs SET river = $3,
                   state = CASE WHEN parts_left IS NULL THEN 'queued' ELSE state END
                 WHERE id = $1 AND river = $2 AND ended_at IS NULL AND worker IS NULL";
            tx.run(follow, values![job, row.int("river")?, river]).await?
        }
    };
    if queued == 0 {
        return Ok(false);
    }
    transaction.commit().await?;
    process.queued(&class, usize::try_from(queued).unwrap_or(usize::MAX));
    Ok(true)
}

/// Queues the parts that River does not know. Gives their number.
async fn parts(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    job: JobId,
    class: &str,
    priority: i16,
) -> Result<u64> {
    let find = format!(
        "SELECT number, river FROM mediaflow_parts WHERE job = $1 AND state = 'queued' AND {}",
        missing(&process.db, "mediaflow_parts")
    );
    let mut queued = 0;
    for row in tx.rows(AssertSqlSafe(find), values![job]).await? {
        let number = row.int("number")?;
        let part = u32::try_from(number).unwrap_or_default();
        let task = NewTask::new(&PartTask { job, part }, class, priority)?;
        let river = tx.enqueue(&process.db, task).await?;
        let follow = "UPDATE mediaflow_parts SET river = $4
             WHERE job = $1 AND number = $2 AND river = $3 AND state = 'queued'";
        queued += tx.run(follow, values![job, number, row.int("river")?, river]).await?;
    }
    Ok(queued)
}
