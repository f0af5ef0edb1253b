SELECT v.run_id, v.source_id, g.ra, g.dec, v.latent, v.e_latent, v.chi2, v.chi2_scatter, v.n_coefficients, v.flux_scale, v.quality_flags
FROM store.label_scatter_vae AS v
JOIN store.run AS r ON r.run_id = v.run_id AND r.release_id = {release_id} AND r.state IN ('complete', 'published', 'withdrawn')
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = v.source_id
