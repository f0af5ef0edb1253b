SELECT
    v.source_id, g.ra, g.dec, g.phot_g_mean_mag,
    v.run_id AS scatter_vae_run_id, v.latent AS scatter_vae_latent, v.chi2 AS scatter_vae_chi2, v.quality_flags AS scatter_vae_quality_flags
FROM store.label_scatter_vae AS v
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = v.source_id
WHERE v.run_id = {run_scatter_vae}
