SELECT name, suffix, epoch, n_bp, n_rp, bp_basis_function_id, rp_basis_function_id, id_system, cut_dialect, largest_pixel_offset, is_default, simulated, created
FROM store.release
