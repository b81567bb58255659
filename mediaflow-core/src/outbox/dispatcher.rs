use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::attempt::{let_go, requests, send};
use super::pace::Pace;
use super::queues::{Policies, Queues, TOGETHER};
use super::refused::Refused;
use super::router::{Group, Routing, Unfound, route};
use super::{Attempted, ClaimRequest, Claimed, DestinationKey, Exchange, OutboxStore, Routed};
use crate::executor::Executor;
use crate::shutdown::Shutdown;
use crate::{Clock, Error, ErrorKind, Result, Timestamp};

/// How often what has run out is looked for.
const EXPIRE: Duration = Duration::from_secs(1);

/// How long outcomes wait for others that are written down with them, and places that have become free for more of them.
const COLLECT: Duration = Duration::from_millis(20);

/// How long an event waits whose messages the store refuses.
const LEFT_OUT: Duration = Duration::from_secs(60);

/// How long recipients are looked for that are not found at once when the process is to end.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How long giving back may take when the process has to end.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// The wait after the first failure of the store, which doubles up to the longest.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Routes and sends for one process until it is told to stop.
///
/// After `drain` no further events are to come: what is due and under way is finished; what is due later, can not be
/// sent now, or has recipients that are not found soon, stays in the store, if that outlives the process. `now` ends everything at once, and gives back what is under
/// way.
#[derive(Debug)]
pub struct Dispatcher {
    store: Arc<dyn OutboxStore>,
    executor: Executor,
    clock: Arc<dyn Clock>,
    channels: Vec<String>,
    policies: Policies,
    queues: Queues,
    /// How many messages a channel takes in one request, of those that take several.
    batches: HashMap<String, usize>,
    /// One task for each request.
    sending: JoinSet<Vec<Attempted>>,
    /// What has been sent and is not written down yet.
    done: Vec<Attempted>,
    /// Messages of both, each with its latest attempt.
    held: HashMap<i64, u32>,
    /// Messages that were sent and whose outcomes the store refused: their leases end.
    left_out: HashSet<i64>,
    /// Events that are being routed, one group after the other so that they stay in order.
    routing: Option<AbortOnDropHandle<Group>>,
    unfound: Unfound,
    /// What was routed and is not written down yet.
    routed: Vec<Routed>,
    /// There may be more events than were read last.
    more_events: bool,
    /// This process is to end, and another one can route what it does not.
    leaving: CancellationToken,
    /// Events are left to another one: recipients are found too slowly to wait for them.
    leaves_events: bool,
    /// When events are routed again whose recipients could not be found.
    route_at: Option<Timestamp>,
    /// An exchange has failed, and may have been stored all the same; or what was claimed is not sent.
    unsure: bool,
    /// An exchange was refused for what was in it: until all of that is through, one thing is written at a time.
    refused: Option<Refused>,
    exchanged_at: Instant,
    patient_until: Instant,
    pace: Pace,
}

impl Dispatcher {
    /// For the notifiers of this executor, over this store.
    #[must_use]
    pub fn new(store: Arc<dyn OutboxStore>, executor: Executor) -> Self {
        let channels: Vec<_> = executor.channels().map(str::to_owned).collect();
        let policy = |channel: &String| {
            let terms = executor.notifier(channel).ok()?.terms();
            Some((channel.clone(), (executor.delivery().under(&terms), terms.reports)))
        };
        let policies: HashMap<_, _> = channels.iter().filter_map(policy).collect();
        let batch = |channel: &String| {
            let batch = executor.notifier(channel).ok()?.terms().batch;
            (batch > 1).then(|| (channel.clone(), batch))
        };
        let batches = channels.iter().filter_map(batch).collect();
        Self {
            clock: store.clock(),
            store,
            executor,
            channels,
            policies,
            queues: Queues::default(),
            batches,
            sending: JoinSet::new(),
            done: Vec::new(),
            held: HashMap::new(),
            left_out: HashSet::new(),
            routing: None,
            unfound: Unfound::default(),
            routed: Vec::new(),
            more_events: false,
            leaving: CancellationToken::new(),
            leaves_events: false,
            route_at: None,
            unsure: false,
            refused: None,
            exchanged_at: Instant::now(),
            patient_until: Instant::now(),
            pace: Pace::new(),
        }
    }

