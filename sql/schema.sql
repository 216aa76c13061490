-- The library: recordings, where they lie, the work that is wanted, and their vectors.

CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- One recording, whatever its files are called: identity is a hash of its audio packets.
CREATE TABLE tracks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity    text NOT NULL UNIQUE,
    duration_s  double precision NOT NULL CHECK (duration_s > 0),
    damage      text,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- One location. Paths are bytes: file systems promise nothing more. *words: tags as they are compared,
-- folded by `mess_plugin.folding`; artist_words: artist and album artist, one a line.
CREATE TABLE files (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path                   bytea NOT NULL UNIQUE,
    size_bytes             bigint NOT NULL,
    mtime_ns               bigint NOT NULL,
    track_id               bigint REFERENCES tracks ON DELETE SET NULL,
    title                  text,
    artist                 text,
    album                  text,
    album_artist           text,
    genre                  text,
    year                   integer,
    track_number           integer,
    bpm                    double precision,
    key                    text,
    musicbrainz_recording  text,
    musicbrainz_release    text,
    words                  text NOT NULL DEFAULT '',
    seen_at                timestamptz NOT NULL DEFAULT now(),
    missing_since          timestamptz,
    language               text,
    rating                 real,
    title_words            text NOT NULL DEFAULT '',
    artist_words           text NOT NULL DEFAULT '',
    album_words            text NOT NULL DEFAULT '',
    genre_words            text NOT NULL DEFAULT '',
    language_words         text NOT NULL DEFAULT '',
    ctime_ns               bigint,
    inode                  bigint
);
CREATE INDEX files_track_id ON files (track_id);
CREATE INDEX files_missing ON files (missing_since) WHERE missing_since IS NOT NULL;
CREATE INDEX files_words ON files USING gin (words gin_trgm_ops);

-- A worker holds an advisory lock on its row as long as it lives.
CREATE TABLE workers (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host        text NOT NULL,
    pid         integer NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now()
);

-- The ledger: every wanted piece of work is a row here before it is a message anywhere.
CREATE TYPE job_state AS ENUM ('wanted', 'running', 'done', 'failed');
CREATE TABLE jobs (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id      bigint NOT NULL REFERENCES files ON DELETE CASCADE,
    recipe       text NOT NULL,
    state        job_state NOT NULL DEFAULT 'wanted',
    outcome      text,
    batch        uuid,
    attempts     integer NOT NULL DEFAULT 0,
    kind         text,
    reason       text,
    wanted_at    timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    priority     smallint NOT NULL DEFAULT 3,
    noticed_at   timestamptz NOT NULL DEFAULT now(),
    not_before   timestamptz,
    sent_at      timestamptz,
    worker_id    integer REFERENCES workers ON DELETE SET NULL,
    interruptions integer NOT NULL DEFAULT 0,
    UNIQUE (file_id, recipe)
);
CREATE INDEX jobs_open ON jobs (state, wanted_at) WHERE state IN ('wanted', 'running');
CREATE INDEX jobs_batch ON jobs (batch);
CREATE INDEX jobs_due ON jobs (priority, wanted_at, id) WHERE state = 'wanted' AND sent_at IS NULL;
CREATE INDEX jobs_sent ON jobs (sent_at) WHERE state = 'wanted' AND sent_at IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- A space is what vectors live in. A raw space holds what the encoder gave; a projected one is
-- computed from its base and can be fitted again without encoding anything.
CREATE TYPE space_state AS ENUM ('building', 'active', 'retired');
CREATE TABLE spaces (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipe      text NOT NULL,
    encoder     text NOT NULL,
    revision    text NOT NULL,
    layers      text NOT NULL,
    pooling     text NOT NULL,
    window_s    double precision NOT NULL CHECK (window_s > 0),
    hop_s       double precision NOT NULL CHECK (hop_s > 0),
    dim         integer NOT NULL CHECK (dim > 0),
    projection  text NOT NULL DEFAULT 'none',
    base_id     integer REFERENCES spaces ON DELETE CASCADE,
    fitted_on   integer NOT NULL DEFAULT 0,
    state       space_state NOT NULL DEFAULT 'active',
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT spaces_identity UNIQUE
        (recipe, encoder, revision, layers, pooling, window_s, hop_s, projection)
);

