-- Every statement that MESS runs, by name. Parameters are psycopg's %(name)s; braces are filled in
-- by the store with identifiers or constants.

-- Migrations ------------------------------------------------------------------------------------

-- One session migrates at a time; the lock goes with its transaction.
-- name: lock_migrations
SELECT pg_advisory_xact_lock(hashtext('mess migrations'))

-- The record of what was applied.
-- name: create_migrations_table
CREATE TABLE IF NOT EXISTS migrations (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)

-- Whether this database has ever been migrated.
-- name: count_migrations_if_any
SELECT to_regclass('migrations') IS NOT NULL

-- How many migrations it has.
-- name: count_migrations
SELECT count(*) FROM migrations

-- One more.
-- name: record_migration
INSERT INTO migrations (number, name) VALUES (%(number)s, %(name)s)

-- The version of pgvector that the server has or could install.
-- name: available_pgvector
SELECT coalesce(installed_version, default_version)
FROM pg_available_extensions WHERE name = 'vector'

-- The version of pgvector that this database uses.
-- name: installed_pgvector
SELECT extversion FROM pg_extension WHERE extname = 'vector'

-- Ledger ----------------------------------------------------------------------------------------

-- Note the files that were seen and want work for the new, the changed and the unfinished ones.
-- name: want_files
WITH seen AS (
    SELECT * FROM unnest(%(paths)s::bytea[], %(sizes)s::bigint[], %(mtimes)s::bigint[])
        AS seen (path, size_bytes, mtime_ns)
),
before AS (
    SELECT seen.path, files.id IS NULL
        OR (files.size_bytes, files.mtime_ns) <> (seen.size_bytes, seen.mtime_ns) AS changed
    FROM seen LEFT JOIN files USING (path)
),
noted AS (
    INSERT INTO files (path, size_bytes, mtime_ns)
    SELECT path, size_bytes, mtime_ns FROM seen
    ON CONFLICT (path) DO UPDATE SET
        size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, seen_at = now()
    RETURNING id, path
),
state AS (
    SELECT noted.id AS file_id, before.changed OR %(force)s AS changed, jobs.state
    FROM noted JOIN before USING (path)
    LEFT JOIN jobs ON jobs.file_id = noted.id AND jobs.recipe = %(recipe)s
),
wanted AS (
    INSERT INTO jobs (file_id, recipe, batch)
    SELECT file_id, %(recipe)s, %(batch)s FROM state
    WHERE state IS NULL OR changed OR state IN ('wanted', 'running')
        OR (state = 'failed' AND %(retry)s)
    ON CONFLICT (file_id, recipe) DO UPDATE SET
        state = 'wanted', outcome = NULL, batch = excluded.batch, attempts = 0, kind = NULL,
        reason = NULL, wanted_at = now(), started_at = NULL, finished_at = NULL
    RETURNING id
)
SELECT (SELECT coalesce(array_agg(id ORDER BY id), ARRAY[]::integer[]) FROM wanted) AS wanted,
    (SELECT count(*) FROM state WHERE state = 'done' AND NOT changed) AS unchanged,
    (SELECT count(*) FROM state WHERE state = 'failed' AND NOT changed AND NOT %(retry)s) AS failed

-- Take the lock that makes a job run in one place at a time; it goes with the session.
-- name: lock_job
SELECT pg_try_advisory_lock(%(space)s, %(job_id)s)

-- Give it back.
-- name: unlock_job
SELECT pg_advisory_unlock(%(space)s, %(job_id)s)

-- Start a job that still wants doing. Attempts that the database itself cut short are forgiven.
-- name: start_job
UPDATE jobs SET state = 'running', attempts = greatest(1, attempts + 1 - %(forgiven)s),
    started_at = now()
FROM files
WHERE jobs.id = %(job_id)s AND jobs.state IN ('wanted', 'running') AND files.id = jobs.file_id
RETURNING jobs.id, jobs.recipe, jobs.attempts, jobs.file_id, files.path, files.size_bytes,
    files.mtime_ns, files.track_id

-- A job that was done. One that was wanted again meanwhile stays wanted.
-- name: finish_job
UPDATE jobs SET state = 'done', outcome = %(outcome)s, kind = NULL, reason = NULL,
    finished_at = now()
WHERE id = %(job_id)s AND state = 'running'

-- A job that cannot be done, and why.
-- name: fail_job
UPDATE jobs SET state = 'failed', outcome = NULL, kind = %(kind)s, reason = %(reason)s,
    finished_at = now()
WHERE id = %(job_id)s AND state = 'running'

