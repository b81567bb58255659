-- Whom the last probe of a destination was for: the next one is for another, if one waits.
ALTER TABLE mediaflow_destinations ADD COLUMN last_probe TEXT;

-- When the host's own endpoint there has failed last. A failure long after it is the first of its own.
ALTER TABLE mediaflow_destinations ADD COLUMN failed_at BIGINT;