-- Affine maps, little-endian float32: mean (d_in), matrix (d_in × d_out).
CREATE TABLE projections (
    space_id  integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    level     text NOT NULL CHECK (level IN ('song', 'section', 'window')),
    mean      bytea NOT NULL,
    matrix    bytea NOT NULL,
    PRIMARY KEY (space_id, level)
);

-- All vectors of all levels; a partition a level keeps scans of songs away from windows.
CREATE TABLE embeddings (
    level     text NOT NULL CHECK (level IN ('song', 'section', 'window')),
    space_id  integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    track_id  bigint NOT NULL REFERENCES tracks ON DELETE CASCADE,
    ordinal   integer NOT NULL,
    start_s   double precision NOT NULL,
    end_s     double precision NOT NULL,
    label     text NOT NULL DEFAULT '',
    vector    halfvec NOT NULL,
    PRIMARY KEY (level, space_id, track_id, ordinal),
    CHECK (end_s > start_s)
) PARTITION BY LIST (level);
CREATE TABLE song_embeddings PARTITION OF embeddings FOR VALUES IN ('song');
CREATE TABLE section_embeddings PARTITION OF embeddings FOR VALUES IN ('section');
CREATE TABLE window_embeddings PARTITION OF embeddings FOR VALUES IN ('window');
CREATE INDEX embeddings_track_id ON embeddings (track_id);

-- Folders that are watched, and what the last look at each found.
CREATE TABLE roots (
    path            bytea PRIMARY KEY,
    state           text NOT NULL CHECK (state IN ('watched', 'absent', 'refused', 'failing')),
    detail          text NOT NULL DEFAULT '',
    observer        text NOT NULL DEFAULT '',
    walked_at       timestamptz,
    walk_wanted_at  timestamptz,
    mounts          bytea[] NOT NULL DEFAULT '{}',
    passed_over     jsonb NOT NULL DEFAULT '{}',
    left_out        jsonb NOT NULL DEFAULT '{}'
);

-- What background services say of themselves. n_starts, n_failures: in a row, each soon after the one
-- before; an orderly end takes its start back.
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

-- An item of a media server, by the server's own id. Either it is a track, found in the way that
-- matched_by names, or unmatched says why not.
CREATE TABLE host_items (
    host        text NOT NULL,
    item        text NOT NULL,
    name        text NOT NULL DEFAULT '',
    path        text,
    duration_s  double precision,
    recordings  text[] NOT NULL DEFAULT '{}',
    track_id    bigint REFERENCES tracks ON DELETE SET NULL,
    matched_by  text,
    unmatched   text,
    reading     integer NOT NULL,
    PRIMARY KEY (host, item)
);
CREATE INDEX host_items_track_id ON host_items (track_id);

-- How far a server's list was read, so that a reading that was cut short goes on. listener: whose
-- list is being read, for users need not see the same.
CREATE TABLE host_readings (
    host         text PRIMARY KEY,
    number       integer NOT NULL DEFAULT 0,
    next_start   integer NOT NULL DEFAULT 0,
    started_at   timestamptz,
    finished_at  timestamptz,
    last_event   bigint NOT NULL DEFAULT 0,
    listener     text NOT NULL DEFAULT ''
);

-- Playlists that are kept up to date, each for one listener. written: what the server showed after
-- the last write; intended: a write that was begun and not seen to end.
CREATE TABLE host_playlists (
    host          text NOT NULL,
    listener      text NOT NULL,
    playlist      text NOT NULL,
    name          text NOT NULL,
    written       text[] NOT NULL DEFAULT '{}',
    intended      text[],
    refreshed_at  timestamptz,
    PRIMARY KEY (host, listener, playlist)
);

-- Smart playlists that were declared over HTTP. account: the user's id @ the server's id. rule: as in
-- playlists.toml.
CREATE TABLE smart_playlists (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account     text NOT NULL,
    name        text NOT NULL,
    rule        jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account, name)
);

