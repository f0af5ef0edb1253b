SELECT {columns}
FROM (
    SELECT *,
        cut_primary AND cut_has_xp AND cut_teff_snr AND cut_logg_error AND cut_mh_error AND cut_colour
            AND cut_magnitude AND cut_starflag AND cut_aspcapflag AS chosen,
        cut_primary AND cut_has_xp AND cut_teff_snr AND cut_logg_error AND cut_mh_error AND cut_colour AND cut_magnitude AND cut_starflag
            AND cut_aspcapflag AND passes_pristine AS pristine
    FROM (
        SELECT
            'apogee'::text AS survey, l.survey_id, l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation,
            l.ambiguous AS link_ambiguous, l.is_primary,
            (CASE WHEN n.survey_id IS NOT NULL THEN n.teff ELSE s.teff END)::real AS teff, (CASE WHEN n.survey_id IS NOT NULL THEN n.teff_err ELSE s.teff_err END)::real AS e_teff,
            (CASE WHEN n.survey_id IS NOT NULL THEN n.logg ELSE s.logg END)::real AS logg, (CASE WHEN n.survey_id IS NOT NULL THEN n.logg_err ELSE s.logg_err END)::real AS e_logg,
            (CASE WHEN n.survey_id IS NOT NULL THEN n.fe_h ELSE s.fe_h END)::real AS feh, (CASE WHEN n.survey_id IS NOT NULL THEN n.fe_h_err ELSE s.fe_h_err END)::real AS e_feh,
            (CASE WHEN n.survey_id IS NULL THEN s.m_h END)::real AS mh, (CASE WHEN n.survey_id IS NULL THEN s.m_h_err END)::real AS e_mh,
            (CASE WHEN n.survey_id IS NULL THEN s.alpha_m END)::real AS alpha_m, (CASE WHEN n.survey_id IS NULL THEN s.alpha_m_err END)::real AS e_alpha_m,
            (CASE WHEN n.survey_id IS NULL THEN s.alpha_m + s.m_h - s.fe_h END)::real AS alpha_fe, (CASE WHEN n.survey_id IS NULL THEN sqrt(s.alpha_m_err::float8 ^ 2 + s.m_h_err::float8 ^ 2 + s.fe_h_err::float8 ^ 2) END)::real AS e_alpha_fe,
            (CASE WHEN n.survey_id IS NOT NULL THEN n.c_h - n.fe_h ELSE s.c_fe END)::real AS c_fe, (CASE WHEN n.survey_id IS NOT NULL THEN sqrt(n.c_h_err::float8 ^ 2 + n.fe_h_err::float8 ^ 2) ELSE s.c_fe_err END)::real AS e_c_fe,
            (CASE WHEN n.survey_id IS NOT NULL THEN n.n_h - n.fe_h ELSE s.n_fe END)::real AS n_fe, (CASE WHEN n.survey_id IS NOT NULL THEN sqrt(n.n_h_err::float8 ^ 2 + n.fe_h_err::float8 ^ 2) ELSE s.n_fe_err END)::real AS e_n_fe,
            s.snr, CASE WHEN n.survey_id IS NOT NULL THEN 'astronn' ELSE 'apogee' END AS labels_from,
            coalesce(l.is_primary, false) AS cut_primary,
            x.source_id IS NOT NULL AS cut_has_xp,
            coalesce(CASE WHEN n.survey_id IS NOT NULL THEN n.teff ELSE s.teff END > 30 * CASE WHEN n.survey_id IS NOT NULL THEN n.teff_err ELSE s.teff_err END, false) AS cut_teff_snr,
            coalesce(CASE WHEN n.survey_id IS NOT NULL THEN n.logg_err ELSE s.logg_err END < 0.4::real, false) AS cut_logg_error,
            coalesce(CASE WHEN n.survey_id IS NOT NULL THEN n.fe_h_err ELSE s.m_h_err END < 0.2::real, false) AS cut_mh_error,
            coalesce(coalesce(g.bp_rp, g.phot_bp_mean_mag - g.phot_rp_mean_mag) > 0
                AND coalesce(g.bp_rp, g.phot_bp_mean_mag - g.phot_rp_mean_mag) < 4, false) AS cut_colour,
            coalesce(g.phot_g_mean_mag > 6 AND g.phot_g_mean_mag < 17.5, false) AS cut_magnitude,
            coalesce(s.starflag = 0, false) AS cut_starflag,
            coalesce(s.aspcapflag & 8912896 = 0, false) AS cut_aspcapflag,
            coalesce(CASE WHEN n.survey_id IS NOT NULL THEN n.teff ELSE s.teff END > 100 * CASE WHEN n.survey_id IS NOT NULL THEN n.teff_err ELSE s.teff_err END
                AND CASE WHEN n.survey_id IS NOT NULL THEN n.logg_err ELSE s.logg_err END < 0.1::real
                AND CASE WHEN n.survey_id IS NOT NULL THEN n.fe_h_err ELSE s.m_h_err END < 0.05::real, false) AS passes_pristine
        FROM store.survey_link AS l
        JOIN store.apogee AS s ON s.release_id = {release_id} AND s.survey_id = l.survey_id
        LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = l.source_id
        LEFT JOIN store.xp_spectrum AS x ON x.release_id = {release_id} AND x.source_id = l.source_id
        LEFT JOIN LATERAL (
            SELECT a.*
            FROM store.survey_link AS k
            JOIN store.astronn AS a ON a.release_id = {release_id} AND a.survey_id = k.survey_id
            WHERE k.release_id = {release_id} AND k.survey = 'astronn' AND k.set_name = '' AND k.source_id = l.source_id
              AND a.apogee_id = s.apogee_id AND a.telescope = s.telescope
            ORDER BY (a.location_id = s.location_id) DESC NULLS LAST, a.survey_id COLLATE "C"
            LIMIT 1
        ) AS n ON true
        WHERE l.release_id = {release_id} AND l.survey = 'apogee' AND l.set_name = '' AND l.source_id IS NOT NULL
    ) AS asked
) AS candidate