-- A job that could not be done now: the next attempt may.
-- name: give_back_job
UPDATE jobs SET state = 'wanted', kind = %(kind)s, reason = %(reason)s
WHERE id = %(job_id)s AND state = 'running'

-- Jobs whose worker is gone: running, but nobody holds their lock.
-- name: recover_jobs
UPDATE jobs SET state = 'wanted'
WHERE state = 'running' AND NOT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %(space)s::int::oid AND objid = jobs.id::oid
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
RETURNING id

-- The jobs of one batch by state and outcome.
-- name: count_batch
SELECT state::text, coalesce(outcome, ''), count(*) FROM jobs WHERE batch = %(batch)s GROUP BY 1, 2

-- All jobs by recipe and state.
-- name: count_jobs
SELECT recipe, state::text, count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1, 2

-- What failed, newest first.
-- name: list_failures
SELECT files.path, jobs.recipe, jobs.kind, jobs.reason, jobs.attempts, jobs.finished_at
FROM jobs JOIN files ON files.id = jobs.file_id
WHERE jobs.state = 'failed'
ORDER BY jobs.finished_at DESC, files.path
LIMIT %(limit)s

-- The file as it was when its audio was read; its tags and its track.
-- name: locate_file
UPDATE files SET track_id = %(track_id)s, title = %(title)s, artist = %(artist)s,
    album = %(album)s, album_artist = %(album_artist)s, genre = %(genre)s, year = %(year)s,
    track_number = %(track_number)s, bpm = %(bpm)s, key = %(key)s,
    musicbrainz_recording = %(musicbrainz_recording)s,
    musicbrainz_release = %(musicbrainz_release)s, words = %(words)s
WHERE id = %(file_id)s

-- A file whose audio could not be read any more belongs to no track.
-- name: unlocate_file
UPDATE files SET track_id = NULL WHERE id = %(file_id)s

-- Known paths below some folders, or equal to some files.
-- name: list_paths
SELECT id, path FROM files
WHERE path = ANY(%(exact)s::bytea[])
    OR EXISTS (
        SELECT FROM unnest(%(prefixes)s::bytea[]) AS prefix
        WHERE substring(files.path FROM 1 FOR length(prefix)) = prefix
    )
ORDER BY path

-- Locations that are gone.
-- name: delete_files
DELETE FROM files WHERE id = ANY(%(ids)s)

-- Recordings that lie nowhere any more.
-- name: delete_orphans
DELETE FROM tracks WHERE NOT EXISTS (SELECT FROM files WHERE files.track_id = tracks.id)

-- Library ---------------------------------------------------------------------------------------

-- The recording of some audio.
-- name: save_track
INSERT INTO tracks (identity, duration_s, damage)
VALUES (%(identity)s, %(duration_s)s, %(damage)s)
ON CONFLICT (identity) DO UPDATE SET duration_s = excluded.duration_s, damage = excluded.damage
RETURNING id

-- The recording of some audio, if it is known.
-- name: find_identity
SELECT id FROM tracks WHERE identity = %(identity)s

-- The cards of some tracks.
-- name: get_tracks
SELECT id, duration_s, title, artist, album, album_artist, genre, year, track_number, bpm, key,
    musicbrainz_recording, musicbrainz_release,
    (SELECT array_agg(files.path ORDER BY files.path) FROM files WHERE files.track_id = card.id)
FROM track_cards AS card WHERE id = ANY(%(ids)s)

-- The track at a path.
-- name: find_path
SELECT files.track_id, jobs.kind, jobs.reason
FROM files LEFT JOIN jobs ON jobs.file_id = files.id AND jobs.state = 'failed'
WHERE files.path = %(path)s
ORDER BY jobs.finished_at DESC NULLS LAST
LIMIT 1

-- Tracks whose words contain all the words asked for, closest first.
-- name: find_words
SELECT id, count(*) OVER () FROM track_cards
WHERE words LIKE ALL (%(patterns)s::text[])
ORDER BY words <-> %(words)s, id
LIMIT %(limit)s

-- Tracks whose words resemble what was asked for.
-- name: find_resembling
SELECT id FROM track_cards
WHERE word_similarity(%(words)s, words) > 0.35
ORDER BY word_similarity(%(words)s, words) DESC, id
LIMIT %(limit)s

-- How much there is.
-- name: count_library
SELECT (SELECT count(*) FROM tracks), (SELECT count(*) FROM files WHERE track_id IS NOT NULL),
    (SELECT coalesce(sum(duration_s), 0) FROM tracks)

