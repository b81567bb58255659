use super::*;
use crate::testing::{ManualClock, soon};

const HOUR: Duration = Duration::from_secs(3600);

fn context(clock: &ManualClock, limits: Limits) -> RunContext {
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let builder = RunContext::builder(CpuPool::new(1), scratch).limits(limits);
    builder.clock(Arc::new(clock.clone())).build(None)
}

#[tokio::test]
async fn a_clock_that_is_set_fails_nothing() {
    let clock = ManualClock::new();
    let cx = context(&clock, Limits { deadline: HOUR, ..Limits::default() });
    for moment in [clock.now().plus(1000 * HOUR), Timestamp::from_millis(0)] {
        clock.set(moment);
        assert_eq!(cx.time_left(), HOUR);
        cx.check().unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(20), cx.stopped()).await;
        assert!(waiting.is_err(), "{waiting:?}");
    }
    clock.advance(HOUR);
    assert_eq!(cx.check().unwrap_err().code(), "job.deadline");
    assert_eq!(soon("end", cx.stopped()).await.code(), "job.deadline");
}

#[tokio::test]
async fn a_step_that_checks_is_not_stuck_and_one_that_waits_for_a_core_is_not_either() {
    let clock = ManualClock::new();
    let minute = Duration::from_secs(60);
    let cx = context(&clock, Limits { stall_time: minute, ..Limits::default() });
    let step = cx.of_group("");
    let mut stalled = std::pin::pin!(step.stalled());
    let mut is_stuck = async || {
        let waiting = tokio::time::timeout(Duration::from_millis(20), &mut stalled).await;
        waiting.ok().map(|error| error.code().to_owned())
    };
    assert_eq!(is_stuck().await, None);
    for _ in 0..5 {
        clock.advance(minute / 2);
        step.check().unwrap();
        assert_eq!(is_stuck().await, None);
    }
    {
        let _waits = step.signs.waits();
        clock.advance(10 * minute);
        assert_eq!(is_stuck().await, None);
    }
    clock.advance(minute);
    assert_eq!(is_stuck().await.as_deref(), Some("step.stalled"));
    assert_eq!(step.check().unwrap_err().code(), "step.stalled");
    assert!(step.cancellation().is_cancelled());
    cx.check().unwrap();
}
