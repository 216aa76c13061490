-- What the web page draws of a recording: computed when somebody first looks at it.
CREATE TABLE waveforms (
    track_id    bigint PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    duration_s  double precision NOT NULL CHECK (duration_s > 0),
    highest     bytea NOT NULL,
    level       bytea NOT NULL
);
