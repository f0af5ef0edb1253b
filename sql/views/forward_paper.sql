SELECT
    v.run_id, v.source_id AS gdr3_source_id, g.ra, g.dec,
    float4send((v.teff / 1000.0::float8)::real) || float4send(v.feh) || float4send(v.logg) || float4send(v.ext) || float4send(v.parallax)
        AS stellar_params_est,
    float4send((v.e_teff / 1000.0::float8)::real) || float4send(v.e_feh) || float4send(v.e_logg) || float4send(v.e_ext) || float4send(v.e_parallax)
        AS stellar_params_err,
    v.chi2_opt, v.ln_prior, v.teff_confidence, v.feh_confidence, v.logg_confidence, v.quality_flags,
    functions.rescaled_triangle(v.inverse_covariance, 5, 1000) AS stellar_params_icov_triu,
    functions.rescaled_triangle(v.covariance, 5, 0.001) AS stellar_params_cov_triu
FROM store.label_forward AS v
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = v.source_id
WHERE v.run_id = {run_id}
