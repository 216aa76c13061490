-- How the library is to be heard, where somebody chose it: one recipe answers. While another is
-- built beside it, answers keep coming from the first.
CREATE TABLE chosen_recipes (
    role    text PRIMARY KEY CHECK (role IN ('answering', 'building')),
    recipe  text NOT NULL,
    since   timestamptz NOT NULL DEFAULT now()
);
