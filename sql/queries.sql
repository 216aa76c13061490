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
-- name: has_migrations
SELECT to_regclass('migrations') IS NOT NULL

-- The migrations it has.
-- name: list_migrations
SELECT number FROM migrations

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

-- Where tables are created; null where the search path names no schema that is there.
-- name: current_schema
SELECT current_schema()

-- Schemas that hold our extensions and that names are not looked up in, and whether we may use them.
-- name: hidden_extensions
SELECT DISTINCT nspname, has_schema_privilege(pg_namespace.oid, 'USAGE')
FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
WHERE extname IN ('vector', 'pg_trgm') AND nspname <> ALL (current_schemas(true))

-- Look names up in one more schema, after all others, for the rest of the session.
-- name: extend_search_path
SELECT set_config('search_path',
    concat_ws(', ', nullif(current_setting('search_path'), ''), quote_ident(%(schema)s)), false)

-- Backup ----------------------------------------------------------------------------------------

-- Everything that a transaction reads is as of its first statement.
-- name: read_one_moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- Our tables; of partitioned ones the whole.
-- name: list_tables
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
ORDER BY relname

-- Which table refers to which.
-- name: list_references
SELECT DISTINCT one.relname, other.relname FROM pg_constraint
JOIN pg_class AS one ON one.oid = conrelid JOIN pg_class AS other ON other.oid = confrelid
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND one.oid <> other.oid

-- The columns of a table that hold data of their own, and which of them count up by themselves.
-- name: list_columns
SELECT attname, attidentity <> '' FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum

-- A table as it is sent over the wire.
-- name: copy_table_out
COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT BINARY)

-- And back.
-- name: copy_table_in
COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)

-- How many rows a table has.
-- name: count_rows
SELECT count(*) FROM {table}

-- A column that counts up goes on behind its highest number.
-- name: go_on_counting
SELECT setval(pg_get_serial_sequence(%(table)s, %(column)s), coalesce(max({column}), 1),
    max({column}) IS NOT NULL) FROM {table}

-- The approximate indexes of spaces, which no migration makes.
-- name: list_space_indexes
SELECT indexname FROM pg_indexes
WHERE schemaname = current_schema() AND indexname LIKE '%%\_embeddings\_space\_%%' ORDER BY 1

-- Take a table away with all that hangs on it.
-- name: drop_table
DROP TABLE {table} CASCADE

-- Our types.
-- name: list_types
SELECT typname FROM pg_type WHERE typnamespace = current_schema()::regnamespace AND typtype = 'e'

-- Take a type away.
-- name: drop_type
DROP TYPE {type}

-- In this session no statement may run longer than this.
-- name: limit_statements
SELECT set_config('statement_timeout', %(limit_ms)s, false)

-- Wait no longer than this for tables that others use.
-- name: limit_lock_wait
SELECT set_config('lock_timeout', %(wait_ms)s, true)

-- Ledger ----------------------------------------------------------------------------------------

-- Note the files that were seen and want work for the new and the changed ones, and for all where
-- that is asked for. A time of change or an inode that is not known yet is taken on, and makes no change. Unfinished work is joined to the batch and need not wait any longer. A recipe
-- that is being built wants the new and the changed files as well, with the least priority; what
-- other recipes know of the changed ones is out of date.
-- name: enqueue_files
WITH seen AS (
    SELECT DISTINCT ON (path) * FROM unnest(
        %(paths)s::bytea[], %(sizes)s::bigint[], %(mtimes)s::bigint[], %(ctimes)s::bigint[],
        %(inodes)s::bigint[], %(written)s::boolean[], %(noticed)s::timestamptz[]
    ) AS seen (path, size_bytes, mtime_ns, ctime_ns, inode, was_written, noticed_at)
),
before AS (
    SELECT seen.path, seen.noticed_at, files.id IS NULL OR seen.was_written
        OR (files.size_bytes, files.mtime_ns) <> (seen.size_bytes, seen.mtime_ns)
        OR coalesce(files.ctime_ns <> seen.ctime_ns, false)
        OR coalesce(files.inode <> seen.inode, false) AS changed
    FROM seen LEFT JOIN files USING (path)
),
noted AS (
    INSERT INTO files (path, size_bytes, mtime_ns, ctime_ns, inode)
    SELECT path, size_bytes, mtime_ns, ctime_ns, inode FROM seen
    ON CONFLICT (path) DO UPDATE SET size_bytes = excluded.size_bytes,
        mtime_ns = excluded.mtime_ns, ctime_ns = coalesce(excluded.ctime_ns, files.ctime_ns),
        inode = excluded.inode, seen_at = now(), missing_since = NULL
    RETURNING id, path
),
state AS (
    SELECT noted.id AS file_id, before.noticed_at, before.changed,
        before.changed OR %(force)s OR jobs.outcome IS NOT DISTINCT FROM 'gone' AS due,
        jobs.id AS job_id, jobs.state
    FROM noted JOIN before USING (path)
    LEFT JOIN jobs ON jobs.file_id = noted.id AND jobs.recipe = %(recipe)s
),
renewed AS (
    INSERT INTO jobs (file_id, recipe, batch, priority, noticed_at)
    SELECT file_id, %(recipe)s, %(batch)s::uuid, CASE WHEN changed THEN 3 ELSE 6 END,
        coalesce(noticed_at, now())
    FROM state WHERE state IS NULL OR due OR (state = 'failed' AND %(retry)s)
    ORDER BY file_id -- which is the order of the paths where the files are new
    ON CONFLICT (file_id, recipe) DO UPDATE SET
        state = 'wanted', outcome = NULL, batch = coalesce(excluded.batch, jobs.batch),
        priority = excluded.priority, attempts = 0, interruptions = 0, kind = NULL, reason = NULL,
        wanted_at = now(), noticed_at = excluded.noticed_at, not_before = NULL, sent_at = NULL,
        started_at = NULL, finished_at = NULL
    RETURNING id
),
outdated AS (
    DELETE FROM jobs USING state
    WHERE jobs.file_id = state.file_id AND state.changed AND jobs.recipe <> %(recipe)s
        AND jobs.state IN ('done', 'failed')
        AND jobs.recipe NOT IN (SELECT recipe FROM chosen_recipes WHERE role = 'building')
),
beside AS (
    INSERT INTO jobs (file_id, recipe, priority)
    SELECT file_id, chosen.recipe, 9 FROM state CROSS JOIN chosen_recipes AS chosen
    WHERE chosen.role = 'building' AND chosen.recipe <> %(recipe)s AND (state.changed OR NOT EXISTS (
        SELECT FROM jobs WHERE jobs.file_id = state.file_id AND jobs.recipe = chosen.recipe
            AND jobs.outcome IS DISTINCT FROM 'gone'))
    ON CONFLICT (file_id, recipe) DO UPDATE SET
        state = 'wanted', outcome = NULL, priority = 9, attempts = 0, interruptions = 0,
        kind = NULL, reason = NULL, wanted_at = now(), not_before = NULL, sent_at = NULL,
        started_at = NULL, finished_at = NULL
),
joined AS (
    UPDATE jobs SET batch = coalesce(%(batch)s::uuid, batch), not_before = NULL
    WHERE id IN (
        SELECT job_id FROM state WHERE state IN ('wanted', 'running') AND NOT due
    )
    RETURNING id
)
SELECT ARRAY(SELECT id FROM renewed UNION ALL SELECT id FROM joined ORDER BY id) AS wanted,
    (SELECT count(*) FROM state WHERE state = 'done' AND NOT due) AS unchanged,
    (SELECT count(*) FROM state WHERE state = 'failed' AND NOT due AND NOT %(retry)s) AS failed

-- A file that cannot be handed to a worker, and why.
-- name: refuse_file
UPDATE jobs SET state = 'failed', outcome = NULL, kind = %(kind)s, reason = %(reason)s,
    finished_at = now()
FROM files WHERE files.id = jobs.file_id AND files.path = %(path)s AND jobs.state = 'wanted'

-- Wake whoever sends work.
-- name: announce_work
SELECT pg_notify('mess_work', '')

-- Take the lock that makes a job run in one place at a time; it goes with the session.
-- name: lock_job
SELECT pg_try_advisory_lock(%(space)s, %(job_id)s)

-- Give it back.
-- name: unlock_job
SELECT pg_advisory_unlock(%(space)s, %(job_id)s)

-- Start a job that still wants doing, and count the attempt.
-- name: start_job
UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = now(), sent_at = NULL,
    not_before = NULL, worker_id = (SELECT id FROM workers WHERE id = %(worker_id)s)
FROM files
WHERE jobs.id = %(job_id)s AND jobs.state = 'wanted' AND files.id = jobs.file_id
RETURNING jobs.id, jobs.recipe, jobs.attempts, jobs.interruptions, jobs.file_id, files.path,
    files.size_bytes, files.mtime_ns

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

-- A job that could not be done now: the next attempt may. An excused attempt does not count.
-- name: give_back_job
UPDATE jobs SET state = 'wanted', kind = %(kind)s, reason = %(reason)s, sent_at = NULL,
    attempts = greatest(0, attempts - %(excused)s::integer),
    not_before = now() + make_interval(secs => %(wait_s)s)
WHERE id = %(job_id)s AND state = 'running'

-- A job whose message came while somebody still works at it from before.
-- name: postpone_job
UPDATE jobs SET sent_at = NULL, not_before = now() + make_interval(secs => %(wait_s)s)
WHERE id = %(job_id)s AND state = 'wanted'

