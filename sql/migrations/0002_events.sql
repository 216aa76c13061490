-- Work that survives everything: what was sent when, what waits until when, and who is at it; files
-- that are missed for a while before they are forgotten; and what other programs told us.

ALTER TABLE files ADD COLUMN missing_since timestamptz;
CREATE INDEX files_missing ON files (missing_since) WHERE missing_since IS NOT NULL;

-- A worker holds an advisory lock on its row as long as it lives.
CREATE TABLE workers (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host        text NOT NULL,
    pid         integer NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE jobs
    ADD COLUMN priority smallint NOT NULL DEFAULT 3,
    ADD COLUMN noticed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN not_before timestamptz,
    ADD COLUMN sent_at timestamptz,
    ADD COLUMN worker_id integer REFERENCES workers ON DELETE SET NULL,
    ADD COLUMN interruptions integer NOT NULL DEFAULT 0;
CREATE INDEX jobs_due ON jobs (priority, wanted_at, id) WHERE state = 'wanted' AND sent_at IS NULL;
CREATE INDEX jobs_sent ON jobs (sent_at) WHERE state = 'wanted' AND sent_at IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- Folders that are watched, and what the last look at each found.
CREATE TABLE roots (
    path            bytea PRIMARY KEY,
    state           text NOT NULL CHECK (state IN ('watched', 'absent', 'refused')),
    detail          text NOT NULL DEFAULT '',
    observer        text NOT NULL DEFAULT '',
    walked_at       timestamptz,
    walk_wanted_at  timestamptz
);

-- What other programs told us, as they said it, before anybody answered them.
CREATE TABLE events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL,
    kind         text NOT NULL,
    digest       bytea NOT NULL,
    body         jsonb NOT NULL,
    deliveries   integer NOT NULL DEFAULT 1,
    received_at  timestamptz NOT NULL DEFAULT now(),
    not_before   timestamptz,
    handled_at   timestamptz,
    outcome      text
);
CREATE UNIQUE INDEX events_open ON events (source, digest) WHERE handled_at IS NULL;
CREATE INDEX events_digest ON events (source, digest);
CREATE INDEX events_handled ON events (handled_at) WHERE handled_at IS NOT NULL;

-- Messages of kinds that mean nothing to us, counted.
CREATE TABLE ignored_events (
    source   text NOT NULL,
    kind     text NOT NULL,
    count    bigint NOT NULL DEFAULT 1,
    last_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, kind)
);

-- What listeners did: plays, favourites, likes. One row an act, however often it is reported.
CREATE TABLE feedback (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL,
    digest       bytea NOT NULL,
    listener     text NOT NULL DEFAULT '',
    item         text NOT NULL,
    track_id     bigint REFERENCES tracks ON DELETE SET NULL,
    kind         text NOT NULL,
    value        double precision,
    happened_at  timestamptz NOT NULL,
    UNIQUE (source, digest, kind)
);
CREATE INDEX feedback_item ON feedback (source, item);
CREATE INDEX feedback_track_id ON feedback (track_id);

-- A track whose every file is missed has no card.
CREATE OR REPLACE VIEW track_cards AS
SELECT DISTINCT ON (t.id)
    t.id, t.identity, t.duration_s, t.damage, f.path, f.title, f.artist, f.album,
    f.album_artist, f.genre, f.year, f.track_number, f.bpm, f.key,
    f.musicbrainz_recording, f.musicbrainz_release, f.words
FROM tracks AS t
JOIN files AS f ON f.track_id = t.id AND f.missing_since IS NULL
ORDER BY t.id, f.path;
