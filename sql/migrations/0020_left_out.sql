-- What the last walk of a watched folder passed over: files by ending, and folders by the reason.
ALTER TABLE roots
    ADD COLUMN passed_over jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN left_out jsonb NOT NULL DEFAULT '{}';