-- Jobs that nobody works at any more: running, but nobody holds their lock. The attempt counts
-- where the process died while its worker was present without a break: then the file may be to blame.
-- name: recover_jobs
WITH held AS (
    SELECT classid, objid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
),
lost AS (
    SELECT jobs.id, (
        jobs.started_at < pg_postmaster_start_time() OR NOT EXISTS (
            SELECT FROM held JOIN workers ON workers.id::oid = objid
            WHERE classid = %(workers)s::int::oid AND workers.id = jobs.worker_id
                AND workers.started_at < jobs.started_at
        )
    )::integer AS excused
    FROM jobs
    WHERE state = 'running' AND (%(ids)s::integer[] IS NULL OR id = ANY(%(ids)s::integer[]))
        AND NOT EXISTS (
            SELECT FROM held WHERE classid = %(space)s::int::oid AND objid = jobs.id::oid
        )
)
UPDATE jobs SET state = 'wanted', sent_at = NULL, attempts = greatest(0, attempts - excused),
    interruptions = interruptions + excused,
    not_before = CASE WHEN excused = 0 THEN
        now() + make_interval(secs => least(300, 2 ^ (1 + attempts)) * (0.5 + random())) END
FROM lost
WHERE jobs.id = lost.id AND jobs.state = 'running'
RETURNING jobs.id

-- The jobs of one batch by state and outcome.
-- name: count_batch
SELECT state::text, coalesce(outcome, ''), count(*) FROM jobs WHERE batch = %(batch)s GROUP BY 1, 2

-- Some jobs by state and outcome, whichever batch they belong to by now.
-- name: count_some_jobs
SELECT state::text, coalesce(outcome, ''), count(*) FROM jobs WHERE id = ANY(%(ids)s) GROUP BY 1, 2

-- All jobs by recipe and state.
-- name: count_jobs
SELECT recipe, state::text, count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1, 2

-- What failed, newest first.
-- name: list_failures
SELECT files.path, jobs.recipe, jobs.kind, jobs.reason, jobs.attempts, jobs.finished_at
FROM jobs JOIN files ON files.id = jobs.file_id
WHERE jobs.state = 'failed' AND files.missing_since IS NULL
    AND (%(paths)s::bytea[] IS NULL OR files.path = ANY(%(paths)s::bytea[]))
ORDER BY jobs.finished_at DESC, files.path
LIMIT %(limit)s

-- The file as it was when its audio was read; its tags and its track.
-- name: locate_file
WITH before AS (
    SELECT id, track_id FROM files WHERE id = %(file_id)s AND path = %(path)s FOR UPDATE
)
UPDATE files SET track_id = %(track_id)s, title = %(title)s, artist = %(artist)s,
    album = %(album)s, album_artist = %(album_artist)s, genre = %(genre)s, year = %(year)s,
    track_number = %(track_number)s, bpm = %(bpm)s, key = %(key)s,
    musicbrainz_recording = %(musicbrainz_recording)s,
    musicbrainz_release = %(musicbrainz_release)s, language = %(language)s, rating = %(rating)s,
    words = %(words)s, title_words = %(title_words)s, artist_words = %(artist_words)s,
    album_words = %(album_words)s, genre_words = %(genre_words)s, language_words = %(language_words)s
FROM before WHERE files.id = before.id
RETURNING before.track_id

-- A file whose audio could not be read any more belongs to no track, unless another recipe could read
-- the very same.
-- name: detach_file
WITH before AS (SELECT id, track_id FROM files WHERE id = %(file_id)s FOR UPDATE)
UPDATE files SET track_id = NULL FROM before
WHERE files.id = before.id AND NOT EXISTS (
    SELECT FROM jobs WHERE jobs.file_id = files.id AND jobs.state = 'done')
RETURNING before.track_id

-- Known paths below some folders (prefixes that end with a slash, whose successor is 0), or equal to
-- some files, and whether each is marked missing.
-- name: list_paths
SELECT id, path, missing_since IS NOT NULL FROM files
WHERE path = ANY(%(exact)s::bytea[])
UNION
SELECT id, path, missing_since IS NOT NULL
FROM unnest(%(prefixes)s::bytea[]) AS prefix
JOIN files ON files.path >= prefix
    AND files.path < substring(prefix FROM 1 FOR length(prefix) - 1) || '0'::bytea
ORDER BY path

-- Some files that should be there, spread over the library by the hash of their names.
-- name: sample_files
SELECT path, size_bytes FROM (
    SELECT path, size_bytes FROM files WHERE missing_since IS NULL ORDER BY md5(path) LIMIT %(limit)s
) AS sampled ORDER BY path

-- The recordings at or below a path (a file that was not heard yet counts as one): how many are there,
-- and how many are lost, which are those of files missed or now found gone that lie nowhere else.
-- name: count_below
WITH gone AS MATERIALIZED (SELECT DISTINCT path FROM unnest(%(gone)s::bytea[]) AS path),
below AS (
    SELECT files.track_id, coalesce(files.track_id, -files.id) AS recording,
        files.missing_since IS NOT NULL OR gone.path IS NOT NULL AS is_gone
    FROM files LEFT JOIN gone USING (path)
    WHERE files.path = %(path)s OR (files.path >= %(prefix)s::bytea AND files.path
        < substring(%(prefix)s::bytea FROM 1 FOR length(%(prefix)s::bytea) - 1) || '0'::bytea)
)
SELECT count(DISTINCT recording) FILTER (WHERE NOT is_gone),
    count(DISTINCT recording) FILTER (WHERE is_gone AND NOT EXISTS (
        SELECT FROM files AS other LEFT JOIN gone USING (path)
        WHERE other.track_id = below.track_id AND other.missing_since IS NULL AND gone.path IS NULL
    ))
FROM below

-- How many recordings some files below a path are, of those that are there; no more files are looked
-- at than the limit says.
-- name: count_some_there
SELECT count(DISTINCT recording) FROM (
    SELECT coalesce(track_id, -id) AS recording FROM files
    WHERE missing_since IS NULL AND path <> ALL (%(gone)s::bytea[]) AND path >= %(prefix)s::bytea
        AND path < substring(%(prefix)s::bytea FROM 1 FOR length(%(prefix)s::bytea) - 1) || '0'::bytea
    LIMIT %(limit)s
) AS there

-- Files that are not there now. They are hidden at once and forgotten later.
-- name: mark_missing
UPDATE files SET missing_since = now()
WHERE path = ANY(%(paths)s::bytea[]) AND missing_since IS NULL
RETURNING id

-- Files that have been missed for long enough, except below folders that are not there themselves.
-- name: delete_missing_files
DELETE FROM files
WHERE missing_since < now() - make_interval(secs => %(grace_s)s) AND NOT EXISTS (
    SELECT FROM roots
    WHERE state <> 'watched'
        AND substring(files.path FROM 1 FOR length(roots.path) + 1) = roots.path || '/'::bytea
)
RETURNING id

-- How many files are missed but not forgotten yet.
-- name: count_missing_files
SELECT count(*) FROM files WHERE missing_since IS NOT NULL

-- A file, or everything below a folder, lies somewhere else now. Work at it is wanted again, so that
-- nothing is written under the old name. Names that are taken are left for the next look. The file itself
-- is there; of one below a folder nobody knows.
-- name: rename_files
WITH moved AS (
    UPDATE files SET path = %(new)s::bytea || substring(path FROM length(%(old)s::bytea) + 1),
        missing_since = CASE WHEN path <> %(old)s::bytea THEN missing_since END
    WHERE (path = %(old)s::bytea
            OR (path >= %(old)s::bytea || '/'::bytea AND path < %(old)s::bytea || '0'::bytea))
        AND NOT EXISTS (
            SELECT FROM files AS other WHERE other.path
                = %(new)s::bytea || substring(files.path FROM length(%(old)s::bytea) + 1)
        )
    RETURNING id, path, title, artist, album
),
interrupted AS (
    UPDATE jobs SET state = 'wanted', outcome = NULL, sent_at = NULL, not_before = NULL FROM moved
    WHERE jobs.file_id = moved.id AND (jobs.state = 'running' OR jobs.outcome = 'gone')
)
SELECT id, path, title, artist, album FROM moved ORDER BY path

-- The words by which a file is found, after its name changed.
-- name: save_words
UPDATE files SET words = %(words)s WHERE id = %(file_id)s

-- Files with tags, to be folded again, from an id on.
-- name: files_to_fold
SELECT id, path, title, artist, album, album_artist, genre, language FROM files
WHERE id > %(after)s ORDER BY id LIMIT %(limit)s

-- The folded tags of some files.
-- name: save_folded
UPDATE files SET words = folded.words, title_words = folded.title_words,
    artist_words = folded.artist_words, album_words = folded.album_words,
    genre_words = folded.genre_words, language_words = folded.language_words
FROM unnest(%(ids)s::bigint[], %(words)s::text[], %(title_words)s::text[], %(artist_words)s::text[],
    %(album_words)s::text[], %(genre_words)s::text[], %(language_words)s::text[])
    AS folded (id, words, title_words, artist_words, album_words, genre_words, language_words)
WHERE files.id = folded.id

-- Locations that are gone.
-- name: delete_files
DELETE FROM files WHERE id = ANY(%(ids)s) RETURNING track_id

-- Recordings that lie nowhere any more.
-- name: delete_orphans
DELETE FROM tracks WHERE NOT EXISTS (SELECT FROM files WHERE files.track_id = tracks.id)

-- Of some recordings those that lie nowhere any more. Looking at all of them takes the longer the
-- larger the library is.
-- name: delete_orphans_among
DELETE FROM tracks
WHERE id = ANY(%(ids)s) AND NOT EXISTS (SELECT FROM files WHERE files.track_id = tracks.id)

-- Dispatch --------------------------------------------------------------------------------------

-- One session hands out work at a time.
-- name: try_dispatch_lock
SELECT pg_try_advisory_xact_lock(hashtext('mess dispatch'))

