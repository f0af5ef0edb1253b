-- name: forward_beside_surveys
-- Labels of a run minus those of the survey rows that the paper's cuts choose, of the stars that have both; {rows}: the rows of the view training_forward. With each
-- star its loss over its number of fluxes and Gaia's parallax over its error; NaN without a value.
SELECT v.source_id, (v.loss / v.n_bands)::float8, coalesce(g.parallax / nullif(g.parallax_error, 0), 'NaN')::float8,
    coalesce(v.teff - c.teff, 'NaN')::float8, coalesce(v.feh - c.feh, 'NaN')::float8, coalesce(v.logg - c.logg, 'NaN')::float8,
    coalesce(v.ext - r.reddening, 'NaN')::float8
FROM ({rows}) AS c
JOIN store.label_forward AS v ON v.run_id = %(run_id)s AND v.source_id = c.source_id
LEFT JOIN store.gaia_source AS g ON g.release_id = %(release_id)s AND g.source_id = c.source_id
LEFT JOIN store.reddening AS r ON r.release_id = %(release_id)s AND r.source_id = c.source_id
WHERE c.chosen;

-- name: forward_basic_cut
-- How many labels a run of the forward model has, and how many pass the paper's basic reliability cut.
SELECT count(*), count(*) FILTER (WHERE quality_flags < 8) FROM store.label_forward WHERE run_id = %(run_id)s;

-- name: scatter_vae_fit
-- How many labels a run of the scatter VAE has with a chi2, and its median a coefficient with the learnt scatter.
SELECT count(*), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY chi2_scatter / n_coefficients), 'NaN')::float8
FROM store.label_scatter_vae WHERE run_id = %(run_id)s AND chi2_scatter IS NOT NULL AND n_coefficients > 0;
