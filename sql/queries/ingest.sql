-- name: add_file
-- A new file in the ledger; nothing when its bytes are there already.
INSERT INTO store.ingest_file (release_id, sha256, name, size, set_name)
VALUES (%(release_id)s, %(sha256)s, %(name)s, %(size)s, %(set_name)s)
ON CONFLICT (release_id, sha256) DO NOTHING
RETURNING file_id;

-- name: ledger_files
-- The ledger's files of a release, in the order in which they were added.
SELECT file_id, sha256, name, size, set_name, product, state, reason, rows_stated, rows_in, rows_kept, rows_loaded, rows_rejected, attempts,
       header - 'columns' AS contract
FROM store.ingest_file
WHERE release_id = %(release_id)s
ORDER BY file_id;

-- name: pending_files
-- The files of a release that wait, those last that took most loaders with them.
SELECT file_id, sha256, name, size, set_name, product, state, reason, rows_stated, rows_in, rows_kept, rows_loaded, rows_rejected, attempts,
       NULL::jsonb AS contract
FROM store.ingest_file
WHERE release_id = %(release_id)s AND state IN ('planned', 'verified', 'loading')
ORDER BY attempts, file_id;

-- name: held_files
-- The files that a loader holds at this moment, whatever its state is.
SELECT objid::integer FROM pg_locks
WHERE locktype = 'advisory' AND classid = %(class)s AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: files_in_progress
-- How far the loaders of a release are, as they told last.
SELECT p.file_id, p.loader, p.stage, p.bytes_done, p.rows_done, extract(epoch FROM p.told - p.started)::double precision AS seconds,
       extract(epoch FROM clock_timestamp() - p.told)::double precision AS silent_seconds
FROM store.ingest_progress AS p
JOIN store.ingest_file AS f ON f.file_id = p.file_id
WHERE f.release_id = %(release_id)s;

-- name: commit_without_waiting
-- What is told of progress need not outlive a crash of the server.
SET synchronous_commit = off;

-- name: tell_progress
-- How far the loader of a file is.
INSERT INTO store.ingest_progress AS p (file_id, loader, stage, bytes_done, rows_done, started, told)
VALUES (%(file_id)s, %(loader)s, %(stage)s, %(bytes_done)s, %(rows_done)s, clock_timestamp() - %(seconds)s * interval '1 second', clock_timestamp())
ON CONFLICT (file_id) DO UPDATE
SET loader = excluded.loader, stage = excluded.stage, bytes_done = excluded.bytes_done, rows_done = excluded.rows_done,
    started = excluded.started, told = excluded.told;

-- name: end_progress
-- Nobody is loading the file any more.
DELETE FROM store.ingest_progress WHERE file_id = %(file_id)s;

-- name: begin_file
-- A loader begins with the file: counted before anything else, so that one which dies of the file is known.
UPDATE store.ingest_file SET attempts = attempts + 1 WHERE file_id = %(file_id)s;

-- name: let_file_wait
-- A passing fault has stopped the loader of a file, which waits to be loaded again.
UPDATE store.ingest_file SET state = 'planned', reason = %(reason)s
WHERE file_id = %(file_id)s AND state IN ('planned', 'verified', 'loading');

-- name: ledger_file
-- One file of the ledger, by its bytes.
SELECT file_id, sha256, name, size, set_name, product, state, reason, rows_stated, rows_in, rows_kept, rows_loaded, rows_rejected, attempts,
       header - 'columns' AS contract
FROM store.ingest_file
WHERE release_id = %(release_id)s AND sha256 = %(sha256)s;

-- name: plan_file_again
-- Back to the first state, under the name that it has now.
UPDATE store.ingest_file SET state = 'planned', reason = NULL, finished = NULL, attempts = 0, name = %(name)s
WHERE file_id = %(file_id)s AND state IN ('failed', 'not_a_product', 'planned', 'verified', 'loading');

-- name: set_file_verified
-- The file's bytes and its header are what they should be.
UPDATE store.ingest_file
SET state = 'verified', reason = NULL, product = %(product)s, header = %(header)s, md5 = %(md5)s, rows_stated = %(rows_stated)s,
    code_version = %(code_version)s
WHERE file_id = %(file_id)s;

-- name: set_file_loading
-- The file's rows are being read.
UPDATE store.ingest_file SET state = 'loading' WHERE file_id = %(file_id)s;

