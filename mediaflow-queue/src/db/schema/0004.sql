-- What has been done of a job of which some waits for work that goes on elsewhere. Its state is 'waiting' meanwhile.
ALTER TABLE mediaflow_jobs ADD COLUMN checkpoint TEXT;

-- Whether something of it waits, or has waited.
ALTER TABLE mediaflow_jobs ADD COLUMN waits BIGINT NOT NULL DEFAULT 0;

-- Groups of steps that wait.
CREATE TABLE mediaflow_waits (
    job TEXT NOT NULL REFERENCES mediaflow_jobs (id) ON DELETE CASCADE,
    work TEXT NOT NULL,
    -- What an update names.
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    -- When it is to be looked at without an update, while its job waits.
    due BIGINT,
    -- Going on has failed, and is tried again when it is due.
    held BIGINT NOT NULL DEFAULT 0,
    -- Nobody waits for it any more: it is to be stopped.
    stopping BIGINT NOT NULL DEFAULT 0,
    tries BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job, work)
);
CREATE UNIQUE INDEX mediaflow_waits_key ON mediaflow_waits (key);
CREATE INDEX mediaflow_waits_due ON mediaflow_waits (due) WHERE due IS NOT NULL;

-- Jobs that are submitted by the clock.
CREATE TABLE mediaflow_schedules (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    last_at BIGINT,
    last_job TEXT
);

-- What was said of work that goes on elsewhere. The body goes when it was heard; the row stays, so that it is not heard
-- twice.
CREATE TABLE mediaflow_signals (
    id {serial},
    key TEXT NOT NULL,
    replay_key TEXT NOT NULL UNIQUE,
    body TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX mediaflow_signals_key ON mediaflow_signals (key, id) WHERE body IS NOT NULL;
CREATE INDEX mediaflow_signals_at ON mediaflow_signals (at);

-- Whom the last probe of a destination was for: the next one is for another, if one waits.
ALTER TABLE mediaflow_destinations ADD COLUMN last_probe TEXT;

-- When the host's own endpoint there has failed last. A failure long after it is the first of its own.
ALTER TABLE mediaflow_destinations ADD COLUMN failed_at BIGINT;

-- Recipients of whom it was told that something for them was lost, and for whom nothing has arrived since.
CREATE TABLE mediaflow_told (
    destination TEXT NOT NULL,
    recipient TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (destination, recipient)
);

-- When what is remembered of a destination was written last.
ALTER TABLE mediaflow_destinations ADD COLUMN touched_at BIGINT NOT NULL DEFAULT 0;

-- What jobs are looked for by. Jobs that an older version has taken have none of it: they are found by their state, batch and
-- time, and leave with the retention.
ALTER TABLE mediaflow_jobs ADD COLUMN kind TEXT;
ALTER TABLE mediaflow_jobs ADD COLUMN owner TEXT;
CREATE TABLE mediaflow_tags (
    tag TEXT NOT NULL,
    job TEXT NOT NULL REFERENCES mediaflow_jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, job)
);
CREATE INDEX mediaflow_tags_job ON mediaflow_tags (job);

-- The same of events.
ALTER TABLE mediaflow_events ADD COLUMN owner TEXT;

-- What is to be known of the tables as a whole: the name of this store ('store'), and up to which moment ended jobs are
-- counted in the table below ('counted').
CREATE TABLE mediaflow_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- How many jobs ended in which minute, counted once that was over.
CREATE TABLE mediaflow_ended (
    minute BIGINT NOT NULL,
    state TEXT NOT NULL,
    code TEXT NOT NULL,
    jobs BIGINT NOT NULL,
    PRIMARY KEY (minute, state, code)
);

-- Whose job it is, and how urgent.
ALTER TABLE mediaflow_jobs ADD COLUMN tenant TEXT;
ALTER TABLE mediaflow_jobs ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;

-- Its class and its tenant, if that has a share in the class; and whether the job takes one place of it.
ALTER TABLE mediaflow_jobs ADD COLUMN share TEXT;
ALTER TABLE mediaflow_jobs ADD COLUMN shared BIGINT NOT NULL DEFAULT 0;

