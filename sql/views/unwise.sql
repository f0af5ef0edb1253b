SELECT {columns}
FROM (
    SELECT *,
        CASE WHEN w1_flux > 0 THEN (22.5 - 2.5 * log(w1_flux))::real END AS w1_mag,
        CASE WHEN w1_flux > 0 THEN (2.5 / ln(10::double precision) * w1_dflux / w1_flux)::real END AS w1_mag_error,
        CASE WHEN w2_flux > 0 THEN (22.5 - 2.5 * log(w2_flux))::real END AS w2_mag,
        CASE WHEN w2_flux > 0 THEN (2.5 / ln(10::double precision) * w2_dflux / w2_flux)::real END AS w2_mag_error
    FROM store.unwise
    WHERE release_id = {release_id}
) AS u
LEFT JOIN (
    SELECT survey_id, source_id, method AS link_method, separation_arcsec AS link_separation, n_candidates AS link_candidates,
           link_flags, ambiguous AS link_ambiguous, is_primary AS best_of_source
    FROM store.survey_link
    WHERE release_id = {release_id} AND survey = 'unwise' AND set_name = ''
) AS l USING (survey_id)