-- Work that is due and has no message yet, the urgent first. A clock that was set back must not hold
-- anything for longer than any wait lasts.
-- name: claim_due_jobs
WITH due AS (
    SELECT id FROM jobs
    WHERE state = 'wanted' AND sent_at IS NULL AND (
        not_before IS NULL OR not_before <= now() OR not_before > now() + interval '10 minutes'
    )
    ORDER BY priority, wanted_at, id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET sent_at = now() FROM due WHERE jobs.id = due.id
RETURNING jobs.id, jobs.priority

-- Work that has a message nobody has taken up: its id, and the age of the message in seconds.
-- name: list_sent_jobs
SELECT id, abs(extract(epoch FROM now() - sent_at))::float8 FROM jobs
WHERE state = 'wanted' AND sent_at IS NOT NULL

-- The messages of some jobs were lost or never left.
-- name: unsend_jobs
UPDATE jobs SET sent_at = NULL WHERE id = ANY(%(ids)s) AND state = 'wanted'

-- A worker introduces itself.
-- name: add_worker
INSERT INTO workers (host, pid) VALUES (%(host)s, %(pid)s) RETURNING id

-- A worker is here again after its connection was lost; what it had begun before does not count.
-- name: reenter_worker
UPDATE workers SET started_at = now() WHERE id = %(worker_id)s

-- Workers that are gone, by the lock that each holds while it lives.
-- name: delete_dead_workers
DELETE FROM workers WHERE started_at < now() - interval '1 day' AND NOT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND classid = %(workers)s::int::oid AND objid = workers.id::oid
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)

-- Workers that live.
-- name: list_workers
SELECT workers.id, host, workers.pid, started_at FROM workers JOIN pg_locks
    ON classid = %(workers)s::int::oid AND objid = workers.id::oid
WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY workers.id

-- How fast it goes: jobs finished within the last minute, and how long files took from being noticed
-- to being searchable within the last hour (median and 95th percentile, seconds).
-- name: measure_progress
SELECT count(*) FILTER (WHERE finished_at > now() - interval '1 minute'),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - noticed_at))
        FILTER (WHERE outcome IN ('encoded', 'known')),
    percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - noticed_at))
        FILTER (WHERE outcome IN ('encoded', 'known'))
FROM jobs
WHERE state IN ('done', 'failed') AND finished_at > now() - interval '1 hour'

-- Failures by kind.
-- name: count_failures
SELECT coalesce(kind, 'unknown'), count(*) FROM jobs WHERE state = 'failed' GROUP BY 1 ORDER BY 1

-- What ended last: path, state, outcome or kind, when, and seconds since it was noticed.
-- name: list_last_jobs
SELECT files.path, jobs.state::text, coalesce(jobs.outcome, jobs.kind, ''), jobs.finished_at,
    extract(epoch FROM jobs.finished_at - jobs.noticed_at)::float8
FROM jobs JOIN files ON files.id = jobs.file_id
WHERE jobs.finished_at IS NOT NULL
ORDER BY jobs.finished_at DESC
LIMIT %(limit)s

-- Health ----------------------------------------------------------------------------------------

-- A service began. Starts count up while each comes soon after the one before.
-- name: report_start
INSERT INTO service_health AS health (service, host) VALUES (%(service)s, %(host)s)
ON CONFLICT (service, host) DO UPDATE SET started_at = now(),
    n_starts = CASE WHEN health.started_at > now() - interval '10 minutes'
        THEN health.n_starts + 1 ELSE 1 END

-- A service ended in order.
-- name: report_stop
UPDATE service_health SET n_starts = greatest(0, n_starts - 1), n_failures = 0
WHERE service = %(service)s AND host = %(host)s

-- A service failed.
-- name: report_failure
INSERT INTO service_health AS health (service, host, n_failures, last_error, failed_at)
VALUES (%(service)s, %(host)s, 1, %(error)s, now())
ON CONFLICT (service, host) DO UPDATE SET last_error = excluded.last_error, failed_at = now(),
    n_failures = CASE WHEN health.failed_at > now() - interval '10 minutes'
        THEN health.n_failures + 1 ELSE 1 END

-- What services said within the last day. One fails that did so three times or started four times in a
-- row, the last time just now.
-- name: list_health
SELECT service, host, n_starts, n_failures, last_error, failed_at,
    coalesce(n_failures >= 3 AND failed_at > now() - interval '2 minutes', false)
        OR (n_starts >= 4 AND started_at > now() - interval '10 minutes')
FROM service_health
WHERE greatest(started_at, failed_at) > now() - interval '1 day'
ORDER BY service, host

-- Roots -----------------------------------------------------------------------------------------

-- The state of a watched folder.
-- name: save_root
INSERT INTO roots (path, state, detail, observer) VALUES (%(path)s, %(state)s, %(detail)s,
    %(observer)s)
ON CONFLICT (path) DO UPDATE SET state = excluded.state, detail = excluded.detail,
    observer = excluded.observer

-- Places below a watched folder where something is mounted, beside those known before.
-- name: remember_mounts
UPDATE roots SET mounts = ARRAY(
    SELECT mount FROM unnest(mounts || %(mounts)s::bytea[]) AS mount GROUP BY mount ORDER BY mount
)
WHERE path = %(path)s AND NOT mounts @> %(mounts)s::bytea[]

-- All of these places.
-- name: list_mounts
SELECT DISTINCT mount FROM roots CROSS JOIN unnest(mounts) AS mount ORDER BY mount

-- Places where nothing will be mounted again.
-- name: forget_mounts
UPDATE roots SET mounts = ARRAY(
    SELECT mount FROM unnest(mounts) AS mount WHERE mount <> ALL (%(mounts)s::bytea[]) ORDER BY mount
)

-- A folder was walked from end to end.
-- name: mark_walked
UPDATE roots SET walked_at = now(), passed_over = %(passed_over)s, left_out = %(left_out)s
WHERE path = %(path)s

-- A walk begins, and so does all that was asked for until now; what is asked for later is not met by it.
-- name: begin_walk
UPDATE roots SET walk_wanted_at = NULL WHERE path = %(path)s

-- Somebody wants all folders walked.
-- name: request_walks
UPDATE roots SET walk_wanted_at = coalesce(walk_wanted_at, now())

-- Folders whose walk is wanted, after a moment in which more reasons for it may come.
-- name: list_wanted_walks
SELECT path FROM roots
WHERE abs(extract(epoch FROM now() - walk_wanted_at)) > %(settle_s)s

-- Folders that are not watched any more.
-- name: keep_roots
DELETE FROM roots WHERE path <> ALL (%(paths)s::bytea[])

-- All watched folders.
-- name: list_roots
SELECT path, state, detail, observer, walked_at, passed_over, left_out, EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND classid = %(space)s::int::oid
        AND objid = (hashtext(encode(path, 'hex')) & 2147483647)::oid
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
FROM roots ORDER BY path

-- This session watches a folder until it ends; several may.
-- name: hold_root
SELECT pg_advisory_lock_shared(
    %(space)s::int, hashtext(encode(%(path)s::bytea, 'hex')) & 2147483647
)

-- Events ----------------------------------------------------------------------------------------

-- Keep a message before anything is done about it. The same again, while it waits, only counts.
-- name: receive_event
INSERT INTO events (source, kind, digest, body)
VALUES (%(source)s, %(kind)s, %(digest)s, %(body)s)
ON CONFLICT (source, digest) WHERE handled_at IS NULL
    DO UPDATE SET deliveries = events.deliveries + 1
RETURNING id, received_at

-- Keep different messages of one kind at once, each as receive_event does.
-- name: receive_events
INSERT INTO events (source, kind, digest, body)
SELECT %(source)s, %(kind)s, digest, body
FROM unnest(%(digests)s::bytea[], %(bodies)s::jsonb[]) AS told (digest, body)
ON CONFLICT (source, digest) WHERE handled_at IS NULL
    DO UPDATE SET deliveries = events.deliveries + 1

-- Equal messages are received one after another; the lock goes with the transaction.
-- name: lock_event
SELECT pg_advisory_xact_lock(('x' || encode(substring(%(digest)s::bytea FOR 8), 'hex'))::bit(64)::bigint)

-- The same message came again.
-- name: count_delivery
UPDATE events SET deliveries = deliveries + 1
WHERE source = %(source)s AND digest = %(digest)s
RETURNING id

-- Messages of a source that wait, oldest first.
-- name: take_events
SELECT id, source, kind, digest, body, received_at FROM events
WHERE source = %(source)s AND handled_at IS NULL AND (
    not_before IS NULL OR not_before <= now() OR not_before > now() + interval '10 minutes'
)
ORDER BY id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED

-- A message was dealt with.
-- name: handle_event
UPDATE events SET handled_at = now(), outcome = %(outcome)s WHERE id = %(event_id)s

-- A message whose file is still being written waits.
-- name: postpone_event
UPDATE events SET not_before = now() + make_interval(secs => %(wait_s)s) WHERE id = %(event_id)s

-- Messages are kept for a while after they were dealt with, to answer questions about them.
-- name: delete_old_events
DELETE FROM events WHERE handled_at < now() - make_interval(secs => %(keep_s)s)

-- A kind of message that means nothing to us.
-- name: ignore_event
INSERT INTO ignored_events (source, kind) VALUES (%(source)s, %(kind)s)
ON CONFLICT (source, kind) DO UPDATE SET count = ignored_events.count + 1, last_at = now()

-- How many kinds of a source were ignored so far.
-- name: count_ignored_kinds
SELECT count(*) FROM ignored_events WHERE source = %(source)s AND kind <> %(kind)s

-- Waiting messages by source, and ignored ones by source and kind.
-- name: count_events
SELECT 'waiting', source, kind, count(*) FROM events WHERE handled_at IS NULL GROUP BY 1, 2, 3
UNION ALL SELECT 'ignored', source, kind, count FROM ignored_events
ORDER BY 1, 2, 3

-- What a listener did, once.
-- name: save_feedback
INSERT INTO feedback (source, digest, listener, item, kind, value, happened_at)
VALUES (%(source)s, %(digest)s, %(listener)s, %(item)s, %(kind)s, %(value)s, %(happened_at)s)
ON CONFLICT (source, digest, kind) DO NOTHING

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
    musicbrainz_recording, musicbrainz_release, language, rating,
    (SELECT array_agg(files.path ORDER BY files.path) FROM files
        WHERE files.track_id = card.id AND files.missing_since IS NULL),
    damage
FROM track_cards AS card WHERE id = ANY(%(ids)s)

-- The track at a path where a file is.
-- name: find_path
SELECT files.track_id, jobs.kind, jobs.reason
FROM files LEFT JOIN jobs ON jobs.file_id = files.id AND jobs.state = 'failed'
WHERE files.path = %(path)s AND files.missing_since IS NULL
ORDER BY jobs.finished_at DESC NULLS LAST
LIMIT 1

