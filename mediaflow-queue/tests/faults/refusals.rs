//! Receivers answer 401, 404 and 429 for an hour, as during a deploy of their own, and then 200.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::testing::ManualClock;
use mediaflow_core::{EventKind, Mediaflow};
use mediaflow_notify::Webhook;

use super::receiver::Receiver;
use super::work::{Toil, copy};
use super::world::World;
use super::{Backing, eventually, figure};

const LIMIT: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// Channel, path, and how often its failure is told: a receiver that refuses our credentials at once, and one that only
/// asks for patience not before something is lost.
const BAD: [(&str, &str, usize); 4] = [
    ("mixed", "/status/401,404,429", 1),
    ("refused", "/status/401", 1),
    ("missing", "/status/404", 0),
    ("throttled", "/status/429", 0),
];

pub(super) async fn run(backing: Backing) {
    let world = World::new(backing, Duration::from_secs(12)).await;
    let (receiver, clock) = (Receiver::start(0), ManualClock::new());
    let media = start(&world, &receiver, &clock).await;
    receiver.misbehave(100);
    let mut jobs = 0;
    for _ in 0..60 {
        step(&media, &receiver, &mut jobs).await;
        clock.advance(MINUTE);
    }
    let refused = receiver.heard().iter().filter(|heard| !heard.accepted).count();
    assert!(refused > 0, "the receivers have refused something");
    receiver.misbehave(0);
    // The schedule and the breakers decide when they are tried again, before a message's time to live is over.
    let mut hours = 0;
    while is_something_left(&world).await {
        hours += 1;
        assert!(hours < 72, "something is left to send after three days");
        for _ in 0..6 {
            clock.advance(10 * MINUTE);
            step(&media, &receiver, &mut jobs).await;
        }
    }
    let find = "SELECT id FROM mediaflow_events WHERE kind = 'job.completed'";
    let ended: BTreeSet<_> = world.look.texts(find).await.into_iter().collect();
    assert_eq!(ended.len(), jobs);
    let failed = "SELECT body FROM mediaflow_events WHERE kind = 'delivery.failed'";
    let failed = world.look.texts(failed).await;
    for (name, path, told) in BAD {
        let heard =
            receiver.heard().into_iter().filter(|heard| heard.accepted && heard.path == path);
        let heard: BTreeSet<_> = heard.map(|heard| heard.id).collect();
        let lost = ended.difference(&heard).count();
        let tells = failed.iter().filter(|body| body.contains(&format!("\"{name}\""))).count();
        figure(&format!("refusals.{name}.lost"), backing, lost, "0");
        figure(&format!("refusals.{name}.told_of_failure"), backing, tells, &told.to_string());
        assert_eq!((lost, tells), (0, told), "{name}: {failed:?}");
    }
    let dead = world.look.count("mediaflow_messages WHERE state <> 'delivered'").await;
    assert_eq!(dead, 0, "nothing was given up");
    println!(
        "refusals.{}: {jobs} jobs, {refused} requests refused in an hour, all arrived {hours} hours later",
        backing.name()
    );
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Whether a message waits for longer than it takes to write down what has just arrived.
async fn is_something_left(world: &World) -> bool {
    let left = "mediaflow_messages WHERE state IN ('pending', 'sending')";
    let none = async {
        while world.look.count(left).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), none).await.is_err()
}

/// One job more, told to the healthy receiver: whatever was due before has had its turn.
async fn step(media: &Mediaflow, receiver: &Receiver, jobs: &mut usize) {
    *jobs += 1;
    media.submit(copy(&format!("told-{jobs}"))).await.unwrap();
    eventually("arrival at the healthy receiver", LIMIT, async || {
        let heard = receiver.heard();
        let healthy: BTreeSet<_> =
            heard.iter().filter(|heard| heard.path == "/healthy").map(|heard| &heard.id).collect();
        (healthy.len() >= *jobs).then_some(())
    })
    .await;
}

async fn start(world: &World, receiver: &Receiver, clock: &ManualClock) -> Mediaflow {
    let hook = |name: &str, path: &str| {
        Webhook::to(format!("http://{}{path}", receiver.address))
            .name(name)
            .sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .on([EventKind::JobCompleted])
            .allow_private(&receiver.address.to_string())
    };
    let builder = Mediaflow::builder()
        .engine(world.setup.queue())
        .clock(Arc::new(clock.clone()))
        .with(|registry| {
            registry.operation::<Toil>();
        })
        .storage("out", &format!("file://{}", world.folder().join("out").display()))
        .notify(hook("healthy", "/healthy"));
    let all =
        BAD.into_iter().fold(builder, |builder, (name, path, _)| builder.notify(hook(name, path)));
    all.start().await.unwrap()
}