    /// Works until it is told to stop. Without a notifier there is nothing to do but to wait for that.
    pub async fn run(mut self, shutdown: &Shutdown) {
        if self.channels.is_empty() {
            tokio::select! {
                () = shutdown.drain.cancelled() => {}
                () = shutdown.now.cancelled() => {}
            }
            return;
        }
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        if store.is_durable() {
            self.leaving = shutdown.drain.clone();
        }
        let (mut draining, mut wait) = (false, FIRST);
        loop {
            if !draining && shutdown.drain.is_cancelled() {
                draining = true;
                self.pace.soon();
            }
            match shutdown.now.run_until_cancelled(self.round()).await {
                None => return self.give_back().await,
                Some(Ok(())) => wait = FIRST,
                Some(Err(error)) => {
                    tracing::warn!(%error, "messages can not be read or written; trying again");
                    let pause = sleep(wait.mul_f64(0.5 + fastrand::f64()));
                    if shutdown.now.run_until_cancelled(pause).await.is_none() {
                        return self.give_back().await;
                    }
                    wait = (wait * 2).min(LONGEST);
                    self.pace.now();
                    continue;
                }
            }
            let now = clock.now();
            let claims = self.claims(&self.failed(), now);
            if draining && claims.is_empty() && self.is_idle() {
                return;
            }
            let more = !self.routed.is_empty() || self.are_urgent(&claims, self.is_patient());
            let soon = !more && self.are_urgent(&claims, false);
            let waits = !(self.done.is_empty() && claims.is_empty());
            if self.route_at.is_some_and(|at| at <= now) {
                self.route_at = None;
                self.pace.soon();
            }
            let next = self.queues.next(&self.policies, now).into_iter().chain(self.route_at).min();
            tokio::select! {
                biased;
                () = shutdown.now.cancelled() => return self.give_back().await,
                Some(sent) = self.sending.join_next() => self.collect(sent.ok()),
                group = next_routed(&mut self.routing) => self.take(group),
                () = std::future::ready(()), if more => {}
                () = shutdown.drain.cancelled(), if !draining => {}
                () = store.changed().notified() => self.pace.told(store.have_messages_changed()),
                () = sleep_until(self.pace.next()) => {}
                () = sleep_until(self.exchanged_at + COLLECT), if waits => {}
                () = sleep_until(self.patient_until), if soon => {}
                () = clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
            }
        }
    }

    /// One step: look what waits, if it is time to; write down what was sent and routed, and claim what can be sent.
    async fn round(&mut self) -> Result<()> {
        // What has ended while the store was not to be had: perhaps it takes that.
        if let Some(sent) = self.sending.try_join_next() {
            self.collect(sent.ok());
        }
        if self.routing.as_ref().is_some_and(AbortOnDropHandle::is_finished) {
            let group = next_routed(&mut self.routing).await;
            self.take(group);
        }
        self.settle().await?;
        if Instant::now() >= self.pace.expire_at {
            // What was sent during an outage is written down before anybody is taken for dead.
            if !self.done.is_empty() {
                self.exchange().await?;
            }
            self.store.expire(&self.held.keys().copied().collect()).await?;
            self.pace.expire_at = Instant::now() + EXPIRE;
        }
        if self.pace.events.is_due() {
            self.look().await?;
        }
        if self.pace.waiting.is_due() {
            let began = Instant::now();
            self.queues.look(self.store.waiting(&self.channels).await?);
            self.pace.waiting.looked(began, self.store.poll());
        }
        self.exchange().await
    }

    /// Gives back what the store believes to be here and is not.
    async fn settle(&mut self) -> Result<()> {
        if self.unsure {
            let known = self.held.keys().chain(&self.left_out).copied().collect();
            self.store.reconcile(&known).await?;
            self.unsure = false;
        }
        Ok(())
    }

    async fn all_back(&mut self) -> Result<()> {
        self.settle().await?;
        self.store.give_back(&self.done).await
    }

    /// Looks for events, and begins to route them.
    async fn look(&mut self) -> Result<()> {
        let began = Instant::now();
        // What was told while events were being routed is looked for after them.
        self.more_events = !self.leaves_events;
        if self.routing.is_none() && self.routed.is_empty() && !self.leaves_events {
            let events = self.store.unrouted(&self.channels, TOGETHER).await?;
            self.more_events = events.len() == TOGETHER;
            if !events.is_empty() {
                let leaving = self.leaving.clone();
                let stop = async move {
                    leaving.cancelled().await;
                    sleep(LAST_LOOK).await;
                };
                let (executor, clock) = (self.executor.clone(), Arc::clone(&self.clock));
                let unfound = Arc::clone(&self.unfound);
                let routing = tokio::spawn(route(executor, clock, events, unfound, stop));
                self.routing = Some(AbortOnDropHandle::new(routing));
            }
        }
        self.pace.events.looked(began, self.store.poll());
        Ok(())
    }