-- The tracks at some paths, and those of some ids.
-- name: find_known_tracks
SELECT path, track_id FROM files WHERE path = ANY(%(paths)s::bytea[]) AND track_id IS NOT NULL
UNION ALL
SELECT convert_to(id::text, 'UTF8'), id FROM tracks WHERE id = ANY(%(ids)s::bigint[])

-- Tracks whose words contain all the words asked for: those of exactly this title, then the closest.
-- name: find_words
SELECT id, count(*) OVER () FROM track_cards
WHERE words LIKE ALL (%(patterns)s::text[])
ORDER BY title_words = %(words)s DESC, words <-> %(words)s, id
LIMIT %(limit)s

-- What tracks are called: titles, and paths of those without one.
-- name: list_titles
SELECT DISTINCT title, CASE WHEN title IS NULL THEN path END FROM files
WHERE track_id IS NOT NULL AND missing_since IS NULL

-- A page of the tracks whose words contain all the words asked for and which are among some (all
-- where that is null), in the order of a shelf, and how many there are.
-- name: list_tracks
SELECT id, count(*) OVER () FROM track_cards
WHERE words LIKE ALL (%(patterns)s::text[]) AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s::bigint[]))
ORDER BY lower(coalesce(album_artist, artist)) NULLS LAST, lower(album) NULLS LAST,
    track_number NULLS LAST, title_words, path, id
LIMIT %(limit)s OFFSET %(offset)s

-- Tracks of some albums, or of some artists, by their folded names: a place among the artists of a file
-- is as good as any.
-- name: tracks_of_groups
SELECT DISTINCT track_id FROM files
WHERE track_id IS NOT NULL AND missing_since IS NULL AND (
    album_words = ANY(%(albums)s::text[]) OR string_to_array(artist_words, E'\n') && %(artists)s::text[])
ORDER BY track_id

-- Tracks whose words resemble what was asked for.
-- name: find_resembling
SELECT id FROM track_cards
WHERE word_similarity(%(words)s, words) > 0.35
ORDER BY word_similarity(%(words)s, words) DESC, id
LIMIT %(limit)s

-- How much there is.
-- name: count_library
SELECT count(*), (SELECT count(*) FROM files WHERE track_id IS NOT NULL AND missing_since IS NULL),
    coalesce(sum(duration_s), 0)
FROM tracks
WHERE EXISTS (SELECT FROM files WHERE track_id = tracks.id AND missing_since IS NULL)

-- Spaces ----------------------------------------------------------------------------------------

-- The raw space of an encoder, made on first use.
-- name: save_space
INSERT INTO spaces (recipe, encoder, revision, layers, pooling, window_s, hop_s, dim, projection,
    base_id, fitted_on, state)
VALUES (%(recipe)s, %(encoder)s, %(revision)s, %(layers)s, %(pooling)s, %(window_s)s, %(hop_s)s,
    %(dim)s, %(projection)s, %(base_id)s, %(fitted_on)s, %(state)s)
ON CONFLICT ON CONSTRAINT spaces_identity DO NOTHING
RETURNING id

-- One space by what it is. Recipes that come to the same, such as one that names the encoder's own
-- layers, have spaces of their own, because questions find their space by the recipe.
-- name: find_space
SELECT id FROM spaces
WHERE recipe = %(recipe)s AND encoder = %(encoder)s AND revision = %(revision)s AND layers = %(layers)s
    AND pooling = %(pooling)s AND window_s = %(window_s)s AND hop_s = %(hop_s)s
    AND projection = %(projection)s

-- The space that questions about a recipe are answered in: that of the chosen metric, else the newest
-- projected one, else the raw.
-- name: searchable_space
SELECT id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection, base_id
FROM spaces LEFT JOIN metrics ON metrics.space_id = spaces.id
WHERE recipe = %(recipe)s AND state = 'active' AND (metrics.space_id IS NULL OR metrics.chosen)
ORDER BY metrics.chosen IS NULL, base_id IS NULL, id DESC
LIMIT 1

-- The same without any metric.
-- name: plain_space
SELECT id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection, base_id
FROM spaces WHERE recipe = %(recipe)s AND state = 'active'
    AND NOT EXISTS (SELECT FROM metrics WHERE metrics.space_id = spaces.id)
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

-- Every space that is not being built.
-- name: active_spaces
SELECT id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection, base_id
FROM spaces WHERE state = 'active' ORDER BY id

-- On how many tracks the projection in use was fitted, and how many there are now.
-- name: fit_progress
SELECT
    coalesce((SELECT max(fitted_on) FROM spaces AS projected
        WHERE projected.base_id = %(space_id)s AND projected.state = 'active'
            AND NOT EXISTS (SELECT FROM metrics WHERE metrics.space_id = projected.id)), 0),
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

-- One session fits at a time; the lock goes with the session.
-- name: lock_fit
SELECT pg_try_advisory_lock(hashtext('mess fit'), %(space_id)s)

-- Fitting is over.
-- name: unlock_fit
SELECT pg_advisory_unlock(hashtext('mess fit'), %(space_id)s)

-- What a fit that was cut short has left: not answering, and nobody is filling it.
-- name: delete_unfinished_spaces
DELETE FROM spaces WHERE base_id = %(base_id)s AND state = 'building'
RETURNING id

-- The new projection answers from now on.
-- name: activate_space
UPDATE spaces SET state = 'active' WHERE id = %(space_id)s

-- Everything that was computed from a base, except the one that took over and metrics.
-- name: delete_projected_spaces
DELETE FROM spaces WHERE base_id = %(base_id)s AND id <> %(keep)s
    AND NOT EXISTS (SELECT FROM metrics WHERE metrics.space_id = spaces.id)
RETURNING id

-- A metric that nobody wants any more.
-- name: delete_space
DELETE FROM spaces WHERE id = %(space_id)s RETURNING id

-- A space is that of a metric.
-- name: save_metric
INSERT INTO metrics (space_id, name, n_comparisons, n_groups, plain_right, fitted_right, certainty)
VALUES (%(space_id)s, %(title)s, %(n_comparisons)s, %(n_groups)s, %(plain_right)s,
    %(fitted_right)s, %(certainty)s)

-- All metrics with their spaces.
-- name: list_metrics
SELECT name, chosen, recipe, n_comparisons, n_groups, plain_right, fitted_right, certainty,
    metrics.created_at, id, encoder, revision, layers, pooling, window_s, hop_s, dim, projection,
    base_id
FROM metrics JOIN spaces ON spaces.id = metrics.space_id ORDER BY metrics.created_at, name

-- Questions about a recipe are answered in this metric, or, where it is null, in none.
-- name: choose_metric
UPDATE metrics SET chosen = name IS NOT DISTINCT FROM %(title)s::text
FROM spaces WHERE spaces.id = metrics.space_id AND spaces.recipe = %(recipe)s

-- An approximate index for one level of one space. HNSW needs the dimension as a constant.
-- name: create_index
CREATE INDEX IF NOT EXISTS {index} ON {table}
    USING hnsw ((vector::halfvec({dim})) halfvec_cosine_ops)
    WHERE space_id = {space} AND mod(ordinal, {every}) = 0

-- Gone with its space.
-- name: drop_index
DROP INDEX IF EXISTS {index}

-- Choices ---------------------------------------------------------------------------------------

-- The recipe that answers and the one that is being built, as far as they were chosen.
-- name: list_choices
SELECT role, recipe, since FROM chosen_recipes

-- Choices are made one after another.
-- name: lock_choices
LOCK TABLE chosen_recipes IN SHARE ROW EXCLUSIVE MODE

-- From now on a recipe has a role.
-- name: choose_recipe
INSERT INTO chosen_recipes (role, recipe) VALUES (%(role)s, %(recipe)s)
ON CONFLICT (role) DO UPDATE SET recipe = excluded.recipe,
    since = CASE WHEN chosen_recipes.recipe = excluded.recipe
        THEN chosen_recipes.since ELSE now() END

-- Nothing is being built.
-- name: stop_building
DELETE FROM chosen_recipes WHERE role = 'building'

-- Work for a recipe on every file that is there, with the least priority, except where it was done:
-- the track that the file holds now is in the recipe's space. What failed is tried again.
-- name: want_all_files
INSERT INTO jobs (file_id, recipe, priority)
SELECT files.id, %(recipe)s, 9 FROM files
WHERE missing_since IS NULL AND NOT EXISTS (
    SELECT FROM jobs JOIN spaces ON spaces.recipe = jobs.recipe AND spaces.base_id IS NULL
    JOIN song_embeddings ON space_id = spaces.id AND song_embeddings.track_id = files.track_id
    WHERE jobs.file_id = files.id AND jobs.recipe = %(recipe)s AND jobs.state = 'done'
)
ON CONFLICT (file_id, recipe) DO UPDATE SET
    state = 'wanted', outcome = NULL, priority = 9, attempts = 0, interruptions = 0, kind = NULL,
    reason = NULL, wanted_at = now(), noticed_at = now(), not_before = NULL, sent_at = NULL,
    started_at = NULL, finished_at = NULL
WHERE jobs.state IN ('done', 'failed')

-- Work for a recipe that nobody wants any more and nobody has begun.
-- name: withdraw_jobs
DELETE FROM jobs WHERE recipe = %(recipe)s AND state = 'wanted'

-- How far a recipe is with the files that are there: done, failed, failed where the answering recipe
-- did not, open, and done within the last ten minutes (and how many seconds ago the first of those).
-- name: building_progress
SELECT count(*) FILTER (WHERE new.state = 'done'),
    count(*) FILTER (WHERE new.state = 'failed'),
    count(*) FILTER (WHERE new.state = 'failed' AND files.track_id IS NOT NULL),
    count(*) FILTER (WHERE new.state IN ('wanted', 'running')),
    count(*) FILTER (WHERE new.finished_at > now() - interval '10 minutes'),
    extract(epoch FROM now() - min(new.finished_at)
        FILTER (WHERE new.finished_at > now() - interval '10 minutes'))::float8
