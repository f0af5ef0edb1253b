-- name: add_dust_map
-- A map in the ledger, with no rows of it yet; nothing when it is there as one.
INSERT INTO store.ingest_file AS f (
    release_id, sha256, name, size, product, state, header, rows_in, rows_loaded, rows_rejected, code_version
)
VALUES (%(release_id)s, %(sha256)s, %(name)s, %(size)s, %(product)s, 'loaded', %(header)s, 0, 0, 0, %(code_version)s)
ON CONFLICT (release_id, sha256) DO UPDATE SET
    product = excluded.product, state = excluded.state, header = excluded.header, reason = NULL, rows_in = 0, rows_loaded = 0, rows_rejected = 0
WHERE f.state <> 'loaded';

-- name: dust_map_header
-- What the ledger keeps of the map and of how its rows were made.
SELECT header FROM store.ingest_file WHERE file_id = %(file_id)s;

-- name: sources_without_reddening
-- The next sources, by source_id, that the map has not been asked for.
SELECT g.source_id, g.ra, g.dec, g.parallax, g.parallax_error
FROM store.gaia_source AS g
WHERE g.release_id = %(release_id)s AND g.source_id > %(after)s
  AND NOT EXISTS (
      SELECT FROM store.reddening AS r WHERE r.release_id = %(release_id)s AND r.source_id = g.source_id AND r.file_id = %(file_id)s
  )
  AND NOT EXISTS (SELECT FROM store.ingest_reject AS j WHERE j.source_id = g.source_id AND j.file_id = %(file_id)s)
ORDER BY g.source_id
LIMIT %(rows)s;

-- name: rows_of_dust_map
-- How many rows the map has given so far: they are counted through. Who asks holds the file's lock.
SELECT rows_in FROM store.ingest_file WHERE file_id = %(file_id)s;

-- name: count_dust_map_rows
-- The map has given more rows.
UPDATE store.ingest_file
SET rows_in = rows_in + %(rows)s, rows_loaded = rows_loaded + %(loaded)s, rows_rejected = rows_rejected + %(rows)s - %(loaded)s,
    finished = now(), code_version = %(code_version)s
WHERE file_id = %(file_id)s;