-- Spaces ----------------------------------------------------------------------------------------

-- The raw space of an encoder, made on first use.
-- name: save_space
INSERT INTO spaces (recipe, encoder, revision, layers, pooling, window_s, hop_s, dim, projection,
    base_id, fitted_on, state)
VALUES (%(recipe)s, %(encoder)s, %(revision)s, %(layers)s, %(pooling)s, %(window_s)s, %(hop_s)s,
    %(dim)s, %(projection)s, %(base_id)s, %(fitted_on)s, %(state)s)
ON CONFLICT (encoder, revision, layers, pooling, window_s, hop_s, projection) DO NOTHING
RETURNING id

-- One space by what it is.
-- name: find_space
SELECT id FROM spaces
WHERE encoder = %(encoder)s AND revision = %(revision)s AND layers = %(layers)s
    AND pooling = %(pooling)s AND window_s = %(window_s)s AND hop_s = %(hop_s)s
    AND projection = %(projection)s

-- The space that questions about a recipe are answered in: the newest projected one, else the raw.
-- name: searchable_space
SELECT id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection, base_id
FROM spaces WHERE recipe = %(recipe)s AND state = 'active'
ORDER BY base_id IS NULL, id DESC
LIMIT 1

-- The raw space of a recipe that is in use: the newest revision.
-- name: base_space
SELECT id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection, base_id
FROM spaces WHERE recipe = %(recipe)s AND base_id IS NULL AND state = 'active'
ORDER BY id DESC
LIMIT 1

-- Spaces computed from a raw one that new tracks must enter.
-- name: projected_spaces
SELECT id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection, base_id
FROM spaces WHERE base_id = %(space_id)s AND state <> 'retired'
ORDER BY id

-- All spaces with how many tracks each holds.
-- name: list_spaces
SELECT id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection, base_id,
    recipe, state::text, fitted_on,
    (SELECT count(*) FROM song_embeddings WHERE space_id = spaces.id)
FROM spaces ORDER BY id

-- On how many tracks the projection in use was fitted, and how many there are now.
-- name: fit_progress
SELECT
    coalesce((SELECT max(fitted_on) FROM spaces AS projected
        WHERE projected.base_id = %(space_id)s AND projected.state = 'active'), 0),
    (SELECT count(*) FROM song_embeddings WHERE space_id = %(space_id)s)

-- One map of a projected space.
-- name: save_projection
INSERT INTO projections (space_id, level, mean, matrix)
VALUES (%(space_id)s, %(level)s, %(mean)s, %(matrix)s)

-- The maps of a projected space.
-- name: get_projections
SELECT level, mean, matrix FROM projections WHERE space_id = %(space_id)s

-- Writers of a family of spaces share this lock; switching to a new projection takes it alone.
-- name: share_space_lock
SELECT pg_advisory_xact_lock_shared(hashtext('mess space'), %(space_id)s)

-- Taken by the one that switches.
-- name: own_space_lock
SELECT pg_advisory_xact_lock(hashtext('mess space'), %(space_id)s)

-- The new projection answers from now on.
-- name: activate_space
UPDATE spaces SET state = 'active' WHERE id = %(space_id)s

-- Everything that was computed from a base, except the one that took over.
-- name: delete_projected_spaces
DELETE FROM spaces WHERE base_id = %(base_id)s AND id <> %(keep)s
RETURNING id

-- An approximate index for one level of one space. HNSW needs the dimension as a constant.
-- name: create_index
CREATE INDEX IF NOT EXISTS {index} ON {table}
    USING hnsw ((vector::halfvec({dim})) halfvec_cosine_ops) WHERE space_id = {space}

-- Gone with its space.
-- name: drop_index
DROP INDEX IF EXISTS {index}

-- Embeddings ------------------------------------------------------------------------------------

-- Make room for the vectors of a track in a space.
-- name: delete_embeddings
DELETE FROM embeddings WHERE space_id = %(space_id)s AND track_id = %(track_id)s

-- Write vectors.
-- name: copy_embeddings
COPY embeddings (level, space_id, track_id, ordinal, start_s, end_s, label, vector)
FROM STDIN (FORMAT binary)

-- Whether a track has vectors in a space.
-- name: has_embeddings
SELECT EXISTS (SELECT FROM song_embeddings
    WHERE space_id = %(space_id)s AND track_id = %(track_id)s)

-- One level of one track in a space, in order of time.
-- name: get_embeddings
SELECT start_s, end_s, label, vector FROM embeddings
WHERE level = %(level)s AND space_id = %(space_id)s AND track_id = %(track_id)s
ORDER BY ordinal