FROM jobs AS new JOIN files ON files.id = new.file_id AND files.missing_since IS NULL
WHERE new.recipe = %(recipe)s

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

-- Some levels of several tracks, a row for each of both: the closer look at candidates asks for
-- thousands of vectors, and parsing them row by row would cost more than finding them.
-- name: get_embeddings
SELECT level, track_id, array_agg(start_s ORDER BY ordinal), array_agg(end_s ORDER BY ordinal),
    array_agg(label ORDER BY ordinal),
    string_agg(halfvec_send(vector), ''::bytea ORDER BY ordinal)
FROM embeddings
WHERE level = ANY(%(levels)s::text[]) AND space_id = %(space_id)s AND track_id = ANY(%(track_ids)s)
GROUP BY level, track_id

-- One level of a whole space with the track's first location.
-- name: export_embeddings
SELECT card.path, start_s, end_s, vector
FROM embeddings JOIN track_cards AS card ON card.id = track_id
WHERE level = %(level)s AND space_id = %(space_id)s
ORDER BY card.path, ordinal

-- The tracks of a space.
-- name: list_tracks_of_space
SELECT track_id FROM song_embeddings WHERE space_id = %(space_id)s ORDER BY track_id

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
-- Whether a track lies somewhere is asked as a value, of one candidate after another: as a join it let
-- the planner walk the whole index first, wherever it took the candidates for few.
-- name: nearest_by_index
SELECT * FROM (
    SELECT track_id, ordinal, start_s, end_s, label,
        vector::halfvec({dim}) <=> %(vector)s::halfvec({dim}) AS distance
    FROM {table}
    WHERE space_id = {space} AND mod(ordinal, {every}) = 0
        AND track_id <> ALL (%(excluded)s::bigint[])
        AND (SELECT true FROM files
            WHERE files.track_id = {table}.track_id AND files.missing_since IS NULL LIMIT 1)
    ORDER BY vector::halfvec({dim}) <=> %(vector)s::halfvec({dim})
    LIMIT %(limit)s
) AS found ORDER BY distance, track_id, ordinal

-- The nearest vectors by looking at every one that is searched.
-- name: nearest_exactly
SELECT track_id, ordinal, start_s, end_s, label, vector <=> %(vector)s::halfvec AS distance
FROM {table}
WHERE space_id = {space} AND mod(ordinal, {every}) = 0
    AND track_id <> ALL (%(excluded)s::bigint[])
    AND (%(allowed)s::bigint[] IS NULL OR track_id = ANY(%(allowed)s::bigint[]))
    AND EXISTS (SELECT FROM files
        WHERE files.track_id = {table}.track_id AND files.missing_since IS NULL)
ORDER BY distance, track_id, ordinal
LIMIT %(limit)s

-- Hosts -----------------------------------------------------------------------------------------

-- Files that lie elsewhere now. The old time stamp makes them look changed, so that their names and
-- tags are read again. Of several that moved to one place, one is taken.
-- name: move_files
UPDATE files SET path = moved.new, mtime_ns = -1
FROM (
    SELECT DISTINCT ON (new) old, new
    FROM unnest(%(old)s::bytea[], %(new)s::bytea[]) AS moved (old, new)
    WHERE EXISTS (SELECT FROM files WHERE path = moved.old)
    ORDER BY new, old
) AS moved
WHERE files.path = moved.old AND NOT EXISTS (SELECT FROM files WHERE path = moved.new)

-- How far the files at some paths are: indexed, failed, unknown.
-- name: count_paths
SELECT count(files.track_id),
    count(*) FILTER (WHERE files.track_id IS NULL AND EXISTS (
        SELECT FROM jobs WHERE jobs.file_id = files.id AND jobs.state = 'failed')),
    count(*) FILTER (WHERE files.id IS NULL)
FROM unnest(%(paths)s::bytea[]) AS asked (path) LEFT JOIN files USING (path)

-- A track by what its files say of MusicBrainz.
-- name: find_recording
SELECT track_id FROM files
WHERE musicbrainz_recording = %(musicbrainz_id)s AND track_id IS NOT NULL
ORDER BY track_id
LIMIT 1

-- OSC -------------------------------------------------------------------------------------------

-- The folders that hold indexed files.
-- name: list_folders
SELECT DISTINCT decode(regexp_replace(encode(path, 'escape'), '/[^/]*$', ''), 'escape')
FROM files WHERE track_id IS NOT NULL

-- The newest track's number, 0 in an empty library.
-- name: newest_track
SELECT coalesce(max(id), 0) FROM tracks

-- Numbers of which at least one differs after recordings, their files or tags have changed.
-- name: mark_library
SELECT (SELECT max(id) FROM tracks), (SELECT max(finished_at) FROM jobs), (SELECT count(*) FROM files),
    (SELECT count(*) FROM files WHERE missing_since IS NOT NULL), (SELECT max(missing_since) FROM files)

-- Tracks that came after another, in order.
-- name: tracks_after
SELECT id FROM tracks WHERE id > %(after)s ORDER BY id LIMIT %(limit)s

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
    loudness_lufs, loudness_range_lu, activity, course, brightness, drive)
VALUES (%(track_id)s, %(revision)s, %(tempo_bpm)s, %(tempo_confidence)s, %(tonic)s, %(mode)s,
    %(key_confidence)s, %(loudness_lufs)s, %(loudness_range_lu)s, %(activity)s, %(course)s,
    %(brightness)s, %(drive)s)
ON CONFLICT (track_id) DO UPDATE SET revision = excluded.revision, tempo_bpm = excluded.tempo_bpm,
    tempo_confidence = excluded.tempo_confidence, tonic = excluded.tonic, mode = excluded.mode,
    key_confidence = excluded.key_confidence, loudness_lufs = excluded.loudness_lufs,
    loudness_range_lu = excluded.loudness_range_lu, activity = excluded.activity,
    course = excluded.course, brightness = excluded.brightness, drive = excluded.drive

-- Tracks without measures of this revision, or with some that an older MESS did not hear, with one
-- location.
-- name: tracks_without_facets
SELECT card.id, card.path FROM track_cards AS card
WHERE NOT EXISTS (SELECT FROM measures
    WHERE measures.track_id = card.id AND measures.revision = %(revision)s
        AND measures.drive IS NOT NULL)
ORDER BY card.path

-- Some facets of some tracks, as bytes: text would take most of the time.
-- name: get_facets
SELECT facet, track_id, halfvec_send(vector) FROM facets
WHERE facet = ANY(%(facets)s) AND revision = %(revision)s AND track_id = ANY(%(track_ids)s)

-- The measures of some tracks.
-- name: get_measures
SELECT track_id, tempo_bpm, tempo_confidence, tonic, mode, key_confidence, loudness_lufs,
    loudness_range_lu, activity, course, brightness, drive
FROM measures WHERE revision = %(revision)s AND track_id = ANY(%(track_ids)s)

-- The tracks nearest in one facet, by looking at every one.
-- name: nearest_in_facet
SELECT track_id FROM facets
WHERE facet = %(facet)s AND revision = %(revision)s AND track_id <> ALL (%(excluded)s::bigint[])
    AND (%(allowed)s::bigint[] IS NULL OR track_id = ANY(%(allowed)s::bigint[]))
    AND EXISTS (SELECT FROM files WHERE files.track_id = facets.track_id AND files.missing_since IS NULL)
ORDER BY coalesce(search, vector) <=> %(vector)s::halfvec, track_id
LIMIT %(limit)s

-- The tracks nearest in harmony, through the index where the library is large.
-- name: nearest_in_harmony
SELECT track_id FROM facets
WHERE facet = 'harmony' AND revision = %(revision)s
    AND track_id <> ALL (%(excluded)s::bigint[])
    AND (SELECT true FROM files
        WHERE files.track_id = facets.track_id AND files.missing_since IS NULL LIMIT 1)
ORDER BY search::halfvec(336) <=> %(vector)s::halfvec(336)
LIMIT %(limit)s

-- Steering --------------------------------------------------------------------------------------

-- Tracks that pass the filters that SQL can judge, with their keys. Null parameters do not filter.
-- Media servers rate from 0 to 10, tags from 0 to 5; a play counts from half of the track on.
-- name: allowed_tracks
SELECT DISTINCT ON (files.track_id) files.track_id, files.key,
    CASE WHEN measures.key_confidence >= %(sure)s::real THEN measures.tonic END,
    measures.mode
