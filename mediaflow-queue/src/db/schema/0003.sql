-- What a process must know to work on a job, as words. Empty for jobs that an older version has taken.
ALTER TABLE mediaflow_jobs ADD COLUMN needs TEXT;

-- While a job is parked, because a worker was given it that does not know what it needs: a digest of that. Its state is
-- 'parked' then, and no row of River's stands for it.
ALTER TABLE mediaflow_jobs ADD COLUMN parked TEXT;

-- When it was parked last. Kept: not every worker of its class knows what it needs.
ALTER TABLE mediaflow_jobs ADD COLUMN parked_at BIGINT;

-- A digest of what was asked for under the idempotency key.
ALTER TABLE mediaflow_jobs ADD COLUMN key_digest TEXT;

-- The same of a part, whose job stays 'running' meanwhile.
ALTER TABLE mediaflow_parts ADD COLUMN parked TEXT;
ALTER TABLE mediaflow_parts ADD COLUMN parked_at BIGINT;

-- Workers that know the same have the same.
ALTER TABLE mediaflow_workers ADD COLUMN capability TEXT;

-- How many places a destination has that has just come back: every process keeps to it. 0 if it has all of them.
ALTER TABLE mediaflow_destinations ADD COLUMN ramp BIGINT NOT NULL DEFAULT 0;

-- online

CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_parked ON mediaflow_jobs (parked, id) WHERE parked IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_parts_parked ON mediaflow_parts (parked, job, number) WHERE parked IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_outputs_recall ON mediaflow_outputs (content_key, job);

-- What tells of batches, and of no single job.
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_events_batch ON mediaflow_events (batch) WHERE job IS NULL;
