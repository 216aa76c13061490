-- Lyrics of each file, from its tags or a file beside it, with their words for full-text search.
CREATE TABLE lyrics (
    file_id bigint PRIMARY KEY REFERENCES files ON DELETE CASCADE,
    text text NOT NULL, -- lines; '' where what could hold lyrics holds none
    starts_s real[] NOT NULL DEFAULT '{}', -- of each line; empty without times
    language text, -- ISO 639-1
    language_names text[] NOT NULL DEFAULT '{}', -- as filters may call it, folded
    stemmer text NOT NULL DEFAULT 'simple', -- text search configuration of the language
    beside text NOT NULL DEFAULT '', -- names, times and sizes of files beside the music
    words tsvector NOT NULL
);
CREATE INDEX lyrics_words ON lyrics USING gin (words);