FROM files
JOIN tracks ON tracks.id = files.track_id
LEFT JOIN measures ON measures.track_id = files.track_id AND measures.revision = %(revision)s
WHERE (%(tempo_bpm_low)s::real IS NULL OR EXISTS (
        SELECT FROM unnest(ARRAY[0.5, 1, 2]) AS octave
        WHERE coalesce(files.bpm,
            CASE WHEN measures.tempo_confidence >= %(sure)s::real THEN measures.tempo_bpm END) * octave
            BETWEEN %(tempo_bpm_low)s::real AND %(tempo_bpm_high)s::real))
    AND (%(duration_s_low)s::real IS NULL
        OR tracks.duration_s BETWEEN %(duration_s_low)s::real AND %(duration_s_high)s::real)
    AND (%(year_low)s::real IS NULL
        OR files.year BETWEEN %(year_low)s::real AND %(year_high)s::real)
    AND (%(activity_low)s::real IS NULL
        OR measures.activity BETWEEN %(activity_low)s::real AND %(activity_high)s::real)
    AND (%(brightness_low)s::real IS NULL
        OR measures.brightness BETWEEN %(brightness_low)s::real AND %(brightness_high)s::real)
    AND (%(drive_low)s::real IS NULL
        OR measures.drive BETWEEN %(drive_low)s::real AND %(drive_high)s::real)
    AND (%(loudness_lufs_low)s::real IS NULL
        OR measures.loudness_lufs BETWEEN %(loudness_lufs_low)s::real AND %(loudness_lufs_high)s::real)
    AND (%(genre)s::text IS NULL OR files.genre_words LIKE %(genre)s::text)
    AND (%(artist)s::text IS NULL OR files.artist_words LIKE %(artist)s::text)
    AND (%(album)s::text IS NULL OR files.album_words LIKE %(album)s::text)
    AND (%(folder)s::bytea IS NULL
        OR substring(files.path FROM 1 FOR length(%(folder)s::bytea)) = %(folder)s::bytea)
    AND (%(excluded_words)s::text[] IS NULL
        OR files.words NOT LIKE ALL (%(excluded_words)s::text[]))
    AND (%(languages)s::text[] IS NULL
        OR regexp_split_to_array(files.language_words, '\s*[;,/]\s*') && %(languages)s::text[]
        OR EXISTS (SELECT FROM lyrics
            WHERE lyrics.file_id = files.id AND lyrics.language_names && %(languages)s::text[]))
    AND (%(not_languages)s::text[] IS NULL
        OR NOT regexp_split_to_array(files.language_words, '\s*[;,/]\s*') && %(not_languages)s::text[]
        AND NOT EXISTS (SELECT FROM lyrics
            WHERE lyrics.file_id = files.id AND lyrics.language_names && %(not_languages)s::text[]))
    AND (%(rating_low)s::real IS NULL OR coalesce(
        (SELECT value / 2 FROM feedback
            WHERE feedback.track_id = files.track_id AND kind = 'rating' AND value IS NOT NULL
            ORDER BY happened_at DESC LIMIT 1),
        files.rating) BETWEEN %(rating_low)s::real AND %(rating_high)s::real)
    AND (%(unplayed_days)s::real IS NULL OR NOT EXISTS (
        SELECT FROM feedback
        WHERE feedback.track_id = files.track_id AND kind = 'play' AND coalesce(value, 1) >= 0.5
            AND happened_at > now() - %(unplayed_days)s::real * interval '1 day'))
    AND (%(tags)s::text[] IS NULL OR EXISTS (SELECT FROM track_tags
        WHERE track_tags.track_id = files.track_id AND track_tags.tags @> %(tags)s::text[]))
    AND (%(excluded_tags)s::text[] IS NULL OR EXISTS (SELECT FROM track_tags
        WHERE track_tags.track_id = files.track_id
            AND NOT track_tags.tags && %(excluded_tags)s::text[]))
    AND (%(added_days)s::real IS NULL
        OR tracks.created_at > now() - %(added_days)s::real * interval '1 day')
ORDER BY files.track_id, files.path

-- The songs of some tracks, all in one row: reading them one by one takes longer than comparing them.
-- name: songs_among
SELECT array_agg(track_id ORDER BY track_id),
    string_agg(halfvec_send(vector), ''::bytea ORDER BY track_id)
FROM song_embeddings WHERE space_id = %(space_id)s AND track_id = ANY(%(track_ids)s::bigint[])

-- How much happens in every track that is in a space, all in one row of big-endian numbers.
-- name: activities
SELECT coalesce(string_agg(int8send(measures.track_id), ''::bytea ORDER BY measures.track_id), ''),
    coalesce(string_agg(float4send(measures.activity), ''::bytea ORDER BY measures.track_id), '')
FROM measures JOIN song_embeddings ON song_embeddings.track_id = measures.track_id
WHERE measures.revision = %(revision)s AND song_embeddings.space_id = %(space_id)s
    AND EXISTS (SELECT FROM files WHERE files.track_id = measures.track_id AND files.missing_since IS NULL)

-- Every track of a space with its song vector, as bytes, and what is known of it.
-- name: song_features
SELECT halfvec_send(song.vector), card.id, card.path, card.title, card.artist, card.genre, card.year,
    coalesce(card.bpm,
        CASE WHEN measures.tempo_confidence >= %(sure)s::real THEN measures.tempo_bpm END),
    CASE WHEN measures.key_confidence >= %(sure)s::real THEN measures.mode END,
    measures.activity, measures.loudness_lufs,
    CASE WHEN measures.key_confidence >= %(sure)s::real THEN measures.tonic END, card.album,
    measures.brightness, measures.drive, coalesce(track_tags.tags, ARRAY[]::text[])
FROM song_embeddings AS song
LEFT JOIN track_tags ON track_tags.track_id = song.track_id
JOIN track_cards AS card ON card.id = song.track_id
LEFT JOIN measures ON measures.track_id = song.track_id AND measures.revision = %(revision)s
WHERE song.space_id = %(space_id)s
ORDER BY song.track_id

-- The first and the last section of some tracks, as bytes.
-- name: edge_sections
SELECT track_id, ordinal, halfvec_send(vector) FROM section_embeddings AS section
WHERE space_id = %(space_id)s AND track_id = ANY(%(track_ids)s)
    AND (ordinal = 0 OR NOT EXISTS (SELECT FROM section_embeddings AS later
        WHERE later.space_id = section.space_id AND later.track_id = section.track_id
            AND later.ordinal > section.ordinal))
ORDER BY track_id, ordinal

-- Duplicates ------------------------------------------------------------------------------------

-- Two tracks sound like the same music. What a person said of them stays.
-- name: save_found_duplicate
INSERT INTO duplicates (one_id, other_id, kind, state, likeness, coverage, speed, offset_s, harmony,
    semitones, range_lu)
VALUES (%(one_id)s, %(other_id)s, %(kind)s, 'found', %(likeness)s, %(coverage)s, %(speed)s,
    %(offset_s)s, %(harmony)s, %(semitones)s, %(range_lu)s)
ON CONFLICT (one_id, other_id) DO UPDATE SET likeness = excluded.likeness,
    coverage = excluded.coverage, speed = excluded.speed, offset_s = excluded.offset_s,
    harmony = excluded.harmony, semitones = excluded.semitones, range_lu = excluded.range_lu,
    kind = CASE WHEN duplicates.state = 'found' THEN excluded.kind ELSE duplicates.kind END

-- Links of a track that were found earlier but not this time.
-- name: forget_found_duplicates
DELETE FROM duplicates WHERE state = 'found' AND (
    (one_id = %(one_id)s AND other_id <> ALL (%(kept)s::bigint[]))
    OR (other_id = %(one_id)s AND one_id <> ALL (%(kept)s::bigint[])))

-- What a person says of two tracks, in place of what was found or said before.
-- name: judge_duplicate
INSERT INTO duplicates (one_id, other_id, kind, state)
VALUES (%(one_id)s, %(other_id)s, coalesce(%(kind)s::text, 'same'), %(state)s)
ON CONFLICT (one_id, other_id) DO UPDATE SET state = excluded.state, noted_at = now(),
    kind = coalesce(%(kind)s::text, duplicates.kind)

-- A pair is no link any more, whoever made it.
-- name: delete_duplicate
DELETE FROM duplicates WHERE one_id = %(one_id)s AND other_id = %(other_id)s RETURNING one_id

-- Every link.
-- name: list_duplicates
SELECT one_id, other_id, kind, state, likeness, coverage, speed, offset_s, harmony, semitones,
    range_lu
FROM duplicates ORDER BY one_id, other_id

-- Pairs of some tracks that are linked.
-- name: duplicates_among
SELECT one_id, other_id FROM duplicates
WHERE one_id = ANY(%(track_ids)s) AND other_id = ANY(%(track_ids)s) AND state <> 'rejected'
ORDER BY one_id, other_id

-- The tracks that are linked to any other.
-- name: linked_tracks
SELECT one_id FROM duplicates WHERE state <> 'rejected'
UNION
SELECT other_id FROM duplicates WHERE state <> 'rejected'

-- The tracks that are linked to some.
-- name: duplicates_of
SELECT other_id FROM duplicates WHERE one_id = ANY(%(track_ids)s) AND state <> 'rejected'
UNION
SELECT one_id FROM duplicates WHERE other_id = ANY(%(track_ids)s) AND state <> 'rejected'

-- Tracks that have not looked for duplicates in this way, of those that can: without a harmony there
-- is nothing to compare.
-- name: tracks_without_duplicate_search
SELECT song.track_id FROM song_embeddings AS song
JOIN facets AS harmony ON harmony.track_id = song.track_id AND harmony.facet = 'harmony'
    AND harmony.revision = %(heard)s
WHERE song.space_id = %(space_id)s AND NOT EXISTS (
    SELECT FROM duplicate_searches AS search
    WHERE search.track_id = song.track_id AND search.space_id = %(space_id)s
        AND search.revision = %(revision)s)
ORDER BY song.track_id
LIMIT %(limit)s

-- A track has looked for duplicates.
-- name: mark_duplicate_search
INSERT INTO duplicate_searches (track_id, space_id, revision)
VALUES (%(track_id)s, %(space_id)s, %(revision)s)
ON CONFLICT (track_id, space_id) DO UPDATE SET revision = excluded.revision

-- Every track looks for duplicates again.
-- name: forget_duplicate_searches
DELETE FROM duplicate_searches

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

-- Add a rule of what is never suggested; the same one again is that one.
-- name: add_never_rule
INSERT INTO never_rules (listener, words, except_months)
VALUES (%(listener)s, %(words)s, %(except_months)s)
ON CONFLICT (listener, words, except_months) DO UPDATE SET listener = excluded.listener
RETURNING id

-- All rules of what is never suggested, oldest first.
-- name: list_never_rules
SELECT id, listener, words, except_months FROM never_rules ORDER BY id

-- Remove a rule of what is never suggested.
-- name: remove_never_rule
DELETE FROM never_rules WHERE id = %(rule)s RETURNING id

-- The scale of a space for scores of some kind, as float32 bytes, and the newest track then and now.
-- name: get_likeness_scale
SELECT scores, last_track, (SELECT coalesce(max(id), 0) FROM tracks) AS newest
FROM (SELECT) AS always LEFT JOIN likeness_scales
    ON space_id = %(space_id)s AND compared = %(compared)s

-- Keep a scale in the place of an older one, unless the space is gone meanwhile.
-- name: save_likeness_scale
INSERT INTO likeness_scales (space_id, compared, last_track, scores)
SELECT id, %(compared)s, %(last_track)s, %(scores)s FROM spaces WHERE id = %(space_id)s
FOR KEY SHARE
ON CONFLICT (space_id, compared) DO UPDATE
SET last_track = excluded.last_track, scores = excluded.scores, made_at = now()

