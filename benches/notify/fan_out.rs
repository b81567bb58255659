//! One event told to many, in this process: signed for each with the secret of that one, and handed over.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use mediaflow::notifiers::webhook::standard::Signer;
use mediaflow::{Clock as _, MessageId, SystemClock};

use super::real::Told;
use super::report::{Goal, Report, median, range};
use super::sink::Request;
use super::{Result, cpu};

/// What is meant by two cores, however many there are.
const THREADS: usize = 2;
/// Recipients of each thread, and how many events each of them is told.
const RECIPIENTS: usize = 500;
const EVENTS: usize = 200;

/// What one recipient is told: all that a request needs.
#[derive(Debug)]
struct Notification {
    id: Arc<str>,
    timestamp: u64,
    signature: String,
    body: Arc<[u8]>,
}

/// Who is told, with what has been handed over.
struct Recipient {
    secret: String,
    signer: Signer,
    inbox: Vec<Notification>,
}

pub(crate) fn measure(told: &[Told], rounds: usize, report: &mut Report) -> Result<()> {
    let body = &told.last().ok_or("nothing is told")?.body;
    let now = SystemClock::default().now().seconds();
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let mut parts = (0..THREADS).map(recipients).collect::<Result<Vec<_>>>()?;
        let (begin, before) = (Instant::now(), cpu::here());
        std::thread::scope(|scope| {
            for part in &mut parts {
                scope.spawn(|| tell(part, body, now));
            }
        });
        let (took, used) = (begin.elapsed().as_secs_f64(), cpu::here() - before);
        parts.iter().flatten().try_for_each(|recipient| recipient.check(body))?;
        // The first one warms up.
        if round > 0 {
            let all = (THREADS * RECIPIENTS * EVENTS) as f64;
            rates.push(all / took);
            costs.push(used * 1e3 / all);
        }
    }
    let note = format!(
        "{} recipients with a secret each, {} bytes; {:.2} us CPU each; {}",
        THREADS * RECIPIENTS,
        body.len(),
        median(&costs),
        range(&rates)
    );
    let goal = Goal::AtLeast(100_000.0);
    report.of_process("sign-and-fan-out", median(&rates), "notifications/s", goal, &note);
    Ok(())
}

fn recipients(part: usize) -> Result<Vec<Recipient>> {
    let recipient = |number: usize| -> Result<Recipient> {
        let number = u64::try_from(part * RECIPIENTS + number)?;
        let key = std::array::from_fn::<_, 4, _>(|_| number.to_be_bytes());
        let secret = format!("whsec_{}", STANDARD.encode(key.as_flattened()));
        let signer = Signer::new(&secret)?;
        Ok(Recipient { secret, signer, inbox: Vec::with_capacity(EVENTS) })
    };
    (0..RECIPIENTS).map(recipient).collect()
}

fn tell(recipients: &mut [Recipient], body: &[u8], timestamp: u64) {
    for _ in 0..EVENTS {
        let id: Arc<str> = MessageId::new().to_string().into();
        let body: Arc<[u8]> = body.into();
        for recipient in &mut *recipients {
            let signature = recipient.signer.sign(&id, timestamp, &body);
            let (id, body) = (Arc::clone(&id), Arc::clone(&body));
            recipient.inbox.push(Notification { id, timestamp, signature, body });
        }
    }
}

impl Recipient {
    /// Everything is there once, and the last one is as the crate of Standard Webhooks wants it.
    fn check(&self, body: &[u8]) -> Result<()> {
        let mut ids: Vec<_> = self.inbox.iter().map(|told| &*told.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let last = self.inbox.last().filter(|_| ids.len() == EVENTS);
        let last = last.ok_or("a recipient was not told everything once")?;
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", last.id.parse()?);
        headers.insert("webhook-timestamp", last.timestamp.into());
        headers.insert("webhook-signature", last.signature.parse()?);
        if *last.body != *body {
            return Err("a recipient was told something else".into());
        }
        Request { headers, body: last.body.to_vec() }.verify(&self.secret)
    }
}
