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
