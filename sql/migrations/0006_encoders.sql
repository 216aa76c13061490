-- How the library is to be heard, where somebody chose it: one recipe answers. While another is
-- built beside it, answers keep coming from the first.
CREATE TABLE chosen_recipes (
    role    text PRIMARY KEY CHECK (role IN ('answering', 'building')),
    recipe  text NOT NULL,
    since   timestamptz NOT NULL DEFAULT now()
);

-- Two recipes may come to the same space, such as one that names the default layers and one that
-- does not. Each has its own, so that it can be asked.
ALTER TABLE spaces
    DROP CONSTRAINT spaces_encoder_revision_layers_pooling_window_s_hop_s_proje_key,
    ADD UNIQUE (recipe, encoder, revision, layers, pooling, window_s, hop_s, projection);