-- name: end_file
-- The end of a file that gives no rows: it failed, or is no product.
UPDATE store.ingest_file
SET state = %(state)s, reason = %(reason)s, finished = now(), code_version = %(code_version)s,
    rows_in = NULL, rows_kept = NULL, rows_loaded = NULL, rows_rejected = NULL
WHERE file_id = %(file_id)s;

-- name: try_file_lock
-- Whether this session now holds the file; a loader that died has let go of it.
SELECT pg_try_advisory_lock(%(class)s, %(file_id)s);

-- name: wait_for_file_lock
-- Wait until no other loader holds the file, then hold it.
SELECT pg_advisory_lock(%(class)s, %(file_id)s);

-- name: release_file_lock
-- Let go of the file.
SELECT pg_advisory_unlock(%(class)s, %(file_id)s);

-- name: look_after_client
-- End the session soon after its client has died, also while it waits for a lock.
SET client_connection_check_interval = '1s';

-- name: merge_lock
-- One merge at a time in a release, until the end of the transaction: so the result does not depend on how loaders interleave.
SELECT pg_advisory_xact_lock(%(class)s, %(release_id)s);

-- name: make_staging
-- Where a file's rows wait for the merge, as the table keeps them.
CREATE TEMPORARY TABLE staged (LIKE {table} INCLUDING STORAGE) ON COMMIT DROP;

-- name: make_rivals
-- The staged rows whose key the table holds already, by their row in the file.
CREATE TEMPORARY TABLE rival (
    row_number integer PRIMARY KEY, record text NOT NULL, held_by integer NOT NULL, wins boolean NOT NULL
) ON COMMIT DROP;

-- name: set_aside_duplicates_within
-- Of the rows of one key in one file the fullest stays, the lower row number on a tie; the others become rejects.
WITH placed AS (
    SELECT s.row_number,
           row_number() OVER (PARTITION BY {key_staged} ORDER BY {completeness_staged} DESC, s.row_number) AS place
    FROM staged AS s
), lost AS (
    DELETE FROM staged AS s USING placed AS p
    WHERE p.row_number = s.row_number AND p.place > 1
    RETURNING s.file_id, s.row_number, {source_staged} AS source_id, {record_staged} AS record, {completeness_staged} AS completeness
)
INSERT INTO store.ingest_reject (file_id, row_number, source_id, record, reason, detail, winner_file_id)
SELECT file_id, row_number, source_id, record, {reason}, completeness || {unit}, file_id
FROM lost;

-- name: find_rivals
-- Which staged rows meet a row of the table, and whether they win: the fuller row, on a tie the one of the smaller file sha256.
INSERT INTO rival (row_number, record, held_by, wins)
SELECT s.row_number, {record_staged}, t.file_id,
       {completeness_staged} > {completeness_held}
       OR ({completeness_staged} = {completeness_held} AND %(sha256)s COLLATE "C" < f.sha256 COLLATE "C")
FROM staged AS s
JOIN {table} AS t ON t.release_id = %(release_id)s AND {same_key}
JOIN store.ingest_file AS f ON f.file_id = t.file_id;

-- name: set_aside_losers
-- Staged rows that lose against the row that the table holds become rejects.
WITH lost AS (
    DELETE FROM staged AS s USING rival AS r
    WHERE r.row_number = s.row_number AND NOT r.wins
    RETURNING s.file_id, s.row_number, {source_staged} AS source_id, r.record, {completeness_staged} AS completeness, r.held_by
)
INSERT INTO store.ingest_reject (file_id, row_number, source_id, record, reason, detail, winner_file_id)
SELECT file_id, row_number, source_id, record, {reason}, completeness || {unit}, held_by
FROM lost;

-- name: take_out_losers
-- Rows of the table that lose against a staged row become rejects of their own files, whose counts follow.
WITH lost AS (
    DELETE FROM {table} AS t USING staged AS s, rival AS r
    WHERE t.release_id = %(release_id)s AND {same_key} AND r.row_number = s.row_number AND r.wins
    RETURNING t.file_id, t.row_number, {source_held} AS source_id, r.record, {completeness_held} AS completeness
), counted AS (
    UPDATE store.ingest_file AS f SET rows_loaded = f.rows_loaded - l.rows, rows_rejected = f.rows_rejected + l.rows
    FROM (SELECT file_id, count(*) AS rows FROM lost GROUP BY file_id) AS l
    WHERE f.file_id = l.file_id
)
INSERT INTO store.ingest_reject (file_id, row_number, source_id, record, reason, detail, winner_file_id)
SELECT file_id, row_number, source_id, record, {reason}, completeness || {unit}, %(file_id)s
FROM lost;

