-- name: release_exists
-- Whether a release has been added.
SELECT release_id FROM store.release WHERE name = %(name)s;

-- name: yield_default_to_real
-- A simulated release is the default only as long as there is no real one.
UPDATE store.release SET is_default = false WHERE simulated;

-- name: insert_release
-- A release with its contract; the first default release stays the default.
INSERT INTO store.release (
    release_id, name, suffix, epoch, n_bp, n_rp, bp_basis_function_id, rp_basis_function_id, id_system, cut_dialect, largest_pixel_offset, simulated, is_default
) VALUES (
    %(release_id)s, %(name)s, %(suffix)s, %(epoch)s, %(n_bp)s, %(n_rp)s, %(bp_basis_function_id)s, %(rp_basis_function_id)s,
    %(id_system)s, %(cut_dialect)s, %(largest_pixel_offset)s, %(simulated)s, %(is_default)s AND NOT EXISTS (SELECT FROM store.release WHERE is_default)
);

-- name: releases_with_ranges
-- The releases, and into how many source_id ranges each is divided (as gaia_source is, the first table of all).
SELECT r.release_id, r.suffix, greatest(1, (
    SELECT count(*) FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhparent AND c.relnamespace = 'store'::regnamespace AND c.relname = 'gaia_source_' || r.suffix
))::integer AS ranges
FROM store.release AS r
ORDER BY r.release_id;

-- name: partitions_of_release
-- The tables that are a release's partition of another one.
SELECT c.relname FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE c.relnamespace = 'store'::regnamespace AND right(c.relname, length(%(suffix)s)) = %(suffix)s;
