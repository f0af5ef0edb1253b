-- name: archive_query
-- What is known of a query that was put to an archive.
SELECT query_id, url, set_name, name, first_id, last_id, text, sha256, counted
FROM store.archive_query
WHERE release_id = %(release_id)s AND url = %(url)s AND set_name = %(set_name)s AND name = %(name)s
    AND first_id = %(first_id)s AND last_id = %(last_id)s;

-- name: add_archive_query
-- A new query in the ledger; nothing when it is there already.
INSERT INTO store.archive_query (release_id, url, set_name, name, first_id, last_id, text, sha256)
VALUES (%(release_id)s, %(url)s, %(set_name)s, %(name)s, %(first_id)s, %(last_id)s, %(text)s, %(sha256)s)
ON CONFLICT DO NOTHING
RETURNING query_id;

-- name: forget_archive_ranges
-- Everything that is known of a query's ranges goes, so that it begins anew; the files stay.
DELETE FROM store.archive_range WHERE query_id = %(query_id)s;

-- name: renew_archive_query
-- The query as it reads now.
UPDATE store.archive_query SET text = %(text)s, sha256 = %(sha256)s, counted = NULL, planned = now() WHERE query_id = %(query_id)s;

-- name: add_archive_range
-- A range of a query, planned.
INSERT INTO store.archive_range (query_id, first_id, last_id) VALUES (%(query_id)s, %(first_id)s, %(last_id)s)
RETURNING range_id, first_id, last_id, state, rows, file_name, sha256;

-- name: archive_ranges
-- The ranges that tile a query, in order: all but those that were split.
SELECT range_id, first_id, last_id, state, rows, file_name, sha256
FROM store.archive_range
WHERE query_id = %(query_id)s AND state <> 'split'
ORDER BY first_id;

-- name: plan_archive_range_again
-- A range whose file is gone, or that the service refused earlier, is asked once more.
UPDATE store.archive_range SET state = 'planned', rows = NULL, file_name = NULL, sha256 = NULL, seconds = NULL, fetched = NULL
WHERE range_id = %(range_id)s;

-- name: archive_attempt_failed
-- One more attempt that gave no answer.
UPDATE store.archive_range SET attempts = attempts + 1, last_error = %(error)s WHERE range_id = %(range_id)s;

-- name: archive_range_fetched
-- The whole answer of a range lies in a file.
UPDATE store.archive_range
SET state = 'fetched', attempts = attempts + 1, rows = %(rows)s, file_name = %(file_name)s, sha256 = %(sha256)s, seconds = %(seconds)s,
    fetched = now()
WHERE range_id = %(range_id)s;

-- name: end_archive_range
-- A range that is not asked again as it is: split, or refused by the service.
UPDATE store.archive_range
SET state = %(state)s, attempts = attempts + 1, overflow = %(overflow)s, last_error = %(error)s
WHERE range_id = %(range_id)s;

-- name: archive_query_counted
-- How many rows the archive counts for the whole query.
UPDATE store.archive_query SET counted = %(counted)s WHERE query_id = %(query_id)s;

-- name: file_is_loaded
-- Whether the file with these bytes stands in the release's tables.
SELECT EXISTS (SELECT FROM store.ingest_file WHERE release_id = %(release_id)s AND sha256 = %(sha256)s AND state = 'loaded');

-- name: try_archive_lock
-- Whether this session now holds the query; a fetcher that died has let go of it.
SELECT pg_try_advisory_lock(%(class)s, %(query_id)s);

-- name: release_archive_lock
-- Let go of the query.
SELECT pg_advisory_unlock(%(class)s, %(query_id)s);
