-- Tracks that are never suggested, as filters in the words of the command line.
CREATE TABLE never_rules (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    listener text NOT NULL DEFAULT '', -- whose; '' for all
    words jsonb NOT NULL,
    except_months integer[] NOT NULL DEFAULT '{}', -- 1 to 12: in these it does not hold
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (listener, words, except_months)
);
