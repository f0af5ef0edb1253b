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
