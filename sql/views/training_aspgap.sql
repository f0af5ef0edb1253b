SELECT {columns}
FROM (
    SELECT *,
        cut_primary AND cut_has_xp AND cut_flags AND cut_teff AND cut_logg AND cut_mh
            AND cut_alpha_m AND cut_kiel AND cut_teff_error AND cut_logg_error AND cut_metallicity_error AND cut_alpha_error
            AND cut_snr AS chosen
    FROM (
        SELECT
            l.survey, l.survey_id, l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation, l.ambiguous AS link_ambiguous,
            l.is_primary, s.*, coalesce(l.is_primary, false) AS cut_primary, x.source_id IS NOT NULL AS cut_has_xp
        FROM store.survey_link AS l
        LEFT JOIN store.apogee AS a ON l.survey = 'apogee' AND a.release_id = {release_id} AND a.survey_id = l.survey_id
        LEFT JOIN store.apogee_spectrum AS p ON p.release_id = {release_id} AND p.survey_id = a.apogee_id
        LEFT JOIN store.galah AS h ON l.survey = 'galah' AND h.release_id = {release_id} AND h.survey_id = l.survey_id
        LEFT JOIN store.xp_spectrum AS x ON x.release_id = {release_id} AND x.source_id = l.source_id
        -- A union of rows that are joined already: one of tables would be read whole by a query that joins the view to a cone of gaia_source.
        CROSS JOIN LATERAL (
            SELECT
                (a.teff)::real AS teff, (a.teff_err)::real AS e_teff,
                (a.logg)::real AS logg, (a.logg_err)::real AS e_logg,
                (a.fe_h)::real AS feh, (a.fe_h_err)::real AS e_feh,
                (a.m_h)::real AS mh, (a.m_h_err)::real AS e_mh,
                (a.alpha_m)::real AS alpha_m, (a.alpha_m_err)::real AS e_alpha_m,
                (a.alpha_m + a.m_h - a.fe_h)::real AS alpha_fe, (sqrt(a.alpha_m_err::float8 ^ 2 + a.m_h_err::float8 ^ 2 + a.fe_h_err::float8 ^ 2))::real AS e_alpha_fe,
                (a.c_fe)::real AS c_fe, (a.c_fe_err)::real AS e_c_fe,
                (a.n_fe)::real AS n_fe, (a.n_fe_err)::real AS e_n_fe,
                a.snr, 'training' AS purpose,
                coalesce(a.aspcapflag & 8608481563 = 0, false) AS cut_flags,
                coalesce(a.teff BETWEEN 3000 AND 7000, false) AS cut_teff,
                coalesce(a.logg BETWEEN 0 AND 5.5, false) AS cut_logg,
                coalesce(a.m_h BETWEEN -2.5 AND 0.6::real, false) AS cut_mh,
                coalesce(a.alpha_m BETWEEN -0.1::real AND 0.6::real, false) AS cut_alpha_m,
                coalesce((a.logg > 4.2 - 1.5 * log(greatest(a.teff, 1)::float8 / 5777) AND a.logg < 4.8::real)
                    OR (a.logg < 5.0 / 3000 * (a.teff::float8 - 3000) + 0.5 AND a.logg > 5.0 / 3000 * (a.teff::float8 - 3000) - 1.9), false) AS cut_kiel,
                coalesce(a.teff_err <= 50, false) AS cut_teff_error,
                coalesce(a.logg_err <= 0.05::real, false) AS cut_logg_error,
                coalesce(a.m_h_err <= 0.02::real, false) AS cut_metallicity_error,
                coalesce(a.alpha_m_err <= 0.02::real, false) AS cut_alpha_error,
                coalesce(a.snr > 200, false) AS cut_snr,
                p.survey_id IS NOT NULL AS has_apogee_spectrum
            WHERE a.survey_id IS NOT NULL
            UNION ALL
            SELECT
                (h.teff)::real AS teff, (h.e_teff)::real AS e_teff,
                (h.logg)::real AS logg, (h.e_logg)::real AS e_logg,
                (h.fe_h)::real AS feh, (h.e_fe_h)::real AS e_feh,
                (NULL)::real AS mh, (NULL)::real AS e_mh,
                (NULL)::real AS alpha_m, (NULL)::real AS e_alpha_m,
                (h.alpha_fe)::real AS alpha_fe, (h.e_alpha_fe)::real AS e_alpha_fe,
                (CASE WHEN h.flag_c_fe = 0 THEN h.c_fe END)::real AS c_fe, (CASE WHEN h.flag_c_fe = 0 THEN h.e_c_fe END)::real AS e_c_fe,
                (NULL)::real AS n_fe, (NULL)::real AS e_n_fe,
                h.snr_c2_iraf, 'validation',
                coalesce(h.flag_sp = 0 AND h.flag_fe_h = 0 AND h.flag_guess = 0 AND h.red_flag = 0, false) AS cut_flags,
                true, true, true, true, true,
                coalesce(h.e_teff < 200, false) AS cut_teff_error,
                coalesce(h.e_logg < 0.25, false) AS cut_logg_error,
                coalesce(h.e_fe_h < 0.2::real, false) AS cut_metallicity_error,
                coalesce(h.e_alpha_fe < 0.05::real, false) AS cut_alpha_error,
                true, false
            WHERE h.survey_id IS NOT NULL
        ) AS s
        WHERE l.release_id = {release_id} AND l.survey IN ('apogee', 'galah') AND l.set_name = '' AND l.source_id IS NOT NULL
    ) AS asked
) AS candidate
