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
