//! A thousand addresses on one dead host, beside a healthy receiver, which must not notice.

use std::time::Duration;

use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::{EventKind, Mediaflow, Timestamp};
use mediaflow_notify::Webhook;

use super::receiver::Receiver;
use super::receivers::{arrivals, last_event, load, p99, within};
use super::work::{Toil, copy};
use super::world::World;
use super::{Backing, eventually, figure, thorough};

const ADDRESSES: usize = 1000;
const LIMIT: Duration = Duration::from_secs(60);

/// Those that open the breaker, those that were under way, and some probes.
const MOST: usize = 40;

pub(super) async fn run(backing: Backing) {
    let (world, twin) = (
        World::new(backing, Duration::from_secs(12)).await,
        World::new(backing, Duration::from_secs(12)).await,
    );
    let (healthy, dead) = (Receiver::start(0), Receiver::start(1));
    dead.misbehave(100);
    let media = start(&world, &healthy, &dead).await;
    // The same at the same time without the dead host: whatever else the machine does, it does to both.
    let undisturbed = Receiver::start(2);
    let other = start(&twin, &undisturbed, &dead).await;
    let more = if thorough() { 200 } else { 30 };
    for (media, world) in [(&media, &world), (&other, &twin)] {
        load(media, &mut 0, 5).await;
        told(world).await;
    }
    doom(&media, &dead).await;
    told(&world).await;

    let (since, begun) = (last_event(&world).await, last_event(&twin).await);
    tokio::join!(
        async {
            load(&media, &mut 5, more).await;
            told(&world).await;
        },
        async {
            load(&other, &mut 5, more).await;
            told(&twin).await;
        }
    );
    let storm = arrivals(&world, &healthy, since).await;
    let calm = arrivals(&twin, &undisturbed, begun).await;

    let attempts = dead.heard().len();
    let waiting = "mediaflow_messages WHERE channel = 'calls' AND state IN ('pending', 'sending')";
    let waiting = world.look.count(waiting).await;
    let lost =
        world.look.count("mediaflow_messages WHERE channel = 'healthy' AND state <> 'delivered'");
    let lost = lost.await;
    let ratio = format!("{:.2}", p99(&storm) as f64 / p99(&calm).max(1) as f64);
    figure("dead_host.addresses", backing, ADDRESSES, "1000");
    figure("dead_host.attempts", backing, attempts, &format!("<= {MOST}"));
    figure("dead_host.messages_that_wait", backing, waiting, "1000, none given up");
    figure("dead_host.healthy_lost", backing, lost, "0");
    figure("dead_host.healthy_p99_ms_undisturbed", backing, p99(&calm), "any");
    figure("dead_host.healthy_p99_ms_disturbed", backing, p99(&storm), "any");
    figure("dead_host.healthy_p99_ratio", backing, ratio, "<= 1.2");
    assert_eq!((waiting, lost), (ADDRESSES, 0));
    assert!((1..=MOST).contains(&attempts), "{attempts} attempts at a dead host");
    assert!(within(&calm, &storm, 1.2), "{calm:?}\n{storm:?}");
    for media in [media, other] {
        media.shutdown(Duration::from_secs(5)).await.unwrap();
    }
}

/// Jobs that never run, each to be told at an address of its own on the dead host.
async fn doom(media: &Mediaflow, dead: &Receiver) {
    let never = Timestamp::from(std::time::SystemTime::now()).plus(Duration::from_secs(86_400));
    for first in (0..ADDRESSES).step_by(100) {
        let jobs = (first..first + 100).map(|n| {
            let to = format!("http://{}/resets?job={n}", dead.address);
            copy("never").with_options(JobOptions::new().notify("calls", to).run_at(never))
        });
        media.eager(jobs).await.unwrap();
    }
}

/// Waits until all events are routed, and the healthy receiver has all that is for it.
async fn told(world: &World) {
    let left = "mediaflow_messages WHERE channel = 'healthy' AND state <> 'delivered'";
    let open = "mediaflow_jobs WHERE ended_at IS NULL AND spec NOT LIKE '%never%'";
    eventually("arrival of all", LIMIT, async || {
        let left = world.look.count(open).await
            + world.look.count("mediaflow_unrouted").await
            + world.look.count(left).await;
        (left == 0).then_some(())
    })
    .await;
}

async fn start(world: &World, healthy: &Receiver, dead: &Receiver) -> Mediaflow {
    let healthy = Webhook::to(format!("http://{}/healthy", healthy.address))
        .name("healthy")
        .on([EventKind::JobStarted, EventKind::OutputReady, EventKind::JobCompleted])
        .allow_private(&healthy.address.to_string());
    let calls = Webhook::per_job()
        .name("calls")
        .on([EventKind::JobCreated])
        .allow_private(&dead.address.to_string())
        .timeout(Duration::from_millis(300));
    Mediaflow::builder()
        .engine(world.setup.queue())
        .with(|registry| {
            registry.operation::<Toil>();
        })
        .storage("out", &format!("file://{}", world.folder().join("out").display()))
        .notify(healthy.sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        .notify(calls.sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        .delivery(DeliveryPolicy {
            schedule: vec![Duration::from_millis(100); 50],
            breaker_pause: Duration::from_millis(200),
            ..DeliveryPolicy::default()
        })
        .start()
        .await
        .unwrap()
}
