-- name: release_exists
-- Whether a release has been added.
SELECT release_id FROM store.release WHERE name = %(name)s;

-- name: insert_release
-- A release with its contract; the first default release stays the default.
INSERT INTO store.release (
    release_id, name, suffix, epoch, n_bp, n_rp, bp_basis_function_id, rp_basis_function_id, cut_dialect, largest_pixel_offset, is_default
) VALUES (
    %(release_id)s, %(name)s, %(suffix)s, %(epoch)s, %(n_bp)s, %(n_rp)s, %(bp_basis_function_id)s, %(rp_basis_function_id)s,
    %(cut_dialect)s, %(largest_pixel_offset)s, %(is_default)s AND NOT EXISTS (SELECT FROM store.release WHERE is_default)
);
