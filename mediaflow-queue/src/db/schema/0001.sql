-- What River does not keep. Times are milliseconds since 1970, ids and JSON are text, flags are 0 or 1.
-- {serial} is the database's own form of a key that counts up.

CREATE TABLE mediaflow_jobs (
    id TEXT PRIMARY KEY,
    river BIGINT NOT NULL,
    class TEXT NOT NULL,
    state TEXT NOT NULL,
    spec TEXT NOT NULL,
    batch TEXT,
    -- Whether any batch waits for it: its own, or one that it was submitted to again.
    batched BIGINT NOT NULL DEFAULT 0,
    idempotency_key TEXT,
    key_until BIGINT,
    -- Grows with each attempt and each takeover: who holds an older one may not write any more.
    fence BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    worker TEXT,
    progress DOUBLE PRECISION NOT NULL DEFAULT 0,
    cancelled BIGINT NOT NULL DEFAULT 0,
    -- Parts that have not ended; null for a job that was not split.
    parts_left BIGINT,
    failure TEXT,
    failure_code TEXT,
    report TEXT,
    queued_at BIGINT NOT NULL,
    due BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT
);
CREATE UNIQUE INDEX mediaflow_jobs_key ON mediaflow_jobs (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX mediaflow_jobs_live ON mediaflow_jobs (state, class, due) WHERE ended_at IS NULL;
CREATE INDEX mediaflow_jobs_worker ON mediaflow_jobs (worker) WHERE worker IS NOT NULL;
CREATE INDEX mediaflow_jobs_ended ON mediaflow_jobs (ended_at, state, failure_code) WHERE ended_at IS NOT NULL;
CREATE INDEX mediaflow_jobs_river ON mediaflow_jobs (river);

CREATE TABLE mediaflow_batches (
    id TEXT PRIMARY KEY,
    options TEXT NOT NULL,
    jobs_left BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);

-- A job can be in several batches: submitted again under its idempotency key.
CREATE TABLE mediaflow_batch_jobs (
    batch TEXT NOT NULL REFERENCES mediaflow_batches (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    job TEXT NOT NULL,
    PRIMARY KEY (batch, position)
);
CREATE INDEX mediaflow_batch_jobs_job ON mediaflow_batch_jobs (job);

CREATE TABLE mediaflow_outputs (
    job TEXT NOT NULL REFERENCES mediaflow_jobs (id) ON DELETE CASCADE,
    place TEXT NOT NULL,
    content_key TEXT NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (job, place)
);
CREATE INDEX mediaflow_outputs_content ON mediaflow_outputs (content_key);

CREATE TABLE mediaflow_parts (
    job TEXT NOT NULL REFERENCES mediaflow_jobs (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    river BIGINT NOT NULL,
    state TEXT NOT NULL,
    input TEXT NOT NULL,
    result TEXT,
    fence BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    worker TEXT,
    progress DOUBLE PRECISION NOT NULL DEFAULT 0,
    failure TEXT,
    PRIMARY KEY (job, number)
);
CREATE INDEX mediaflow_parts_worker ON mediaflow_parts (worker) WHERE worker IS NOT NULL;

-- The outbox: what happened, written in the transaction in which it happened.
CREATE TABLE mediaflow_events (
    seq {serial},
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    job TEXT,
    batch TEXT,
    at BIGINT NOT NULL,
    -- The process that wrote it and has told its own readers already.
    origin TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX mediaflow_events_job ON mediaflow_events (job);
CREATE INDEX mediaflow_events_at ON mediaflow_events (at);

CREATE TABLE mediaflow_destinations (
    id {serial},
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Failures in a row; the breaker is open when there are too many.
    failures BIGINT NOT NULL DEFAULT 0,
    -- Failed probes since it opened, and until when a probe may be under way.
    probes BIGINT NOT NULL DEFAULT 0,
    probe_until BIGINT NOT NULL DEFAULT 0,
    -- Nothing is sent before: the breaker is open, or the receiver asked for it.
    blocked_until BIGINT NOT NULL DEFAULT 0,
    -- Up to when the rate is used up, in microseconds.
    paid_until BIGINT NOT NULL DEFAULT 0,
    disabled_at BIGINT,
    disabled_reason TEXT,
    UNIQUE (channel, address)
);

CREATE TABLE mediaflow_deliveries (
    id {serial},
    event TEXT NOT NULL REFERENCES mediaflow_events (id) ON DELETE CASCADE,
    destination BIGINT NOT NULL REFERENCES mediaflow_destinations (id),
    job TEXT,
    kind TEXT NOT NULL,
    -- pending, sending, delivered, dead
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    due BIGINT NOT NULL,
    worker TEXT,
    lease_until BIGINT,
    status BIGINT,
    error TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    UNIQUE (event, destination)
);
CREATE INDEX mediaflow_deliveries_due ON mediaflow_deliveries (destination, due) WHERE state = 'pending';
CREATE INDEX mediaflow_deliveries_sending ON mediaflow_deliveries (lease_until) WHERE state = 'sending';
CREATE INDEX mediaflow_deliveries_job ON mediaflow_deliveries (job);
CREATE INDEX mediaflow_deliveries_ended ON mediaflow_deliveries (state, ended_at) WHERE ended_at IS NOT NULL;

-- The delivery log. A delivery that is sent again counts its attempts from 1 again.
CREATE TABLE mediaflow_attempts (
    id {serial},
    delivery BIGINT NOT NULL REFERENCES mediaflow_deliveries (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    status BIGINT,
    error TEXT,
    body TEXT
);
CREATE INDEX mediaflow_attempts_delivery ON mediaflow_attempts (delivery);

CREATE TABLE mediaflow_workers (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    beat_at BIGINT NOT NULL
);
