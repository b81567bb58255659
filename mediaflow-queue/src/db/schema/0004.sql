-- When what is remembered of a destination was written last.
ALTER TABLE mediaflow_destinations ADD COLUMN touched_at BIGINT NOT NULL DEFAULT 0;

-- online

-- The first events of messages that have several: the others stand in mediaflow_message_events.
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_first ON mediaflow_messages (event) WHERE events > 1;

CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_messages_dead ON mediaflow_messages (destination) WHERE state = 'dead';
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_batches_ended ON mediaflow_batches (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_gone_at ON mediaflow_gone (at);
