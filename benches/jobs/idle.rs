//! What a worker costs that has nothing to do: processor time of its process, and of the server's processes beside it.

use std::time::{Duration, Instant};

use super::child::Child;
use super::report::{Goal, Report};
use super::site::Site;
use super::{Result, cpu, host, soon, step};

/// What comes with the start, such as the first election of a leader, is not counted.
const SETTLES: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(20);

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let mut child = Child::start(&place).await?;
    // It has worked before, as every worker has.
    let submitter = host::submitter(&place).await?;
    let job = submitter.submit(step::job(step::number())?).await?;
    soon("the end of a job", job.done()).await??;
    host::stop(submitter).await?;

    tokio::time::sleep(SETTLES).await;
    let (begin, before, server_before) = (Instant::now(), child.cpu().await?, cpu::server(site)?);
    tokio::time::sleep(WATCHED).await;
    let (used, server_used) = (child.cpu().await? - before, cpu::server(site)? - server_before);
    let share = |millis: f64| millis / begin.elapsed().as_secs_f64() / 10.0;

    let note = match site {
        Site::Sqlite { .. } => "of one core".to_owned(),
        Site::Postgres(_) => format!("of one core; the server {:.1} %", share(server_used)),
    };
    report.figure(site, "idle", share(used), "%", Goal::AtMost(1.0), &note);
    child.kill().await
}
