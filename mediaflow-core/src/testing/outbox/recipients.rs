use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;

use super::{Host, SECOND, created};
use crate::engine::Engine;
use crate::event::{Event, EventKind};
use crate::notify::{Recipient, Recipients};
use crate::testing::Act;
use crate::{CancellationToken, Error, Result};

/// Finds nobody at first, in two ways, and then one person more than is configured.
#[derive(Debug)]
struct Directory(AtomicU32);

#[async_trait]
impl Recipients for Directory {
    async fn find(&self, event: &Event, mut found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        if event.kind != EventKind::JobCreated {
            return Ok(found);
        }
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Error::transient("directory.away", "the directory is away")),
            1 => panic!("the directory panics on demand"),
            _ => {
                found.push(Recipient::new("hooks").to("looked/up"));
                Ok(found)
            }
        }
    }
}

pub(super) async fn recipients_are_found_and_found_again<E: Engine>(host: Host<E>) {
    let directory = Directory(AtomicU32::new(0));
    let running = host.start_with(created(), |builder| builder.recipients(directory)).await;
    running.tell("a").await;
    let told = running.until("looked/up", 1, 5 * SECOND).await;
    running.hooks.told(2).await;
    assert_eq!(running.hooks.of("a")[0].event.id, told[0].event.id);
    running.done().await;
}

/// Finds nobody, of whatever, until it is told to.
#[derive(Clone, Debug, Default)]
struct Away(Arc<AtomicBool>);

#[async_trait]
impl Recipients for Away {
    async fn find(&self, _event: &Event, found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        if self.0.load(Ordering::Relaxed) {
            return Ok(found);
        }
        Err(Error::transient("directory.away", "the directory is away"))
    }
}

pub(super) async fn recipients_that_are_never_found_are_told_of_once<E: Engine>(mut host: Host<E>) {
    host.policy.time_to_live = 300 * SECOND;
    let away = Away::default();
    let directory = away.clone();
    let running = host.start_with(created(), |builder| builder.recipients(directory)).await;
    let first = running.tell("a").await;
    running.tell("b").await;
    let told = running.until("a", 1, 5 * SECOND).await.remove(0);
    assert!(told.at.since(told.event.time) >= 300 * SECOND, "the configured ones are told late");
    running.until("b", 1, 5 * SECOND).await;
    let failure = running.failures(1).await.remove(0);
    assert_eq!((&*failure.channel, failure.dead), ("", 1));
    assert!(failure.reason.contains("the directory is away"), "{failure:?}");
    let of = running.ops.told(1).await.remove(0);
    assert!(of.event.job == Some(first) || running.hooks.of("b").len() == 1, "{of:?}");
    // They are found again, and lost again.
    away.0.store(true, Ordering::Relaxed);
    running.tell("c").await;
    running.until("c", 1, SECOND).await;
    away.0.store(false, Ordering::Relaxed);
    running.tell("d").await;
    running.until("d", 1, 5 * SECOND).await;
    assert_eq!(running.failures(2).await.len(), 2);
    running.done().await;
}

/// Finds an address that its channel does not take.
#[derive(Debug)]
struct Wrong;

#[async_trait]
impl Recipients for Wrong {
    async fn find(&self, event: &Event, mut found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        if event.kind == EventKind::JobCreated {
            found.push(Recipient::new("hooks").to("refused/secret-7"));
        }
        Ok(found)
    }
}

pub(super) async fn a_recipient_that_its_channel_refuses_is_told_of<E: Engine>(host: Host<E>) {
    let running = host.start_with(created(), |builder| builder.recipients(Wrong)).await;
    running.tell("a").await;
    let failure = running.failures(1).await.remove(0);
    assert_eq!((failure.channel.as_str(), failure.dead, failure.attempts), ("hooks", 1, 0));
    assert_eq!(failure.reason, "`[REDACTED]` is no address");
    running.hooks.told(1).await;
    running.done().await;
}

/// Does not find the addresses below `stuck`, until it is told to.
#[derive(Debug)]
struct Stuck(CancellationToken);

#[async_trait]
impl Recipients for Stuck {
    async fn find(&self, _event: &Event, found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        let to = |recipient: &Recipient| recipient.to.clone().unwrap_or_default();
        if found.iter().any(|recipient| to(recipient).starts_with("stuck")) {
            self.0.cancelled().await;
        }
        Ok(found)
    }
}

pub(super) async fn a_directory_that_does_not_answer_holds_up_nobody_else<E: Engine>(
    host: Host<E>,
) {
    let answers = CancellationToken::new();
    let stuck = Stuck(answers.clone());
    let running = host.start_with(created(), |builder| builder.recipients(stuck)).await;
    for number in 0..8 {
        running.tell(&format!("stuck/{number}")).await;
    }
    running.tell("a").await;
    let told = running.hooks.told(1).await.remove(0);
    assert_eq!(told.to, "a");
    answers.cancel();
    for number in 0..8 {
        running.until(&format!("stuck/{number}"), 1, 5 * SECOND).await;
    }
    running.done().await;
}

/// Puts everything that it tells into one thread.
#[derive(Debug)]
struct Threads;

#[async_trait]
impl Recipients for Threads {
    async fn find(&self, _event: &Event, found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        Ok(found.into_iter().map(|recipient| recipient.thread("upload-7")).collect())
    }
}

pub(super) async fn a_thread_goes_on<E: Engine>(mut host: Host<E>) {
    // The next message goes when the one before it is written down.
    host.policy.concurrency = 1;
    let running = host.start_with(created(), |builder| builder.recipients(Threads)).await;
    running.hooks.next("a", [Act::Name("ts-1"), Act::Name("ts-2")]);
    let mut names = Vec::new();
    for number in 1..=3 {
        running.tell("a").await;
        let told = running.hooks.told(number).await.remove(number - 1);
        names.push(told.message.thread.and_then(|thread| thread.provider_id));
    }
    let names: Vec<_> = names.iter().map(|name| name.as_deref()).collect();
    assert_eq!(names, [None, Some("ts-1"), Some("ts-2")]);
    running.done().await;
}

pub(super) async fn a_notifier_that_panics_over_an_event_is_asked_again<E: Engine>(host: Host<E>) {
    let running = host.start(created()).await;
    running.hooks.panic_when_asked();
    running.tell("a").await;
    running.tell("b").await;
    running.until("a", 1, 5 * SECOND).await;
    running.until("b", 1, 5 * SECOND).await;
    running.done().await;
}
