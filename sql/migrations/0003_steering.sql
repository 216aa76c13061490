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
    course            bytea NOT NULL
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
