-- Whom a message speaks to, and in which locale, where its rule says so.
ALTER TABLE mediaflow_messages ADD COLUMN audience TEXT;
ALTER TABLE mediaflow_messages ADD COLUMN locale TEXT;

-- Which events go into it beside its first one, as long as it is held back: a name among what its recipient is told by this step
-- of the rule. NULL for a message of one event.
ALTER TABLE mediaflow_messages ADD COLUMN collect TEXT;

-- 1: it tells somebody else, unless what it tells of is acknowledged. 2: it was, while it was being sent.
ALTER TABLE mediaflow_messages ADD COLUMN escalates BIGINT NOT NULL DEFAULT 0;

-- What takes its place when it is given up: steps in their order, as JSON. NULL if there is nothing, or if it has happened, and
-- whether it has.
ALTER TABLE mediaflow_messages ADD COLUMN next TEXT;
ALTER TABLE mediaflow_messages ADD COLUMN replaced BIGINT NOT NULL DEFAULT 0;

-- Since when events of a rule count towards a step that tells somebody else, and how many there were.
CREATE TABLE mediaflow_counted (
    rule TEXT NOT NULL,
    step BIGINT NOT NULL,
    since BIGINT NOT NULL,
    events BIGINT NOT NULL,
    PRIMARY KEY (rule, step)
);
-- online
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_open ON mediaflow_messages (rule, recipient, step, collect)
    WHERE state = 'pending' AND collect IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_begun ON mediaflow_messages (rule, recipient, step, created_at)
    WHERE collect IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_next ON mediaflow_messages (id)
    WHERE state = 'dead' AND next IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_escalates ON mediaflow_messages (rule)
    WHERE state = 'pending' AND escalates > 0;
