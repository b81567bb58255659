use std::time::Duration;

use super::super::soon;
use super::host::{Host, spec};
use crate::report::JobState;
use crate::schedule::Cron;
use crate::{JobId, Timestamp};

/// Waits until a schedule has submitted another job than this one.
async fn ran(host: &Host, name: &str, before: Option<JobId>) -> (Timestamp, JobId) {
    let looking = async {
        loop {
            let all = host.media.schedules().await.expect("schedules");
            let found = all.iter().find(|known| known.schedule.name == name);
            match found.and_then(|known| known.last) {
                Some(last) if Some(last.1) != before => return last,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    soon("run of a schedule", looking).await
}

pub(super) async fn a_schedule_runs_by_the_clock(host: Host) {
    let mut copy = spec("often");
    copy.options.idempotency_key = Some("the host's own".to_owned());
    host.media.schedule("often", "* * * * * *", copy).await.expect("schedule");
    let yearly = Cron::new("0 3 1 1 *").and_then(|cron| cron.in_zone("Europe/Berlin"));
    host.media
        .schedule("yearly", yearly.expect("a time zone"), spec("yearly"))
        .await
        .expect("schedule");
    let (_, first) = ran(&host, "often", None).await;
    let (_, second) = ran(&host, "often", Some(first)).await;
    for job in [first, second] {
        let report = soon("end", host.media.handle(job).done()).await.expect("success");
        assert_eq!(report.state, JobState::Succeeded);
    }
    let all = host.media.schedules().await.expect("schedules");
    let names: Vec<_> = all.iter().map(|known| known.schedule.name.as_str()).collect();
    assert_eq!(names, ["often", "yearly"]);
    assert!(all[1].last.is_none() && all[1].next > all[0].next, "{all:?}");
    // Replaced by the same line it keeps its next time; by another one it does not.
    host.media
        .schedule("yearly", all[1].schedule.cron.clone(), spec("other"))
        .await
        .expect("schedule");
    let again = host.media.schedules().await.expect("schedules");
    assert_eq!((again.len(), again[1].next), (2, all[1].next));
    host.media.schedule("yearly", "@monthly", spec("yearly")).await.expect("schedule");
    let again = host.media.schedules().await.expect("schedules");
    assert!(again[1].next != all[1].next, "{again:?}");
    for name in ["often", "yearly"] {
        assert!(host.media.unschedule(name).await.expect("unschedule"), "{name} was there");
        assert!(!host.media.unschedule(name).await.expect("unschedule"), "{name} is gone");
    }
    for (name, cron, code) in
        [("a", "0 99 * * *", "schedule.cron"), ("", "@daily", "schedule.name")]
    {
        let refused = host.media.schedule(name, cron, spec("x")).await.expect_err("refused");
        assert_eq!(refused.code(), code);
    }
    assert!(host.media.schedules().await.expect("schedules").is_empty());
    host.done().await;
}
