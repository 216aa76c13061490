-- Language and rating, by which answers can be filtered. Known files get them when their tags are read
-- again.

ALTER TABLE files ADD COLUMN language text, ADD COLUMN rating real;

CREATE OR REPLACE VIEW track_cards AS
SELECT DISTINCT ON (t.id)
    t.id, t.identity, t.duration_s, t.damage, f.path, f.title, f.artist, f.album,
    f.album_artist, f.genre, f.year, f.track_number, f.bpm, f.key,
    f.musicbrainz_recording, f.musicbrainz_release, f.words, f.language, f.rating
FROM tracks AS t
JOIN files AS f ON f.track_id = t.id AND f.missing_since IS NULL
ORDER BY t.id, f.path;