-- Forget all but the newest scales of a space.
-- name: delete_old_likeness_scales
DELETE FROM likeness_scales WHERE (space_id, compared) IN (
    SELECT space_id, compared FROM likeness_scales WHERE space_id = %(space_id)s
    ORDER BY made_at DESC OFFSET %(kept)s FOR UPDATE SKIP LOCKED
)

-- Some tracks of a space, the same ones each time and few others when the library grows.
-- name: sample_tracks
SELECT track_id FROM song_embeddings WHERE space_id = %(space_id)s
    AND EXISTS (SELECT FROM files WHERE files.track_id = song_embeddings.track_id
        AND files.missing_since IS NULL)
ORDER BY hashint8(track_id), track_id LIMIT %(n)s

-- Tags ------------------------------------------------------------------------------------------

-- Keep the tags of a track in the place of older ones, unless it is gone meanwhile.
-- name: save_tags
INSERT INTO track_tags (track_id, head, tags, raw)
SELECT id, %(head)s, %(tags)s::text[], %(raw)s FROM tracks WHERE id = %(track_id)s FOR KEY SHARE
ON CONFLICT (track_id) DO UPDATE SET head = excluded.head, tags = excluded.tags, raw = excluded.raw

-- Tracks of a space without tags by a head.
-- name: tracks_without_tags
SELECT track_id FROM song_embeddings AS song WHERE space_id = %(space_id)s
    AND NOT EXISTS (SELECT FROM track_tags AS known
        WHERE known.track_id = song.track_id AND known.head = %(head)s)
ORDER BY track_id

-- Whether all tracks of a space had their tags once; since then each gets them when it is indexed.
-- name: has_all_tags
SELECT EXISTS (SELECT FROM space_heads
    WHERE space_id = %(space_id)s AND head = %(head)s AND is_filled)

-- Note that all tracks of a space have their tags.
-- name: note_all_tags
INSERT INTO space_heads (space_id, head, is_filled)
SELECT id, %(head)s, true FROM spaces WHERE id = %(space_id)s FOR KEY SHARE
ON CONFLICT (space_id, head) DO UPDATE SET is_filled = true

-- A head that was distilled for a space.
-- name: get_distilled_head
SELECT weights FROM space_heads WHERE space_id = %(space_id)s AND head = %(head)s

-- Keep a head that was distilled for a space.
-- name: save_distilled_head
INSERT INTO space_heads (space_id, head, weights)
SELECT id, %(head)s, %(weights)s FROM spaces WHERE id = %(space_id)s FOR KEY SHARE
ON CONFLICT (space_id, head) DO UPDATE SET weights = excluded.weights

-- What a head reads of all tracks, as bytes.
-- name: raw_tags
SELECT track_id, raw FROM track_tags WHERE head = %(head)s ORDER BY track_id

-- The tags of some tracks, and the values behind them.
-- name: get_tags
SELECT track_id, tags, raw FROM track_tags WHERE track_id = ANY(%(track_ids)s)

-- Forget what a listener said.
-- name: delete_verdicts
DELETE FROM verdicts WHERE listener = %(listener)s RETURNING track_id

-- What the accounts of a listener did with tracks, oldest first: accounts that were joined to the
-- listener, and one that has the listener's name and is nobody else's.
-- name: get_acts
WITH own AS (
    SELECT source, account, since FROM listener_accounts WHERE listener = %(listener)s
),
said AS (
    SELECT source, listener AS account, track_id, kind, value, happened_at FROM feedback
    WHERE track_id IS NOT NULL
    UNION ALL
    SELECT 'jellyfin', edit.listener, edit.track_id, edit.edit, NULL,
        coalesce(kept.refreshed_at, 'epoch'::timestamptz)
    FROM host_edits AS edit
    JOIN host_playlists AS kept USING (host, listener, playlist)
    WHERE edit.track_id IS NOT NULL
)
SELECT said.source, said.account, said.track_id, said.kind, said.value, said.happened_at,
    tracks.duration_s
FROM said JOIN tracks ON tracks.id = said.track_id LEFT JOIN own USING (source, account)
WHERE (own.account IS NOT NULL OR (said.account = %(listener)s AND NOT EXISTS (
        SELECT FROM listener_accounts AS other
        WHERE other.source = said.source AND other.account = said.account)))
    AND (own.since IS NULL OR said.happened_at > own.since)
ORDER BY said.happened_at, said.track_id, said.kind

-- How often each track was heard, at least the share of it that counts as a play.
-- name: count_plays
SELECT track_id, count(*) FROM feedback
WHERE kind = 'play' AND track_id IS NOT NULL AND (value IS NULL OR value >= %(heard_from)s)
GROUP BY track_id

-- All accounts that did anything, and whose they are.
-- name: list_accounts
SELECT feedback.source, feedback.listener, count(*), max(owner.listener)
FROM feedback LEFT JOIN listener_accounts AS owner
    ON owner.source = feedback.source AND owner.account = feedback.listener
GROUP BY 1, 2 ORDER BY 1, 2

-- An account is a listener's.
-- name: join_account
INSERT INTO listener_accounts (listener, source, account)
VALUES (%(listener)s, %(source)s, %(account)s)
ON CONFLICT (source, account) DO UPDATE SET listener = excluded.listener,
    since = CASE WHEN listener_accounts.listener = excluded.listener
        THEN listener_accounts.since END

-- An account is nobody's.
-- name: leave_account
DELETE FROM listener_accounts WHERE source = %(source)s AND account = %(account)s
RETURNING account

-- What happened so far counts for a listener no more.
-- name: outdate_acts
WITH own AS (
    SELECT source, account FROM listener_accounts WHERE listener = %(listener)s
    UNION SELECT DISTINCT source, listener FROM feedback
    WHERE listener = %(listener)s AND NOT EXISTS (SELECT FROM listener_accounts AS other
        WHERE other.source = feedback.source AND other.account = feedback.listener)
)
INSERT INTO listener_accounts (listener, source, account, since)
SELECT %(listener)s, source, account, now() FROM own
ON CONFLICT (source, account) DO UPDATE SET since = now()

-- Media servers ---------------------------------------------------------------------------------

-- Begin to read a server's list, or go on where the last reading was cut short a short time ago.
-- name: begin_reading
WITH before AS (
    SELECT number, next_start, listener, started_at, finished_at IS NULL AND NOT %(fresh)s
        AND started_at > now() - make_interval(secs => %(resume_s)s) AS goes_on
    FROM host_readings WHERE host = %(host)s
)
INSERT INTO host_readings (host, number, next_start, listener, started_at)
VALUES (
    %(host)s,
    coalesce((SELECT CASE WHEN goes_on THEN number ELSE number + 1 END FROM before), 1),
    coalesce((SELECT next_start FROM before WHERE goes_on), 0),
    coalesce((SELECT listener FROM before WHERE goes_on), ''),
    coalesce((SELECT started_at FROM before WHERE goes_on), now())
)
ON CONFLICT (host) DO UPDATE SET number = excluded.number, next_start = excluded.next_start,
    listener = excluded.listener, started_at = excluded.started_at, finished_at = NULL
RETURNING number, next_start, listener

-- How far a reading came.
-- name: continue_reading
UPDATE host_readings SET next_start = %(next_start)s, listener = %(listener)s
WHERE host = %(host)s AND number = %(number)s

-- A reading came to its end.
-- name: finish_reading
UPDATE host_readings SET finished_at = now(), next_start = 0, listener = ''
WHERE host = %(host)s AND number = %(number)s

-- When a server's list was last read to its end, and the last event that was looked at.
-- name: get_reading
SELECT finished_at, last_event, number FROM host_readings WHERE host = %(host)s

-- The events of a server were looked at up to here.
-- name: note_events
INSERT INTO host_readings (host, last_event) VALUES (%(host)s, %(last_event)s)
ON CONFLICT (host) DO UPDATE SET last_event = excluded.last_event

-- Items as the server lists them. What an item is stays known until it is matched again.
-- name: save_items
INSERT INTO host_items AS known (host, item, name, path, duration_s, recordings, reading)
SELECT DISTINCT ON (item) %(host)s, item, name, path, duration_s,
    string_to_array(recordings, ' '), %(number)s
FROM unnest(%(items)s::text[], %(names)s::text[], %(paths)s::text[],
    %(durations)s::double precision[], %(recordings)s::text[])
    AS listed (item, name, path, duration_s, recordings)
ON CONFLICT (host, item) DO UPDATE SET name = excluded.name, path = excluded.path,
    duration_s = excluded.duration_s, recordings = excluded.recordings, reading = excluded.reading

-- Items that a reading did not meet.
-- name: unseen_items
SELECT item FROM host_items WHERE host = %(host)s AND reading <> %(number)s ORDER BY item

-- Items that the server does not have any more.
-- name: delete_items
DELETE FROM host_items WHERE host = %(host)s AND item = ANY(%(items)s)

-- All items of a server with what they are.
-- name: list_items
SELECT item, name, path, duration_s, recordings, track_id, matched_by, unmatched
FROM host_items WHERE host = %(host)s ORDER BY item

-- What items are.
-- name: match_items
UPDATE host_items SET track_id = found.track_id, matched_by = found.matched_by,
    unmatched = found.unmatched
FROM unnest(%(items)s::text[], %(tracks)s::bigint[], %(matched)s::text[], %(unmatched)s::text[])
    AS found (item, track_id, matched_by, unmatched)
WHERE host_items.host = %(host)s AND host_items.item = found.item

-- Everything that is known of files, for matching.
-- name: list_known_files
SELECT files.path, files.track_id, tracks.duration_s, files.musicbrainz_recording,
    (SELECT jobs.reason FROM jobs WHERE jobs.file_id = files.id AND jobs.state = 'failed'
        ORDER BY jobs.finished_at DESC NULLS LAST LIMIT 1)
