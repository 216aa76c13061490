-- Tags as they are compared, folded by `mess_plugin.folding` and by nothing else: `store.migrate` fills
-- the columns for the files that are known. artist_words: artist and album artist, one a line.
ALTER TABLE files
    ADD COLUMN title_words text NOT NULL DEFAULT '',
    ADD COLUMN artist_words text NOT NULL DEFAULT '',
    ADD COLUMN album_words text NOT NULL DEFAULT '',
    ADD COLUMN genre_words text NOT NULL DEFAULT '',
    ADD COLUMN language_words text NOT NULL DEFAULT '';

CREATE OR REPLACE VIEW track_cards AS
SELECT DISTINCT ON (t.id)
    t.id, t.identity, t.duration_s, t.damage, f.path, f.title, f.artist, f.album,
    f.album_artist, f.genre, f.year, f.track_number, f.bpm, f.key,
    f.musicbrainz_recording, f.musicbrainz_release, f.words, f.language, f.rating, f.title_words
FROM tracks AS t
JOIN files AS f ON f.track_id = t.id AND f.missing_since IS NULL
ORDER BY t.id, f.path;
