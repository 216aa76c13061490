-- A space belongs to one recipe. Recipes that came to the same shared a row, so that all but the first
-- had work that was done and nothing to ask: their files are wanted again.

ALTER TABLE spaces
    DROP CONSTRAINT spaces_encoder_revision_layers_pooling_window_s_hop_s_proje_key,
    ADD CONSTRAINT spaces_identity UNIQUE
        (recipe, encoder, revision, layers, pooling, window_s, hop_s, projection);

UPDATE jobs SET state = 'wanted', outcome = NULL, attempts = 0, interruptions = 0, priority = 6,
    wanted_at = now(), noticed_at = now(), not_before = NULL, sent_at = NULL, started_at = NULL,
    finished_at = NULL
WHERE state = 'done' AND outcome IN ('encoded', 'known')
    AND NOT EXISTS (SELECT FROM spaces WHERE spaces.recipe = jobs.recipe);
