//! Works of one plan that do not need one another run on several threads, and give what they give on one.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mediaflow_core::backend::{Backend as _, Group};
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Media, Scratch};
use mediaflow_core::ops::{Blur, Negate, Resize, Rotate, Sharpen};
use mediaflow_core::plan::Demand;
use mediaflow_core::{AnyOperation, Clock, CpuPool, Inputs, RunContext, Timestamp, async_trait};
use mediaflow_image::{ImageBackend, Jpeg, Png, Webp};

use crate::support::{bytes, noise};

/// A clock at which threads of pixel work meet: one that has read it often waits there for a second one.
#[derive(Debug, Default)]
struct Meeting {
    seen: Mutex<(BTreeSet<String>, usize)>,
    changed: Condvar,
}

impl Meeting {
    fn threads(&self) -> usize {
        self.seen.lock().unwrap().0.len()
    }
}

#[async_trait]
impl Clock for Meeting {
    fn now(&self) -> Timestamp {
        if thread::current().name() == Some("mediaflow-cpu") {
            let mut seen = self.seen.lock().unwrap();
            seen.0.insert(name(thread::current().id()));
            seen.1 += 1;
            self.changed.notify_all();
            if seen.1 > 40 {
                let alone = |seen: &mut (BTreeSet<String>, usize)| seen.0.len() < 2;
                let long = Duration::from_secs(20);
                drop(self.changed.wait_timeout_while(seen, long, alone).unwrap());
            }
        }
        Timestamp::from_millis(0)
    }

    async fn sleep_until(&self, _when: Timestamp) {
        std::future::pending::<()>().await;
    }
}

fn name(id: ThreadId) -> String {
    format!("{id:?}")
}

/// Two pictures, and several works on each.
fn group(cx: &RunContext) -> (Group, Inputs) {
    let (one, other) = (noise(300, 900, 3), noise(500, 400, 4));
    let mut group = Group::new(cx.limits().clone())
        .with_input("one", Media::from(one.clone()).info(), Demand::FULL)
        .with_input("other", Media::from(other.clone()).info(), Demand::FULL);
    let steps = [
        ("blur", AnyOperation::new(Blur::by(3.0)), "one"),
        ("sharpen", AnyOperation::new(Sharpen::default()), "other"),
        ("rotate", AnyOperation::new(Rotate::by(20.0)), "one"),
        ("small", AnyOperation::new(Resize::new(200, 200, Fit::Inside)), "one"),
        ("tiny", AnyOperation::new(Resize::new(60, 60, Fit::Inside)), "one"),
        ("negate", AnyOperation::new(Negate::default()), "other"),
        ("blur.jpg", AnyOperation::new(Jpeg::quality(80)), "blur"),
        ("sharpen.png", AnyOperation::new(Png::new()), "sharpen"),
        ("rotate.webp", AnyOperation::new(Webp::quality(60)), "rotate"),
        ("small.jpg", AnyOperation::new(Jpeg::quality(60)), "small"),
        ("tiny.jpg", AnyOperation::new(Jpeg::quality(60)), "tiny"),
        ("negate.png", AnyOperation::new(Png::new()), "negate"),
        ("same.png", AnyOperation::new(Png::new()), "other"),
    ];
    for (name, op, from) in steps {
        group = group.with_step(name, op, &[from]).unwrap();
        if name.contains('.') {
            group = group.with_exit(name);
        }
    }
    (group, Inputs::new().and("one", one).and("other", other))
}

async fn files(places: usize, clock: Option<Arc<Meeting>>) -> Vec<Vec<u8>> {
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let builder = RunContext::builder(CpuPool::new(places), scratch);
    let cx = match clock {
        Some(clock) => builder.clock(clock),
        None => builder,
    };
    let cx = cx.build(None);
    let (group, inputs) = group(&cx);
    let exits = group.exits.clone();
    let plan = ImageBackend::new().plan(&group).unwrap();
    let mut made = plan.run(inputs, &cx).await.unwrap().into_outputs().unwrap();
    exits.iter().map(|exit| bytes(&made.take(exit).unwrap().into_file().unwrap())).collect()
}

#[tokio::test]
async fn works_run_on_as_many_threads_as_there_are_places() {
    let meeting = Arc::new(Meeting::default());
    let two = files(2, Some(Arc::clone(&meeting))).await;
    assert_eq!(meeting.threads(), 2, "one has waited for another in vain");
    assert_eq!(two, files(1, None).await);
}

#[tokio::test]
async fn many_threads_give_what_one_gives() {
    let alone = files(1, None).await;
    for _ in 0..8 {
        assert_eq!(files(5, None).await, alone);
    }
}