FROM files LEFT JOIN tracks ON tracks.id = files.track_id
WHERE files.missing_since IS NULL

-- The items that tracks are on a server.
-- name: items_of_tracks
SELECT track_id, item FROM host_items
WHERE host = %(host)s AND track_id = ANY(%(tracks)s)
ORDER BY track_id, matched_by <> 'path', item

-- The tracks that items are.
-- name: tracks_of_items
SELECT item, track_id FROM host_items
WHERE host = %(host)s AND item = ANY(%(items)s) AND track_id IS NOT NULL

-- What an item is, whichever server has it; one that is a track comes first.
-- name: find_item
SELECT track_id, unmatched FROM host_items
WHERE host = ANY(ARRAY(SELECT host FROM host_readings)) AND item = %(item)s
ORDER BY track_id IS NULL, host
LIMIT 1

-- What listeners did with items becomes what they did with tracks.
-- name: attribute_feedback
UPDATE feedback SET track_id = host_items.track_id
FROM host_items
WHERE feedback.source = %(source)s AND feedback.track_id IS NULL AND host_items.host = %(host)s
    AND host_items.item = feedback.item AND host_items.track_id IS NOT NULL

-- Messages of a source after one that was looked at.
-- name: events_after
SELECT id, kind, body, received_at FROM events
WHERE source = %(source)s AND id > %(after)s ORDER BY id LIMIT %(limit)s

-- The playlists that are kept for a listener.
-- name: list_kept
SELECT playlist, name, written, intended, refreshed_at FROM host_playlists
WHERE host = %(host)s AND listener = %(listener)s ORDER BY playlist

-- A playlist that is kept from now on.
-- name: keep_playlist
INSERT INTO host_playlists (host, listener, playlist, name)
VALUES (%(host)s, %(listener)s, %(playlist)s, %(title)s)
ON CONFLICT (host, listener, playlist) DO UPDATE SET name = excluded.name

-- A write is about to begin.
-- name: intend_playlist
UPDATE host_playlists SET intended = %(items)s
WHERE host = %(host)s AND listener = %(listener)s AND playlist = %(playlist)s

-- What a playlist holds now, by our own doing or as we found it.
-- name: settle_playlist
UPDATE host_playlists SET written = %(items)s, intended = NULL, refreshed_at = now()
WHERE host = %(host)s AND listener = %(listener)s AND playlist = %(playlist)s

-- A playlist that is not there any more.
-- name: drop_playlist
DELETE FROM host_playlists
WHERE host = %(host)s AND listener = %(listener)s AND playlist = %(playlist)s

-- What the listener changed by hand, in the order of the playlist.
-- name: list_edits
SELECT item, track_id, edit FROM host_edits
WHERE host = %(host)s AND listener = %(listener)s AND playlist = %(playlist)s
ORDER BY ordinal, item

-- The listener's changes are these from now on.
-- name: delete_edits
DELETE FROM host_edits
WHERE host = %(host)s AND listener = %(listener)s AND playlist = %(playlist)s

-- One change by hand.
-- name: save_edit
INSERT INTO host_edits (host, listener, playlist, item, track_id, edit, ordinal)
SELECT %(host)s, %(listener)s, %(playlist)s, %(item)s, (SELECT id FROM tracks WHERE id = %(track_id)s),
    %(edit)s, %(ordinal)s

-- Smart playlists that were declared over HTTP, oldest first.
-- name: list_smart
SELECT id, account, name, rule, created_at, changed_at FROM smart_playlists ORDER BY id

-- One more; nothing where the account has one of this name.
-- name: create_smart
INSERT INTO smart_playlists (account, name, rule) VALUES (%(account)s, %(title)s, %(rule)s)
ON CONFLICT (account, name) DO NOTHING
RETURNING id, account, name, rule, created_at, changed_at

-- Another rule for one that is there.
-- name: change_smart
UPDATE smart_playlists SET rule = %(rule)s, changed_at = now() WHERE id = %(id)s
RETURNING id, account, name, rule, created_at, changed_at

-- Forget one.
-- name: delete_smart
DELETE FROM smart_playlists WHERE id = %(id)s RETURNING id

-- Numbers of which at least one differs after these declarations have changed.
-- name: mark_smart
SELECT count(*), max(id), max(changed_at) FROM smart_playlists

-- One program at a time changes what a server has; the lock goes with the session.
-- name: lock_host
SELECT pg_advisory_lock(hashtext('mess host'), hashtext(%(host)s))

-- Give it back.
-- name: unlock_host
SELECT pg_advisory_unlock(hashtext('mess host'), hashtext(%(host)s))

-- The web page ----------------------------------------------------------------------------------

-- The waveform of a track.
-- name: get_waveform
SELECT duration_s, highest, level FROM waveforms WHERE track_id = %(track_id)s

-- Keep the waveform of a track that is still there.
-- name: save_waveform
INSERT INTO waveforms (track_id, duration_s, highest, level)
SELECT id, %(duration_s)s, %(highest)s, %(level)s FROM tracks WHERE id = %(track_id)s
ON CONFLICT (track_id) DO UPDATE SET duration_s = excluded.duration_s,
    highest = excluded.highest, level = excluded.level

-- Artists and albums among the files whose words contain all the words asked for, with their tracks.
-- name: suggest_names
WITH hits AS (
    SELECT track_id, artist, album FROM files
    WHERE words LIKE ALL (%(patterns)s::text[]) AND track_id IS NOT NULL AND missing_since IS NULL
    LIMIT 2000
),
named AS (
    SELECT 'artist' AS kind, artist AS name, NULL AS of_artist, track_id FROM hits
    UNION ALL
    SELECT 'album', album, artist, track_id FROM hits
)
SELECT kind, name, CASE WHEN count(DISTINCT of_artist) = 1 THEN max(of_artist) END AS of_artist,
    (array_agg(DISTINCT track_id))[:%(most_tracks)s], count(DISTINCT track_id)
FROM named WHERE name IS NOT NULL
GROUP BY kind, name
ORDER BY count(DISTINCT track_id) DESC, name
LIMIT %(limit)s

-- Try failed files again, as if they were new: those of the paths, or all.
-- name: retry_failed_jobs
UPDATE jobs SET state = 'wanted', outcome = NULL, priority = 3, attempts = 0, interruptions = 0,
    kind = NULL, reason = NULL, wanted_at = now(), not_before = NULL, sent_at = NULL,
    started_at = NULL, finished_at = NULL
FROM files
WHERE files.id = jobs.file_id AND jobs.state = 'failed' AND files.missing_since IS NULL
    AND (%(paths)s::bytea[] IS NULL OR files.path = ANY(%(paths)s::bytea[]))
RETURNING jobs.id

-- Lyrics ----------------------------------------------------------------------------------------

-- What a known file has for lyrics. Words are kept as they are and as their stems.
-- name: save_lyrics
INSERT INTO lyrics (file_id, text, starts_s, language, language_names, stemmer, beside, words)
SELECT id, %(text)s::text, %(starts_s)s::real[], %(language)s, %(language_names)s::text[], %(stemmer)s::text,
    %(beside)s, to_tsvector('simple', %(folded)s)
        || to_tsvector((%(stemmer)s::text)::regconfig, %(text)s::text)
FROM files WHERE path = %(path)s
ON CONFLICT (file_id) DO UPDATE SET text = excluded.text, starts_s = excluded.starts_s,
    language = excluded.language, language_names = excluded.language_names,
    stemmer = excluded.stemmer, beside = excluded.beside, words = excluded.words

-- A file has no lyrics.
-- name: delete_lyrics
DELETE FROM lyrics USING files WHERE files.id = lyrics.file_id AND files.path = %(path)s

-- What lay beside files that hold a recording when their lyrics were read.
-- name: lyrics_stamps
SELECT files.path, coalesce(lyrics.beside, '')
FROM files LEFT JOIN lyrics ON lyrics.file_id = files.id
WHERE files.path = ANY(%(paths)s::bytea[]) AND files.track_id IS NOT NULL

-- Lyrics of some tracks; of several files of a track those with times first, then the longest.
-- name: lyrics_of_tracks
SELECT DISTINCT ON (files.track_id) files.track_id, lyrics.text, lyrics.starts_s, lyrics.language,
    lyrics.language_names
FROM lyrics JOIN files ON files.id = lyrics.file_id
WHERE files.track_id = ANY(%(track_ids)s::bigint[]) AND files.missing_since IS NULL
    AND lyrics.text <> ''
ORDER BY files.track_id, cardinality(lyrics.starts_s) = 0, length(lyrics.text) DESC, files.id

-- How many tracks have lyrics.
-- name: count_lyrics
SELECT count(DISTINCT files.track_id)
FROM lyrics JOIN files ON files.id = lyrics.file_id
WHERE files.missing_since IS NULL AND lyrics.text <> ''

-- Tracks whose lyrics hold the words, as they are or as stems of the lyrics' own language.
-- name: search_lyrics
WITH asked AS (
    SELECT stemmer, websearch_to_tsquery('simple', %(folded)s)
        || websearch_to_tsquery(stemmer::regconfig, %(words)s) AS query
    FROM (SELECT DISTINCT stemmer FROM lyrics) AS used
), found AS (
    SELECT DISTINCT ON (files.track_id) files.track_id, lyrics.language, lyrics.starts_s,
        lyrics.text, asked.stemmer, asked.query, ts_rank_cd(lyrics.words, asked.query, 1) AS rank
    FROM asked
    JOIN lyrics ON lyrics.stemmer = asked.stemmer AND lyrics.words @@ asked.query
    JOIN files ON files.id = lyrics.file_id AND files.missing_since IS NULL
    WHERE %(among)s::bigint[] IS NULL OR files.track_id = ANY(%(among)s::bigint[])
    ORDER BY files.track_id, rank DESC, files.id
), best AS (
    SELECT *, count(*) OVER () AS total FROM found ORDER BY rank DESC, track_id LIMIT %(limit)s
)
SELECT track_id, rank, language, starts_s, text,
    ts_headline(stemmer::regconfig, text, query, %(options)s), total
FROM best ORDER BY rank DESC, track_id