-- What a listener changed by hand in such a playlist.
CREATE TABLE host_edits (
    host      text NOT NULL,
    listener  text NOT NULL,
    playlist  text NOT NULL,
    item      text NOT NULL,
    track_id  bigint REFERENCES tracks ON DELETE SET NULL,
    edit      text NOT NULL CHECK (edit IN ('pinned', 'removed')),
    ordinal   integer NOT NULL DEFAULT 0,
    PRIMARY KEY (host, listener, playlist, item),
    FOREIGN KEY (host, listener, playlist) REFERENCES host_playlists ON DELETE CASCADE
);
CREATE INDEX host_edits_track_id ON host_edits (track_id);

-- How the library is to be heard, where somebody chose it: one recipe answers. While another is
-- built beside it, answers keep coming from the first.
CREATE TABLE chosen_recipes (
    role    text PRIMARY KEY CHECK (role IN ('answering', 'building')),
    recipe  text NOT NULL,
    since   timestamptz NOT NULL DEFAULT now()
);

-- What a person sees of a track: its first location and the tags found there.
-- A track whose every file is missed has no card.
CREATE VIEW track_cards AS
SELECT DISTINCT ON (t.id)
    t.id, t.identity, t.duration_s, t.damage, f.path, f.title, f.artist, f.album,
    f.album_artist, f.genre, f.year, f.track_number, f.bpm, f.key,
    f.musicbrainz_recording, f.musicbrainz_release, f.words, f.language, f.rating, f.title_words
FROM tracks AS t
JOIN files AS f ON f.track_id = t.id AND f.missing_since IS NULL
ORDER BY t.id, f.path;

-- Steering: what each recording is like facet by facet, and what listeners said of the answers.

-- One facet of one recording, whatever the encoder. `search` is what candidates are found by where
-- that is not the vector itself.
CREATE TABLE facets (
    facet     text NOT NULL CHECK (facet IN ('timbre', 'harmony', 'rhythm', 'energy', 'structure')),
    track_id  bigint NOT NULL REFERENCES tracks ON DELETE CASCADE,
    revision  text NOT NULL,
    vector    halfvec NOT NULL,
    search    halfvec,
    PRIMARY KEY (facet, track_id)
);
CREATE INDEX facets_track_id ON facets (track_id);
-- HNSW needs the dimension as a constant: 4 lags of 84 values.
CREATE INDEX facets_harmony ON facets USING hnsw ((search::halfvec(336)) halfvec_cosine_ops)
    WHERE facet = 'harmony';

-- What people ask for by number. course: little-endian float32, energy in even steps.
CREATE TABLE measures (
    track_id          bigint PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    revision          text NOT NULL,
    tempo_bpm         real,
    tempo_confidence  real,
    tonic             smallint CHECK (tonic BETWEEN 0 AND 11),
    mode              text CHECK (mode IN ('major', 'minor')),
    key_confidence    real,
    loudness_lufs     real,
    loudness_range_lu real,
    activity          real NOT NULL,
    course            bytea NOT NULL,
    brightness        real,
    drive             real
);

-- What a listener said of a track as an answer to another one.
CREATE TABLE verdicts (
    listener  text NOT NULL,
    seed_id   bigint NOT NULL REFERENCES tracks ON DELETE CASCADE,
    track_id  bigint NOT NULL REFERENCES tracks ON DELETE CASCADE,
    verdict   text NOT NULL CHECK (verdict IN ('like', 'dislike', 'skip')),
    noted_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (listener, seed_id, track_id),
    CHECK (seed_id <> track_id)
);
CREATE INDEX verdicts_track_id ON verdicts (track_id);
CREATE INDEX verdicts_seed_id ON verdicts (seed_id);

-- Tracks that are never suggested, as filters in the words of the command line.
CREATE TABLE never_rules (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    listener text NOT NULL DEFAULT '', -- whose; '' for all
    words jsonb NOT NULL,
    except_months integer[] NOT NULL DEFAULT '{}', -- 1 to 12: in these it does not hold
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (listener, words, except_months)
);

-- How alike tracks of a space are that were drawn at random: what a likeness is measured by.
CREATE TABLE likeness_scales (
    space_id integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    compared text NOT NULL, -- what counts in the scores
    last_track bigint NOT NULL, -- the newest track when it was made
    scores bytea NOT NULL, -- sorted, little-endian float32
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space_id, compared)
);