-- One level of several tracks.
-- name: get_embeddings_of_tracks
SELECT track_id, start_s, end_s, label, vector FROM embeddings
WHERE level = %(level)s AND space_id = %(space_id)s AND track_id = ANY(%(track_ids)s)
ORDER BY track_id, ordinal

-- One level of a whole space with the track's first location.
-- name: export_embeddings
SELECT card.path, start_s, end_s, vector
FROM embeddings JOIN track_cards AS card ON card.id = track_id
WHERE level = %(level)s AND space_id = %(space_id)s
ORDER BY card.path, ordinal

-- A sample of one level for fitting a projection; a fixed order makes it repeatable.
-- name: sample_embeddings
SELECT track_id, vector FROM embeddings
WHERE level = %(level)s AND space_id = %(space_id)s
ORDER BY hashint8(track_id), ordinal
LIMIT %(limit)s

-- Tracks of a base space that a projected one lacks.
-- name: missing_in_space
SELECT base.track_id FROM song_embeddings AS base
WHERE base.space_id = %(base_id)s AND NOT EXISTS (
    SELECT FROM song_embeddings AS projected
    WHERE projected.space_id = %(space_id)s AND projected.track_id = base.track_id
)
ORDER BY base.track_id

-- How many vectors a level of a space has, as far as it matters for choosing exact search.
-- name: count_up_to
SELECT count(*) FROM (
    SELECT FROM embeddings WHERE level = %(level)s AND space_id = %(space_id)s LIMIT %(limit)s
) AS counted

-- The nearest vectors by the index. Candidates come in nearly the right order, so they are sorted.
-- name: nearest_by_index
SELECT * FROM (
    SELECT track_id, ordinal, start_s, end_s, label,
        vector::halfvec({dim}) <=> %(vector)s::halfvec({dim}) AS distance
    FROM {table}
    WHERE space_id = {space} AND track_id <> ALL (%(excluded)s::bigint[])
    ORDER BY vector::halfvec({dim}) <=> %(vector)s::halfvec({dim})
    LIMIT %(limit)s
) AS found ORDER BY distance, track_id, ordinal

-- The nearest vectors by looking at every one.
-- name: nearest_exactly
SELECT track_id, ordinal, start_s, end_s, label, vector <=> %(vector)s::halfvec AS distance
FROM {table}
WHERE space_id = {space} AND track_id <> ALL (%(excluded)s::bigint[])
ORDER BY distance, track_id, ordinal
LIMIT %(limit)s

-- Facets ----------------------------------------------------------------------------------------

-- Make room for what was heard in a track.
-- name: delete_facets
DELETE FROM facets WHERE track_id = %(track_id)s

-- One facet of a track.
-- name: save_facet
INSERT INTO facets (facet, track_id, revision, vector, search)
VALUES (%(facet)s, %(track_id)s, %(revision)s, %(vector)s, %(search)s)

-- The measures of a track, in place of earlier ones.
-- name: save_measures
INSERT INTO measures (track_id, revision, tempo_bpm, tempo_confidence, tonic, mode, key_confidence,
    loudness_lufs, loudness_range_lu, activity, course)
VALUES (%(track_id)s, %(revision)s, %(tempo_bpm)s, %(tempo_confidence)s, %(tonic)s, %(mode)s,
    %(key_confidence)s, %(loudness_lufs)s, %(loudness_range_lu)s, %(activity)s, %(course)s)
ON CONFLICT (track_id) DO UPDATE SET revision = excluded.revision, tempo_bpm = excluded.tempo_bpm,
    tempo_confidence = excluded.tempo_confidence, tonic = excluded.tonic, mode = excluded.mode,
    key_confidence = excluded.key_confidence, loudness_lufs = excluded.loudness_lufs,
    loudness_range_lu = excluded.loudness_range_lu, activity = excluded.activity,
    course = excluded.course

-- Tracks without measures of this revision, with one location.
-- name: tracks_without_facets
SELECT card.id, card.path FROM track_cards AS card
WHERE NOT EXISTS (SELECT FROM measures
    WHERE measures.track_id = card.id AND measures.revision = %(revision)s)
ORDER BY card.path

-- One facet of some tracks.
-- name: get_facets
SELECT track_id, vector FROM facets
WHERE facet = %(facet)s AND revision = %(revision)s AND track_id = ANY(%(track_ids)s)

-- The measures of some tracks.
-- name: get_measures
SELECT track_id, tempo_bpm, tempo_confidence, tonic, mode, key_confidence, loudness_lufs,
    loudness_range_lu, activity, course
