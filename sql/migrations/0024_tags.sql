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
