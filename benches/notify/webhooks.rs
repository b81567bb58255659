//! Signed webhooks to a receiver on the loopback, one after the other in each of many places.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mediaflow::notifiers::webhook::WebhookNotifier;
use mediaflow::notify::{DeliveryContext, Message};
use mediaflow::prelude::*;
use mediaflow::{Clock as _, EventId, MessageId, SystemClock};
use tokio::task::JoinSet;

use super::real::Told;
use super::report::{Goal, Report, median, range};
use super::sink::{Arrival, Manner, Request, Sink};
use super::{Result, SECRET, cpu};

/// Messages under way at the same time.
const IN_FLIGHT: usize = 64;
/// Messages of one round.
const MESSAGES: usize = 40_000;
/// Of so many requests one is verified.
const VERIFIED: usize = 100;

pub(crate) async fn measure(told: &[Told], rounds: usize, report: &mut Report) -> Result<()> {
    let told = told.last().ok_or("nothing is told")?;
    let sink = Sink::start(1, Manner::Answers(VERIFIED))?;
    let hook = Webhook::to(sink.url()).sign(SECRET);
    let hook = Arc::new(hook.allow_private(&sink.addresses[0].to_string()).build()?);
    let (mut rates, mut costs, mut of_sink) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (begin, before, sink_before) = (Instant::now(), cpu::here(), sink.cpu());
        let sent = send(&hook, &told.event).await?;
        let took = begin.elapsed().as_secs_f64();
        let (used, sink_used) = (cpu::here() - before, sink.cpu() - sink_before);
        let (arrivals, requests) = sink.take();
        once(&sent, &arrivals)?;
        verified(&requests, MESSAGES / VERIFIED)?;
        // The first one warms up.
        if round > 0 {
            let each = |millis: f64| millis * 1e3 / MESSAGES as f64;
            rates.push(MESSAGES as f64 / took);
            costs.push(each(used - sink_used));
            of_sink.push(each(sink_used));
        }
    }
    let note = format!(
        "{IN_FLIGHT} in flight, {} bytes, none lost; {:.0} us CPU each, and {:.0} us of the sink on the same cores; {}",
        told.body.len(),
        median(&costs),
        median(&of_sink),
        range(&rates)
    );
    report.of_process("webhooks", median(&rates), "messages/s", Goal::AtLeast(10_000.0), &note);
    Ok(())
}

/// Sends messages of the same content, each with a name of its own. Gives these.
async fn send(hook: &Arc<WebhookNotifier>, event: &Event) -> Result<Vec<MessageId>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut places = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (hook, event, next) = (Arc::clone(hook), event.clone(), Arc::clone(&next));
        places.spawn(async move {
            let (clock, mut sent) = (SystemClock::default(), Vec::new());
            while next.fetch_add(1, Ordering::Relaxed) < MESSAGES {
                let mut event = event.clone();
                event.id = EventId::new();
                let message = Message::of(event);
                hook.notify(&message, &DeliveryContext::first(clock.now())).await?;
                sent.push(message.id);
            }
            Ok::<_, NotifyError>(sent)
        });
    }
    let mut sent = Vec::with_capacity(MESSAGES);
    while let Some(place) = places.join_next().await {
        sent.extend(place??);
    }
    Ok(sent)
}

/// Whether what was sent has come, once, and nothing else.
pub(crate) fn once(sent: &[MessageId], arrivals: &[Arrival]) -> Result<()> {
    let came: HashSet<_> = arrivals.iter().map(|arrival| arrival.id).collect();
    let lost = sent.iter().filter(|id| !came.contains(id)).count();
    let twice = arrivals.len() - came.len();
    if lost > 0 || twice > 0 || came.len() != sent.len() {
        return Err(format!(
            "of {} messages {lost} were lost, and {twice} of {} came again",
            sent.len(),
            arrivals.len()
        )
        .into());
    }
    Ok(())
}

/// Whether so many requests were kept, and are signed as they should be.
pub(crate) fn verified(requests: &[Request], least: usize) -> Result<()> {
    if requests.len() < least {
        return Err(format!("only {} requests were kept to be verified", requests.len()).into());
    }
    requests.iter().try_for_each(|request| request.verify(SECRET))
}