    /// Writes and claims in one transaction: a commit is what costs most.
    async fn exchange(&mut self) -> Result<()> {
        let now = self.clock.now();
        let failed = self.failed();
        let mut claims = self.claims(&failed, now);
        self.queues.choose_at_once(&mut self.routed, &self.policies, &failed);
        let urgent = !self.routed.is_empty() || self.are_urgent(&claims, self.is_patient());
        let nothing = self.done.is_empty() && claims.is_empty();
        if !urgent && (nothing || self.exchanged_at.elapsed() < COLLECT) {
            return Ok(());
        }
        self.exchanged_at = Instant::now();
        let (done, routed) = (self.done.len(), self.routed.len());
        let (done, routed) = match self.refused {
            Some(refused) => refused.part(done, routed, &mut claims),
            None => (0..done, 0..routed),
        };
        self.unsure = true;
        let exchange =
            Exchange::new(&self.done[done.clone()], &self.routed[routed.clone()], &claims);
        let exchanged = match self.store.exchange(exchange).await {
            Err(error) if error.kind() != ErrorKind::Transient => {
                return self.refused(done, routed, &claims, error);
            }
            exchanged => exchanged?,
        };
        self.unsure = false;
        self.patient_until = Instant::now() + self.exchanged_at.elapsed().min(COLLECT);
        let ended = !done.is_empty();
        for sent in self.done.drain(done) {
            let_go(&mut self.held, &sent);
        }
        let routed: Vec<_> = self.routed.drain(routed).collect();
        let more = !(self.done.is_empty() && self.routed.is_empty());
        self.refused =
            self.refused.filter(|_| more).map(|refused| Refused { takes: true, ..refused });
        let later = routed.iter().filter_map(|routed| match routed.routing {
            Routing::Later(until) => Some(until),
            Routing::Messages(_) | Routing::Unknown => None,
        });
        self.route_at = later.chain(self.route_at).min();
        let routed = !routed.is_empty();
        if (routed && self.more_events) || exchanged.waits {
            self.pace.soon();
        }
        self.learn(failed.into_iter().chain(exchanged.changed), ended);
        let mut begun = Vec::new();
        for (request, claimed) in claims.iter().zip(exchanged.claimed) {
            if let Some((policy, _)) = self.policies.get(&request.key.channel)
                && self.queues.claimed(request, claimed.len(), policy, now)
            {
                self.pace.soon();
            }
            begun.extend(claimed);
        }
        begun.extend(exchanged.begun);
        self.begin(begun);
        Ok(())
    }

    /// Destinations with failures that are not written down yet.
    fn failed(&self) -> HashSet<DestinationKey> {
        let failed = self.done.iter().filter(|sent| sent.result.is_err());
        failed.map(|sent| sent.claimed.destination.clone()).collect()
    }

    /// What can be claimed. What failed may have closed its destination: there, not before that is known.
    fn claims(&self, failed: &HashSet<DestinationKey>, now: Timestamp) -> Vec<ClaimRequest> {
        let mut claims = self.queues.ready(&self.policies, now);
        claims.retain(|request| !failed.contains(&request.key));
        claims
    }

    /// Whether this is claimed at once. What a few places have become free for waits a moment for others, but not where it is
    /// half of what can be claimed together.
    fn are_urgent(&self, claims: &[ClaimRequest], patient: bool) -> bool {
        let all = claims.iter().map(|request| request.messages).sum::<usize>();
        let urgent =
            |request: &ClaimRequest| self.queues.is_urgent(request, &self.policies, patient);
        all >= TOGETHER / 2 || claims.iter().any(urgent)
    }

    /// Whether what is under way may be waited for: as long as the last exchange took, so that it is not the exchanges that take
    /// the time where messages are sent faster than they are written down.
    fn is_patient(&self) -> bool {
        Instant::now() < self.patient_until
    }

    /// The store does not take an exchange, and would not at another time. Everything in it is written by itself. What is
    /// refused although the store takes other things is left out, so that nobody else waits for it: a message until its
    /// lease ends, which counts against it, an event for a while, and a destination until the next look.
    fn refused(
        &mut self,
        done: Range<usize>,
        routed: Range<usize>,
        claims: &[ClaimRequest],
        error: Error,
    ) -> Result<()> {
        let refused = self.refused.get_or_insert_default();
        refused.turn += 1;
        if !refused.takes || done.len() + routed.len() + claims.len() > 1 {
            return Err(error);
        }
        self.unsure = false;
        for sent in self.done.drain(done) {
            tracing::error!(%error, message = sent.claimed.id, "an attempt can not be written down");
            if let_go(&mut self.held, &sent) {
                self.left_out.insert(sent.claimed.id);
            }
        }
        for mut routed in self.routed.drain(routed).collect::<Vec<_>>() {
            tracing::error!(%error, event = routed.seq, "what follows for an event can not be written down");
            if !matches!(routed.routing, Routing::Later(_)) {
                routed.routing = Routing::Later(self.clock.now().plus(LEFT_OUT));
                self.routed.push(routed);
            }
        }
        for request in claims {
            tracing::error!(%error, channel = request.key.channel, "nothing can be claimed for a destination");
            self.queues.forget(&request.key);
        }
        Ok(())
    }

