-- Whom the last probe of a destination was for: the next one is for another, if one waits.
ALTER TABLE mediaflow_destinations ADD COLUMN last_probe TEXT;