-- What a job in the state 'held' waits for here, without a row in River: 'after' other jobs, until it is 'due', for its
-- 'share'; for the rest of its 'batch'; 'new' is one of which that is still to be found out.
ALTER TABLE mediaflow_jobs ADD COLUMN held TEXT;

-- How many jobs that it comes after have not ended, and whether any comes after it.
ALTER TABLE mediaflow_jobs ADD COLUMN after_left BIGINT NOT NULL DEFAULT 0;
ALTER TABLE mediaflow_jobs ADD COLUMN followed BIGINT NOT NULL DEFAULT 0;

-- Jobs that come after others.
CREATE TABLE mediaflow_after (
    job TEXT NOT NULL REFERENCES mediaflow_jobs (id) ON DELETE CASCADE,
    before TEXT NOT NULL,
    -- Whether that was seen to have ended.
    over BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job, before)
);
CREATE INDEX mediaflow_after_before ON mediaflow_after (before, job);

-- Batches that are written, and whose jobs are let go, by several transactions. Their jobs are held as 'batch' until then.
CREATE TABLE mediaflow_open_batches (
    batch TEXT PRIMARY KEY,
    -- 1 if all of it is there, -1 if it is to be deleted.
    whole BIGINT NOT NULL DEFAULT 0,
    -- The place of the job that is let go next, and whether some before it were passed over, because somebody had them locked.
    next BIGINT NOT NULL DEFAULT 0,
    passed BIGINT NOT NULL DEFAULT 0,
    touched_at BIGINT NOT NULL
);

-- Jobs that have ended, and whose followers are still to be told.
CREATE TABLE mediaflow_followed (
    job TEXT PRIMARY KEY
);

-- The queues of the classes that a worker has places for, with spaces between them.
ALTER TABLE mediaflow_workers ADD COLUMN classes TEXT;

-- How many places of a share are taken.
CREATE TABLE mediaflow_shares (
    share TEXT PRIMARY KEY,
    taken BIGINT NOT NULL
);

-- The same of events.
ALTER TABLE mediaflow_events ADD COLUMN tenant TEXT;
-- The classes for which a worker has places, as of its last sign of life: who queues something calls one of these. It has none
-- while it does not hear calls.
ALTER TABLE mediaflow_workers ADD COLUMN open TEXT;

-- online

-- The first events of messages that have several: the others stand in mediaflow_message_events.
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_first ON mediaflow_messages (event) WHERE events > 1;

CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_dead ON mediaflow_messages (destination) WHERE state = 'dead';
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_batches_ended ON mediaflow_batches (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_gone_at ON mediaflow_gone (at);

-- For lists. The condition keeps SQLite from grouping by them what another index counts in a part of the table.
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_state ON mediaflow_jobs (state, id) WHERE state <> '';
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_kind ON mediaflow_jobs (kind, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_owner ON mediaflow_jobs (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_tenant ON mediaflow_jobs (tenant, id) WHERE tenant IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_held ON mediaflow_jobs (held, due, id) WHERE held IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_share ON mediaflow_jobs (share, priority DESC, id) WHERE held = 'share';
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_shared ON mediaflow_jobs (share) WHERE shared = 1 AND ended_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_batch_jobs_listed ON mediaflow_batch_jobs (batch, job);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_events_of_job ON mediaflow_events (job, seq);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_events_of_batch ON mediaflow_events (batch, seq) WHERE batch IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_events_owner ON mediaflow_events (owner, seq) WHERE owner IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_events_tenant ON mediaflow_events (tenant, seq) WHERE tenant IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_left ON mediaflow_messages (state, id) WHERE state <> 'delivered';
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_to ON mediaflow_messages (destination, id) WHERE destination <> '';

-- The index of jobs and numbers serves what this one did, and that of contents and jobs what that one did.
DROP INDEX CONCURRENTLY IF EXISTS mediaflow_events_job;

CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_told_at ON mediaflow_told (at);
DROP INDEX CONCURRENTLY IF EXISTS mediaflow_outputs_content;