FROM measures WHERE revision = %(revision)s AND track_id = ANY(%(track_ids)s)

-- The tracks nearest in one facet, by looking at every one.
-- name: nearest_in_facet
SELECT track_id FROM facets
WHERE facet = %(facet)s AND revision = %(revision)s AND track_id <> ALL (%(excluded)s::bigint[])
    AND (%(allowed)s::bigint[] IS NULL OR track_id = ANY(%(allowed)s::bigint[]))
ORDER BY coalesce(search, vector) <=> %(vector)s::halfvec, track_id
LIMIT %(limit)s

-- Steering --------------------------------------------------------------------------------------

-- Tracks that pass the filters that SQL can judge, with their keys. Null parameters do not filter.
-- name: allowed_tracks
SELECT DISTINCT ON (files.track_id) files.track_id, files.key, measures.tonic, measures.mode
FROM files
JOIN tracks ON tracks.id = files.track_id
LEFT JOIN measures ON measures.track_id = files.track_id AND measures.revision = %(revision)s
WHERE (%(tempo_low)s::real IS NULL OR EXISTS (
        SELECT FROM unnest(ARRAY[0.5, 1, 2]) AS octave
        WHERE coalesce(files.bpm, measures.tempo_bpm) * octave
            BETWEEN %(tempo_low)s::real AND %(tempo_high)s::real))
    AND tracks.duration_s BETWEEN %(duration_low)s::real AND %(duration_high)s::real
    AND (%(year_low)s::real IS NULL
        OR files.year BETWEEN %(year_low)s::real AND %(year_high)s::real)
    AND (%(activity_low)s::real IS NULL
        OR measures.activity BETWEEN %(activity_low)s::real AND %(activity_high)s::real)
    AND (%(loudness_low)s::real IS NULL
        OR measures.loudness_lufs BETWEEN %(loudness_low)s::real AND %(loudness_high)s::real)
    AND (%(genre)s::text IS NULL OR files.genre ILIKE %(genre)s::text)
    AND (%(artist)s::text IS NULL OR files.artist ILIKE %(artist)s::text
        OR files.album_artist ILIKE %(artist)s::text)
    AND (%(album)s::text IS NULL OR files.album ILIKE %(album)s::text)
    AND (%(folder)s::bytea IS NULL
        OR substring(files.path FROM 1 FOR length(%(folder)s::bytea)) = %(folder)s::bytea)
    AND files.words NOT LIKE ALL (%(excluded_words)s::text[])
ORDER BY files.track_id, files.path

-- The songs nearest among some tracks, by looking at every one of them.
-- name: nearest_songs_among
SELECT track_id FROM song_embeddings
WHERE space_id = %(space_id)s AND track_id = ANY(%(allowed)s::bigint[])
    AND track_id <> ALL (%(excluded)s::bigint[])
ORDER BY vector <=> %(vector)s::halfvec, track_id
LIMIT %(limit)s

-- How much happens in every track that is in a space.
-- name: activities
SELECT measures.track_id, measures.activity FROM measures
JOIN song_embeddings ON song_embeddings.track_id = measures.track_id
WHERE measures.revision = %(revision)s AND song_embeddings.space_id = %(space_id)s
ORDER BY measures.track_id

-- The first and the last section of some tracks.
-- name: edge_sections
SELECT track_id, ordinal, vector FROM section_embeddings AS section
WHERE space_id = %(space_id)s AND track_id = ANY(%(track_ids)s)
    AND (ordinal = 0 OR NOT EXISTS (SELECT FROM section_embeddings AS later
        WHERE later.space_id = section.space_id AND later.track_id = section.track_id
            AND later.ordinal > section.ordinal))
ORDER BY track_id, ordinal

-- Taste -----------------------------------------------------------------------------------------

-- What a listener says of a track as an answer to another one, in place of what was said before.
-- name: save_verdict
INSERT INTO verdicts (listener, seed_id, track_id, verdict)
VALUES (%(listener)s, %(seed_id)s, %(track_id)s, %(verdict)s)
ON CONFLICT (listener, seed_id, track_id) DO UPDATE SET verdict = excluded.verdict, noted_at = now()

-- All that a listener said, oldest first.
-- name: get_verdicts
SELECT seed_id, track_id, verdict, noted_at FROM verdicts
WHERE listener = %(listener)s ORDER BY noted_at, seed_id, track_id

-- Forget what a listener said.
-- name: delete_verdicts
DELETE FROM verdicts WHERE listener = %(listener)s RETURNING track_id
