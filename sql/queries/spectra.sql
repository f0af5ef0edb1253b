-- name: spectra
-- The spectra of a range of sources, whole, with their G photometry; the range said for both tables, so that each reads its partition alone.
SELECT x.source_id, x.layout, g.phot_g_mean_flux, g.phot_g_mean_mag, x.head, x.correlations
FROM store.xp_spectrum x
LEFT JOIN store.gaia_source g
    ON g.release_id = x.release_id AND g.source_id = x.source_id AND g.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
WHERE x.release_id = %(release_id)s AND x.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
ORDER BY x.source_id;

-- name: spectra_without_correlations
-- The same without correlations, whose pages are not touched.
SELECT x.source_id, x.layout, g.phot_g_mean_flux, g.phot_g_mean_mag, x.head
FROM store.xp_spectrum x
LEFT JOIN store.gaia_source g
    ON g.release_id = x.release_id AND g.source_id = x.source_id AND g.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
WHERE x.release_id = %(release_id)s AND x.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
ORDER BY x.source_id;

-- name: stars
-- The same with what other tables say of each source, in the order of STAR_COLUMNS; null without a row. Every table that is cut by source_id is told the range, and
-- survey_link as well, whose index begins with it.
SELECT x.source_id, x.layout, g.phot_g_mean_flux, g.phot_g_mean_mag,
    g.parallax::float8, g.parallax_error::float8, g.astrometric_params_solved::float8, g.nu_eff_used_in_astrometry::float8,
    g.pseudocolour::float8, g.ecl_lat::float8, g.ruwe::float8,
    g.phot_g_mean_mag::float8, g.phot_bp_mean_mag::float8, g.phot_rp_mean_mag::float8,
    g.phot_g_mean_flux_over_error::float8, g.phot_bp_mean_flux_over_error::float8, g.phot_rp_mean_flux_over_error::float8,
    g.phot_bp_rp_excess_factor::float8,
    x.bp_standard_deviation::float8, x.bp_chi_squared::float8, x.bp_degrees_of_freedom::float8,
    x.rp_standard_deviation::float8, x.rp_chi_squared::float8, x.rp_degrees_of_freedom::float8,
    f.fidelity_v2::float8, f.norm_dg::float8,
    t.j_m::float8, t.j_msigcom::float8, t.h_m::float8, t.h_msigcom::float8, t.ks_m::float8, t.ks_msigcom::float8,
    (substr(t.ph_qual, 1, 1) = 'A')::integer::float8 AS j_quality_a, (substr(t.ph_qual, 2, 1) = 'A')::integer::float8 AS h_quality_a,
    (substr(t.ph_qual, 3, 1) = 'A')::integer::float8 AS ks_quality_a,
    CASE WHEN t.source_id IS NOT NULL THEN (t.ext_key IS NOT NULL)::integer::float8 END AS two_mass_extended,
    u.w1_flux::float8, u.w1_dflux::float8, u.w1_qf::float8, u.w1_fracflux::float8,
    u.w2_flux::float8, u.w2_dflux::float8, u.w2_qf::float8, u.w2_fracflux::float8, l.separation_arcsec AS unwise_separation,
    x.head, x.correlations
FROM store.xp_spectrum x
LEFT JOIN store.gaia_source g
    ON g.release_id = x.release_id AND g.source_id = x.source_id AND g.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
LEFT JOIN store.fidelity f
    ON f.release_id = x.release_id AND f.source_id = x.source_id AND f.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
LEFT JOIN store.two_mass_photometry t
    ON t.release_id = x.release_id AND t.source_id = x.source_id AND t.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
LEFT JOIN store.survey_link l
    ON l.release_id = x.release_id AND l.survey = 'unwise' AND l.set_name = '' AND l.is_primary AND l.source_id = x.source_id
    AND l.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
LEFT JOIN store.unwise u ON u.release_id = x.release_id AND u.survey_id = l.survey_id
WHERE x.release_id = %(release_id)s AND x.source_id BETWEEN %(first_source_id)s AND %(last_source_id)s
ORDER BY x.source_id;

-- name: stars_named
-- Those of them that are named, read by their keys.
SELECT * FROM ({stars}) AS s WHERE s.source_id = ANY(%(only)s) ORDER BY s.source_id;
