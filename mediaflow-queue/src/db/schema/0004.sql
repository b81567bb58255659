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
