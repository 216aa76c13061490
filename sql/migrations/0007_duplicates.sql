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
