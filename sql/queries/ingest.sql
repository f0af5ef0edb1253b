-- name: add_file
-- A new file in the ledger; nothing when its bytes are there already.
INSERT INTO store.ingest_file (release_id, sha256, name, size, set_name)
VALUES (%(release_id)s, %(sha256)s, %(name)s, %(size)s, %(set_name)s)
ON CONFLICT (release_id, sha256) DO NOTHING
RETURNING file_id;

-- name: ledger_files
-- The ledger's files of a release, in the order in which they were added.
SELECT file_id, sha256, name, size, set_name, product, state, reason, rows_in, rows_loaded, rows_rejected
FROM store.ingest_file
WHERE release_id = %(release_id)s
ORDER BY file_id;

-- name: ledger_file
-- One file of the ledger, by its bytes.
SELECT file_id, sha256, name, size, set_name, product, state, reason, rows_in, rows_loaded, rows_rejected
FROM store.ingest_file
WHERE release_id = %(release_id)s AND sha256 = %(sha256)s;

-- name: plan_file_again
-- Back to the first state, under the name that it has now.
UPDATE store.ingest_file SET state = 'planned', reason = NULL, finished = NULL, name = %(name)s
WHERE file_id = %(file_id)s AND state IN ('failed', 'not_a_product', 'planned', 'verified', 'loading');

-- name: set_file_state
-- A step in the life of a file, short of its last.
UPDATE store.ingest_file SET state = %(state)s, product = %(product)s, header = %(header)s, code_version = %(code_version)s
WHERE file_id = %(file_id)s;

-- name: end_file
-- The end of a file that gives no rows: it failed, or is no product.
UPDATE store.ingest_file
SET state = %(state)s, reason = %(reason)s, finished = now(), code_version = %(code_version)s,
    rows_in = NULL, rows_loaded = NULL, rows_rejected = NULL
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
SET state = 'loaded', reason = NULL, finished = now(), code_version = %(code_version)s,
    rows_in = %(rows_in)s, rows_loaded = %(rows_loaded)s, rows_rejected = %(rows_in)s - %(rows_loaded)s
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
-- Every row that was not taken, with the file that holds its source where it is a duplicate.
SELECT f.name AS file, f.sha256, j.row_number, j.source_id, j.record, j.reason, j.detail, w.name AS winner, w.sha256 AS winner_sha256
FROM store.ingest_reject AS j
JOIN store.ingest_file AS f ON f.file_id = j.file_id
LEFT JOIN store.ingest_file AS w ON w.file_id = j.winner_file_id
WHERE f.release_id = %(release_id)s
ORDER BY f.file_id, j.row_number, j.reason;
