SELECT
    s.source_id, g.ra, g.dec, g.phot_g_mean_mag,
    f.run_id AS forward_run_id, f.teff AS forward_teff, f.e_teff AS forward_e_teff, f.logg AS forward_logg, f.e_logg AS forward_e_logg,
    f.feh AS forward_feh, f.e_feh AS forward_e_feh, f.ext AS forward_ext, f.e_ext AS forward_e_ext,
    f.parallax AS forward_parallax, f.e_parallax AS forward_e_parallax, f.covariance AS forward_covariance,
    f.chi2_opt AS forward_chi2_opt, f.quality_flags AS forward_quality_flags, f.converged AS forward_converged, f.n_minima AS forward_n_minima,
    f.missing_bands AS forward_missing_bands, f.out_of_domain AS forward_out_of_domain,
    v.run_id AS scatter_vae_run_id, v.latent AS scatter_vae_latent, v.chi2 AS scatter_vae_chi2, v.quality_flags AS scatter_vae_quality_flags
-- Every label is of a source with a spectrum: from those the models are joined, so that a condition on source_id reaches the index of each.
FROM store.xp_spectrum AS s
LEFT JOIN store.label_forward AS f ON f.run_id = {run_forward} AND f.source_id = s.source_id
LEFT JOIN store.label_scatter_vae AS v ON v.run_id = {run_scatter_vae} AND v.source_id = s.source_id
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = s.source_id
WHERE s.release_id = {release_id} AND (f.source_id IS NOT NULL OR v.source_id IS NOT NULL)