-- name: insert_staged
-- The rows that are left, in the order of their key.
INSERT INTO {table} ({columns})
SELECT {columns} FROM staged AS s ORDER BY {key_staged};

-- name: point_rejects_at_winners
-- Every duplicate of a key, of this file and of earlier ones, names the file that holds the key now.
UPDATE store.ingest_reject AS j
SET winner_file_id = CASE WHEN r.wins THEN %(file_id)s ELSE r.held_by END
FROM rival AS r, store.ingest_file AS f
WHERE j.record = r.record AND j.reason = {reason}
  AND f.file_id = j.file_id AND f.release_id = %(release_id)s AND f.product = %(product)s
  AND j.winner_file_id IS DISTINCT FROM CASE WHEN r.wins THEN %(file_id)s ELSE r.held_by END;

-- name: raise_pixel_offset
-- The padding that cones of the release need grows to the largest offset seen.
UPDATE store.release SET largest_pixel_offset = %(offset)s
WHERE release_id = %(release_id)s AND largest_pixel_offset < %(offset)s;

-- name: add_displaced_source
-- A source too far outside its pixel for padding; of several rows the largest offset stays.
INSERT INTO store.displaced_source AS d (release_id, source_id, offset_deg)
VALUES (%(release_id)s, %(source_id)s, %(offset_deg)s)
ON CONFLICT (release_id, source_id) DO UPDATE SET offset_deg = greatest(d.offset_deg, excluded.offset_deg);

-- name: finish_file
-- The file is loaded; every row that was read stands in the table or in the rejects.
UPDATE store.ingest_file
SET state = 'loaded', reason = NULL, finished = now(), code_version = %(code_version)s, header = header || %(counted)s,
    rows_in = %(rows_in)s, rows_kept = %(rows_kept)s, rows_loaded = %(rows_loaded)s, rows_rejected = %(rows_in)s - %(rows_loaded)s
WHERE file_id = %(file_id)s
RETURNING rows_rejected, (SELECT count(*) FROM store.ingest_reject AS j WHERE j.file_id = %(file_id)s);

-- name: rejects_by_reason
-- How many rows of each file were not taken, by reason.
SELECT f.name AS file, j.reason, count(*) AS rows
FROM store.ingest_reject AS j
JOIN store.ingest_file AS f ON f.file_id = j.file_id
WHERE f.release_id = %(release_id)s
GROUP BY f.file_id, f.name, j.reason
ORDER BY f.file_id, j.reason;

-- name: rejects
-- The rows that were not taken, with the file that holds the key where it is a duplicate; of one file (a part of its name) or reason on request.
SELECT f.name AS file, f.sha256, f.product, j.row_number, j.source_id, j.record, j.reason, j.detail, w.name AS winner, w.sha256 AS winner_sha256
FROM store.ingest_reject AS j
JOIN store.ingest_file AS f ON f.file_id = j.file_id
LEFT JOIN store.ingest_file AS w ON w.file_id = j.winner_file_id
WHERE f.release_id = %(release_id)s
  AND (%(file)s::text IS NULL OR strpos(f.name, %(file)s) > 0)
  AND (%(reason)s::text IS NULL OR j.reason = %(reason)s)
ORDER BY f.file_id, j.row_number, j.reason
LIMIT %(limit)s;

-- name: rows_by_file
-- How many rows of a table each file holds.
SELECT file_id, count(*) FROM {table} WHERE release_id = %(release_id)s GROUP BY file_id;

-- name: rejects_by_file
-- How many rejects each file of the release has.
SELECT j.file_id, count(*)
FROM store.ingest_reject AS j
JOIN store.ingest_file AS f ON f.file_id = j.file_id
WHERE f.release_id = %(release_id)s
GROUP BY j.file_id;

-- name: tables_loaded_since_statistics
-- Of the tables of products those into which a file was loaded after the planner's statistics of the whole table were made.
SELECT DISTINCT p.table_name
FROM unnest(%(products)s::text[], %(tables)s::text[]) AS p (product, table_name)
JOIN store.ingest_file AS f ON f.product = p.product AND f.state = 'loaded'
JOIN pg_stat_all_tables AS s ON s.schemaname = 'store' AND s.relname = p.table_name
WHERE s.last_analyze IS NULL OR f.finished >= s.last_analyze;
