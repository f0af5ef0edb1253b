-- name: current_publication
-- The newest publication; its schemas are there as long as somebody holds its reader lock.
SELECT serial, schemas FROM store.publication WHERE dropped IS NULL ORDER BY serial DESC LIMIT 1;

-- name: next_serial
-- The serial of the publication that is being made.
SELECT coalesce(max(serial), 0) + 1 FROM store.publication;

-- name: insert_publication
-- A publication becomes the current one when this commits.
INSERT INTO store.publication (serial, schemas, cause) VALUES (%(serial)s, %(schemas)s, %(cause)s);

-- name: old_publications
-- Publications whose schemas still stand, but for the newest.
SELECT serial FROM store.publication
WHERE dropped IS NULL AND serial < (SELECT max(serial) FROM store.publication)
ORDER BY serial;

-- name: mark_publication_dropped
-- From now on no reader chooses this publication, and nobody needs its TAP_SCHEMA.
WITH s AS (DELETE FROM store.tap_schemas WHERE serial = %(serial)s),
    t AS (DELETE FROM store.tap_tables WHERE serial = %(serial)s),
    c AS (DELETE FROM store.tap_columns WHERE serial = %(serial)s),
    k AS (DELETE FROM store.tap_keys WHERE serial = %(serial)s),
    kc AS (DELETE FROM store.tap_key_columns WHERE serial = %(serial)s)
UPDATE store.publication SET dropped = now() WHERE serial = %(serial)s;

-- name: published_runs
-- Which run of each model is current in each release.
SELECT release_id, model, run_id FROM store.published ORDER BY release_id, model;

-- name: all_releases
-- The releases with what their views need.
SELECT release_id, name, suffix, n_bp, n_rp, cut_dialect, is_default FROM store.release ORDER BY release_id;

-- name: lock_reader
-- Keeps a publication's schemas alive for this session.
SELECT pg_advisory_lock_shared(%(lock_class)s, %(serial)s);

-- name: unlock_reader
-- Lets a publication go.
SELECT pg_advisory_unlock_shared(%(lock_class)s, %(serial)s);

-- name: publication_stands
-- Whether the publication that was locked had not been dropped before the lock was held.
SELECT dropped IS NULL FROM store.publication WHERE serial = %(serial)s;

-- name: try_lock_publication
-- True when no reader holds the publication.
SELECT pg_try_advisory_lock(%(lock_class)s, %(serial)s);

-- name: unlock_publication
-- The end of dropping.
SELECT pg_advisory_unlock(%(lock_class)s, %(serial)s);

-- name: public_schemas
-- Every schema that publications made: permanent (name__p0007), plain, and plain ones that were swapped out (name__old0007).
SELECT nspname FROM pg_namespace
WHERE obj_description(oid, 'pg_namespace') LIKE 'Kiel publication %%'
ORDER BY nspname;

-- name: views_of_schema
-- The views of one schema.
SELECT viewname FROM pg_views WHERE schemaname = %(schema)s ORDER BY viewname;

-- name: schemas_to_drop
-- Schemas of publications that were dropped, and plain ones that were swapped out. One statement, so that a publication made
-- meanwhile is seen whole or not at all: its schemas without its row would look like those of a dropped one.
SELECT n.nspname FROM pg_namespace AS n
WHERE obj_description(n.oid, 'pg_namespace') LIKE 'Kiel publication %%' AND strpos(n.nspname, '__') > 0
    AND NOT EXISTS (
        SELECT FROM store.publication AS p, jsonb_each(p.schemas) AS s
        WHERE p.dropped IS NULL AND s.value ->> 'permanent' = n.nspname
    )
ORDER BY n.nspname;
