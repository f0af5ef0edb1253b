SELECT {columns}
FROM (
    SELECT *,
        cut_primary AND cut_has_xp AND cut_flags AND cut_teff AND cut_logg AND cut_mh
            AND cut_alpha_m AND cut_kiel AND cut_teff_error AND cut_logg_error AND cut_metallicity_error AND cut_alpha_error
            AND cut_snr AS chosen
    FROM (
        SELECT
            'apogee'::text AS survey, l.survey_id, l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation,
            l.ambiguous AS link_ambiguous, l.is_primary,
            (s.teff)::real AS teff, (s.teff_err)::real AS e_teff,
            (s.logg)::real AS logg, (s.logg_err)::real AS e_logg,
            (s.fe_h)::real AS feh, (s.fe_h_err)::real AS e_feh,
            (s.m_h)::real AS mh, (s.m_h_err)::real AS e_mh,
            (s.alpha_m)::real AS alpha_m, (s.alpha_m_err)::real AS e_alpha_m,
            (s.alpha_m + s.m_h - s.fe_h)::real AS alpha_fe, (sqrt(s.alpha_m_err::float8 ^ 2 + s.m_h_err::float8 ^ 2 + s.fe_h_err::float8 ^ 2))::real AS e_alpha_fe,
            (s.c_fe)::real AS c_fe, (s.c_fe_err)::real AS e_c_fe,
            (s.n_fe)::real AS n_fe, (s.n_fe_err)::real AS e_n_fe,
            s.snr, 'training' AS purpose,
            coalesce(l.is_primary, false) AS cut_primary,
            x.source_id IS NOT NULL AS cut_has_xp,
            coalesce(s.aspcapflag & 8608481563 = 0, false) AS cut_flags,
            coalesce(s.teff BETWEEN 3000 AND 7000, false) AS cut_teff,
            coalesce(s.logg BETWEEN 0 AND 5.5, false) AS cut_logg,
            coalesce(s.m_h BETWEEN -2.5 AND 0.6::real, false) AS cut_mh,
            coalesce(s.alpha_m BETWEEN -0.1::real AND 0.6::real, false) AS cut_alpha_m,
            coalesce((s.logg > 4.2 - 1.5 * log(greatest(s.teff, 1)::float8 / 5777) AND s.logg < 4.8::real)
                OR (s.logg < 5.0 / 3000 * (s.teff::float8 - 3000) + 0.5 AND s.logg > 5.0 / 3000 * (s.teff::float8 - 3000) - 1.9), false) AS cut_kiel,
            coalesce(s.teff_err <= 50, false) AS cut_teff_error,
            coalesce(s.logg_err <= 0.05::real, false) AS cut_logg_error,
            coalesce(s.m_h_err <= 0.02::real, false) AS cut_metallicity_error,
            coalesce(s.alpha_m_err <= 0.02::real, false) AS cut_alpha_error,
            coalesce(s.snr > 200, false) AS cut_snr,
            p.survey_id IS NOT NULL AS has_apogee_spectrum
        FROM store.survey_link AS l
        JOIN store.apogee AS s ON s.release_id = {release_id} AND s.survey_id = l.survey_id
        LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = l.source_id
        LEFT JOIN store.xp_spectrum AS x ON x.release_id = {release_id} AND x.source_id = l.source_id
        LEFT JOIN store.apogee_spectrum AS p ON p.release_id = {release_id} AND p.survey_id = s.apogee_id
        WHERE l.release_id = {release_id} AND l.survey = 'apogee' AND l.set_name = '' AND l.source_id IS NOT NULL
        UNION ALL
        SELECT
            'galah'::text AS survey, l.survey_id, l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation,
            l.ambiguous AS link_ambiguous, l.is_primary,
            (s.teff)::real AS teff, (s.e_teff)::real AS e_teff,
            (s.logg)::real AS logg, (s.e_logg)::real AS e_logg,
            (s.fe_h)::real AS feh, (s.e_fe_h)::real AS e_feh,
            (NULL)::real AS mh, (NULL)::real AS e_mh,
            (NULL)::real AS alpha_m, (NULL)::real AS e_alpha_m,
            (s.alpha_fe)::real AS alpha_fe, (s.e_alpha_fe)::real AS e_alpha_fe,
            (CASE WHEN s.flag_c_fe = 0 THEN s.c_fe END)::real AS c_fe, (CASE WHEN s.flag_c_fe = 0 THEN s.e_c_fe END)::real AS e_c_fe,
            (NULL)::real AS n_fe, (NULL)::real AS e_n_fe,
            s.snr_c2_iraf, 'validation',
            coalesce(l.is_primary, false) AS cut_primary,
            x.source_id IS NOT NULL AS cut_has_xp,
            coalesce(s.flag_sp = 0 AND s.flag_fe_h = 0 AND s.flag_guess = 0 AND s.red_flag = 0, false) AS cut_flags,
            true, true, true, true, true,
            coalesce(s.e_teff < 200, false) AS cut_teff_error,
            coalesce(s.e_logg < 0.25, false) AS cut_logg_error,
            coalesce(s.e_fe_h < 0.2::real, false) AS cut_metallicity_error,
            coalesce(s.e_alpha_fe < 0.05::real, false) AS cut_alpha_error,
            true, false
        FROM store.survey_link AS l
        JOIN store.galah AS s ON s.release_id = {release_id} AND s.survey_id = l.survey_id
        LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = l.source_id
        LEFT JOIN store.xp_spectrum AS x ON x.release_id = {release_id} AND x.source_id = l.source_id
        WHERE l.release_id = {release_id} AND l.survey = 'galah' AND l.set_name = '' AND l.source_id IS NOT NULL
    ) AS asked
) AS candidate
