-- How alike tracks of a space are that were drawn at random: what a likeness is measured by.
CREATE TABLE likeness_scales (
    space_id integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    compared text NOT NULL, -- what counts in the scores
    last_track bigint NOT NULL, -- the newest track when it was made
    scores bytea NOT NULL, -- sorted, little-endian float32
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space_id, compared)
);
