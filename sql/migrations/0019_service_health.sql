-- What background services say of themselves, so that one that keeps failing or restarting is seen.
CREATE TABLE service_health (
    service     text NOT NULL,
    host        text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    n_starts    integer NOT NULL DEFAULT 1,
    n_failures  integer NOT NULL DEFAULT 0,
    last_error  text,
    failed_at   timestamptz,
    PRIMARY KEY (service, host)
);

-- A watched folder whose watching fails by itself; others go on.
ALTER TABLE roots DROP CONSTRAINT roots_state_check;
ALTER TABLE roots ADD CONSTRAINT roots_state_check
    CHECK (state IN ('watched', 'absent', 'refused', 'failing'));
