SELECT name, suffix, epoch, n_bp, n_rp, bp_basis_function_id, rp_basis_function_id, cut_dialect, largest_pixel_offset, is_default, simulated, created
FROM store.release