    /// Takes what became of a group of events.
    fn take(&mut self, group: Group) {
        self.routed = group.routed;
        if group.rest {
            self.leaves_events = self.leaving.is_cancelled();
            self.more_events = !self.leaves_events;
            self.pace.soon();
        }
    }

    fn learn(&mut self, changed: impl Iterator<Item = DestinationKey>, ended: bool) {
        for key in changed {
            self.queues.forget(&key);
            self.pace.soon();
        }
        // In order, the next one of a job can go when the one before it is over.
        if ended && self.policies.values().any(|(policy, _)| policy.ordered) {
            self.pace.soon();
        }
    }

    fn begin(&mut self, claimed: Vec<Claimed>) {
        for claimed in &claimed {
            self.left_out.remove(&claimed.id);
            self.held.insert(claimed.id, claimed.attempt);
        }
        let now = self.queues.begin(claimed, &self.policies);
        for request in requests(now, |of| self.batches.get(of).copied().unwrap_or(1)) {
            self.send(request);
        }
    }

    fn send(&mut self, request: Vec<Claimed>) {
        self.sending.spawn(send(self.executor.clone(), Arc::clone(&self.clock), request));
    }

    /// Takes what has been sent, and whatever else has been by now.
    fn collect(&mut self, sent: Option<Vec<Attempted>>) {
        let mut next = sent;
        while let Some(sent) = next {
            for sent in &sent {
                self.go_on(sent);
            }
            self.done.extend(sent);
            next = self.sending.try_join_next().and_then(std::result::Result::ok);
        }
    }

    /// One place is free again: whoever waits for it has a turn, unless the receiver works badly.
    fn go_on(&mut self, sent: &Attempted) {
        let key = &sent.claimed.destination;
        self.queues.over(key);
        if sent.result.is_err() {
            let unsent = self.queues.end_turns(key);
            self.not_sent(unsent);
            return;
        }
        // In memory a claim costs nothing, and what goes in one request is claimed together anyhow.
        let alone = self.store.is_durable() && !self.batches.contains_key(&key.channel);
        if let Some(next) = self.queues.next_turn(key, alone && sent.took < COLLECT) {
            self.send(vec![next]);
        }
    }

    /// Messages that were claimed in vain: the store still believes them to be here.
    fn not_sent(&mut self, unsent: impl Iterator<Item = Claimed>) {
        for claimed in unsent {
            self.held.remove(&claimed.id);
            self.unsure = true;
        }
    }

    fn is_idle(&self) -> bool {
        self.pace.fresh()
            && !self.more_events
            && self.sending.is_empty()
            && self.done.is_empty()
            && self.routed.is_empty()
            && self.routing.is_none()
            && (self.store.is_durable() || self.queues.is_empty())
    }

    /// Stops at once. What has been sent is written down, what is under way is given back; if the store does not take it,
    /// the leases end.
    async fn give_back(mut self) {
        let unsent = self.queues.end_all_turns();
        self.not_sent(unsent);
        self.sending.abort_all();
        while let Some(sent) = self.sending.join_next().await {
            self.collect(sent.ok());
        }
        if self.held.is_empty() && !self.unsure {
            return;
        }
        let written = timeout(GIVE_BACK, async {
            while let Err(error) = self.all_back().await {
                tracing::debug!(%error, "messages can not be given back; trying again");
                sleep(FIRST).await;
            }
        });
        if written.await.is_err() {
            tracing::warn!("messages under way could not be given back; they are sent again later");
        }
    }
}

/// The end of routing, which never comes while nothing is routed. If it was ended, its events stay where they are.
async fn next_routed(routing: &mut Option<AbortOnDropHandle<Group>>) -> Group {
    let Some(handle) = routing else { return std::future::pending().await };
    let routed = handle.await;
    *routing = None;
    routed.unwrap_or_else(|error| {
        tracing::error!(%error, "events could not be routed; trying again");
        Group::default()
    })
}
