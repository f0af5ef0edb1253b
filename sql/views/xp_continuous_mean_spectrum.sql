SELECT
    x.source_id, g.ra, g.dec, x.solution_id,
    x.bp_basis_function_id, x.bp_degrees_of_freedom, x.bp_n_parameters, x.bp_n_measurements, x.bp_n_rejected_measurements,
    x.bp_standard_deviation, x.bp_chi_squared, x.bp_n_relevant_bases, x.bp_relative_shrinking,
    x.rp_basis_function_id, x.rp_degrees_of_freedom, x.rp_n_parameters, x.rp_n_measurements, x.rp_n_rejected_measurements,
    x.rp_standard_deviation, x.rp_chi_squared, x.rp_n_relevant_bases, x.rp_relative_shrinking,
    x.layout, x.flags,
    functions.xp_array(x.head, x.layout, 0, {n_bp}, {n_rp}) AS bp_coefficients,
    functions.xp_array(x.head, x.layout, 1, {n_bp}, {n_rp}) AS rp_coefficients,
    functions.xp_array(x.head, x.layout, 2, {n_bp}, {n_rp}) AS bp_coefficient_errors,
    functions.xp_array(x.head, x.layout, 3, {n_bp}, {n_rp}) AS rp_coefficient_errors,
    functions.xp_array(x.correlations, x.layout, 4, {n_bp}, {n_rp}) AS bp_coefficient_correlations,
    functions.xp_array(x.correlations, x.layout, 5, {n_bp}, {n_rp}) AS rp_coefficient_correlations
FROM store.xp_spectrum AS x
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = x.source_id
WHERE x.release_id = {release_id}
