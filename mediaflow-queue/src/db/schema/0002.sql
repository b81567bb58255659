-- The outbox in two stages: events wait to be routed, and what comes of them are messages.

-- Events that nobody has routed yet. A table of its own: to mark the event itself would write it anew.
CREATE TABLE mediaflow_unrouted (
    seq BIGINT PRIMARY KEY REFERENCES mediaflow_events (seq) ON DELETE CASCADE,
    -- Empty at first; '|mail|push|' if it was routed for these channels only; '?a?b' if these builds can not read it; both in
    -- this order. A '?' alone was written by an earlier build that could not read it.
    route TEXT NOT NULL DEFAULT '',
    -- Not before this moment: its recipients could not be found.
    route_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX mediaflow_unrouted_route ON mediaflow_unrouted (route, seq);

-- The channels of the running workers, and when one of them was seen last.
CREATE TABLE mediaflow_channels (
    name TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL
);

-- What one process has the right to do, on the clock of the database.
CREATE TABLE mediaflow_leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    lease_until BIGINT NOT NULL
);

CREATE TABLE mediaflow_messages (
    id {serial},
    -- The idempotency key of all its attempts.
    uid TEXT NOT NULL,
    rule TEXT NOT NULL,
    step BIGINT NOT NULL DEFAULT 0,
    -- A digest of the address; empty for the notifier's own.
    recipient TEXT NOT NULL DEFAULT '',
    -- What it tells of among all that the recipient is told by this rule: an event, or a group that takes further events
    -- until hold_until.
    group_key TEXT NOT NULL,
    hold_until BIGINT,
    channel TEXT NOT NULL,
    -- The channel and the origin: what fails, is slow and is asked for patience together.
    destination TEXT NOT NULL,
    address TEXT,
    thread TEXT,
    -- The first event, and how many there are.
    event TEXT NOT NULL,
    events BIGINT NOT NULL DEFAULT 1,
    kind TEXT NOT NULL,
    job TEXT,
    -- pending, sending, delivered, dead
    state TEXT NOT NULL,
    due BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    -- Those that count: the place in the schedule.
    failures BIGINT NOT NULL DEFAULT 0,
    worker TEXT,
    lease_until BIGINT,
    -- The last attempt. Those that failed are in the log as well.
    sent_at BIGINT,
    took BIGINT,
    status BIGINT,
    error TEXT,
    answer TEXT,
    provider_id TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE UNIQUE INDEX mediaflow_messages_unique ON mediaflow_messages (group_key, rule, recipient, step);
CREATE INDEX mediaflow_messages_due ON mediaflow_messages (destination, due) WHERE state = 'pending';
CREATE INDEX mediaflow_messages_expires ON mediaflow_messages (expires_at) WHERE state = 'pending';
CREATE INDEX mediaflow_messages_sending ON mediaflow_messages (lease_until) WHERE state = 'sending';
CREATE INDEX mediaflow_messages_job ON mediaflow_messages (job) WHERE job IS NOT NULL;
CREATE INDEX mediaflow_messages_ended ON mediaflow_messages (state, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX mediaflow_messages_thread ON mediaflow_messages (thread, ended_at)
    WHERE thread IS NOT NULL AND provider_id IS NOT NULL;

-- The further events of a message that has several.
CREATE TABLE mediaflow_message_events (
    message BIGINT NOT NULL REFERENCES mediaflow_messages (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    PRIMARY KEY (message, event)
);
CREATE INDEX mediaflow_message_events_event ON mediaflow_message_events (event);

-- Addresses of which nobody is there any more.
CREATE TABLE mediaflow_gone (
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    destination TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (channel, recipient)
);

-- The addresses that a job's events are told at: they are secrets, and leave with the job.
ALTER TABLE mediaflow_jobs ADD COLUMN notify TEXT;

-- What was to be delivered before goes on under the same numbers.
INSERT INTO mediaflow_messages
    (uid, rule, recipient, group_key, channel, destination, address, event, kind, job, state, due, expires_at,
     attempts, failures, sent_at, status, error, created_at, ended_at)
SELECT d.event, t.channel, CASE WHEN t.address = '' THEN '' ELSE 'address ' || t.id END, d.event, t.channel,
       CASE WHEN t.address = '' THEN t.channel || ' ' ELSE t.channel || ' #' || t.id END,
       CASE WHEN t.address <> '' THEN t.address END, d.event, d.kind, d.job,
       CASE WHEN d.state = 'sending' THEN 'pending' ELSE d.state END, d.due, d.created_at + 432000000,
       d.attempts, d.attempts, d.ended_at, d.status, d.error, d.created_at, d.ended_at
FROM mediaflow_deliveries d JOIN mediaflow_destinations t ON t.id = d.destination
ORDER BY d.id;

DROP TABLE mediaflow_attempts;
DROP TABLE mediaflow_deliveries;
DROP TABLE mediaflow_destinations;

-- The log of attempts that failed; the one that arrived is in the message.
CREATE TABLE mediaflow_attempts (
    id {serial},
    message BIGINT NOT NULL REFERENCES mediaflow_messages (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    status BIGINT,
    error TEXT,
    body TEXT
);
CREATE INDEX mediaflow_attempts_message ON mediaflow_attempts (message);

-- What is remembered of destinations. One that works has no row.
CREATE TABLE mediaflow_destinations (
    destination TEXT PRIMARY KEY,
    failures BIGINT NOT NULL DEFAULT 0,
    probes BIGINT NOT NULL DEFAULT 0,
    probe_until BIGINT NOT NULL DEFAULT 0,
    blocked_until BIGINT NOT NULL DEFAULT 0,
    -- Up to when the rate is used up, in microseconds.
    paid_until BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT,
    paused BIGINT NOT NULL DEFAULT 0,
    disabled_at BIGINT,
    reason TEXT,
    told BIGINT NOT NULL DEFAULT 0
);