-- What heads read from stored vectors: the tags that are said of a track, and the values behind all.
CREATE TABLE track_tags (
    track_id bigint PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    head text NOT NULL, -- the version of the head
    tags text[] NOT NULL, -- folded, the likeliest first
    raw bytea NOT NULL -- little-endian float32, one for each label of the head
);
CREATE INDEX track_tags_tags ON track_tags USING gin (tags);

-- Spaces whose tracks all have their tags, and heads that were distilled for a space.
CREATE TABLE space_heads (
    space_id integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    head text NOT NULL,
    is_filled boolean NOT NULL DEFAULT false,
    weights bytea, -- little-endian float32: mean (dim), matrix (dim × labels), offset (labels)
    PRIMARY KEY (space_id, head)
);

-- Recordings that are the same music, by audio evidence or by a person's word. Nothing is ever
-- merged or deleted: a link is a row that can be taken away again.

-- One row a pair. kind: what the evidence, or a person, says they are to each other. The evidence
-- is null where only a person spoke.
CREATE TABLE duplicates (
    one_id      bigint NOT NULL REFERENCES tracks ON DELETE CASCADE,
    other_id    bigint NOT NULL REFERENCES tracks ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('same', 'altered', 'version', 'live', 'remaster')),
    state       text NOT NULL CHECK (state IN ('found', 'confirmed', 'rejected')),
    likeness    real,
    coverage    real,
    speed       real,
    offset_s    real,
    harmony     real,
    semitones   smallint,
    noted_at    timestamptz NOT NULL DEFAULT now(),
    range_lu    real,
    PRIMARY KEY (one_id, other_id),
    CHECK (one_id < other_id)
);
CREATE INDEX duplicates_other_id ON duplicates (other_id);

-- Which tracks have looked for duplicates, in which space.
CREATE TABLE duplicate_searches (
    track_id   bigint NOT NULL REFERENCES tracks ON DELETE CASCADE,
    space_id   integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    revision   text NOT NULL,
    PRIMARY KEY (track_id, space_id)
);
CREATE INDEX duplicate_searches_space_id ON duplicate_searches (space_id);

-- Whose an account of a player is, so that what it did can be evidence of a taste.

-- since: what happened up to then does not count any more; null where all counts.
CREATE TABLE listener_accounts (
    source    text NOT NULL,
    account   text NOT NULL,
    listener  text NOT NULL,
    since     timestamptz,
    PRIMARY KEY (source, account)
);
CREATE INDEX listener_accounts_listener ON listener_accounts (listener);

-- Metrics of one's own: spaces whose song vectors went through a map that was learned from judgements.

-- chosen: whether questions are answered in it. The figures are those of its trial, on tracks that the
-- fit did not see.
CREATE TABLE metrics (
    space_id       integer PRIMARY KEY REFERENCES spaces ON DELETE CASCADE,
    name           text NOT NULL UNIQUE,
    chosen         boolean NOT NULL DEFAULT false,
    n_comparisons  integer NOT NULL,
    n_groups       integer NOT NULL,
    plain_right    real NOT NULL,
    fitted_right   real NOT NULL,
    certainty      real NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- What the web page draws of a recording: computed when somebody first looks at it.
CREATE TABLE waveforms (
    track_id    bigint PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    duration_s  double precision NOT NULL CHECK (duration_s > 0),
    highest     bytea NOT NULL,
    level       bytea NOT NULL
);

-- Lyrics of each file, from its tags or a file beside it, with their words for full-text search.
CREATE TABLE lyrics (
    file_id bigint PRIMARY KEY REFERENCES files ON DELETE CASCADE,
    text text NOT NULL, -- lines; '' where what could hold lyrics holds none
    starts_s real[] NOT NULL DEFAULT '{}', -- of each line; empty without times
    language text, -- ISO 639-1
    language_names text[] NOT NULL DEFAULT '{}', -- as filters may call it, folded
    stemmer text NOT NULL DEFAULT 'simple', -- text search configuration of the language
    beside text NOT NULL DEFAULT '', -- names, times and sizes of files beside the music
    words tsvector NOT NULL
);
CREATE INDEX lyrics_words ON lyrics USING gin (words);
