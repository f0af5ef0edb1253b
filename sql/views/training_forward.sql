SELECT {columns}
FROM (
    SELECT *,
        cut_primary AND cut_has_xp AND cut_separation AND cut_snr AND cut_teff_error AND cut_logg_error
            AND cut_feh_error AND cut_parallax AND cut_fidelity AND cut_excess_factor AS chosen,
        cut_primary AND cut_has_xp AND cut_separation AND cut_snr AND passes_errors_of_code AND cut_parallax AND cut_fidelity AS chosen_by_code
    FROM (
        SELECT
            'lamost'::text AS survey, l.survey_id, l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation,
            l.ambiguous AS link_ambiguous, l.is_primary,
            (CASE WHEN h.teff >= 7000 THEN h.teff ELSE s.teff END)::real AS teff, (CASE WHEN h.teff >= 7000 THEN h.e_teff ELSE s.teff_err END)::real AS e_teff,
            (CASE WHEN h.teff >= 7000 THEN h.logg ELSE s.logg END)::real AS logg, (CASE WHEN h.teff >= 7000 THEN h.e_logg ELSE s.logg_err END)::real AS e_logg,
            (CASE WHEN h.teff >= 7000 THEN h.fe_h ELSE s.feh END)::real AS feh, (CASE WHEN h.teff >= 7000 THEN h.e_fe_h ELSE s.feh_err END)::real AS e_feh,
            (NULL)::real AS mh, (NULL)::real AS e_mh,
            (CASE WHEN coalesce(h.teff < 7000, true) THEN s.alpha_m END)::real AS alpha_m, (CASE WHEN coalesce(h.teff < 7000, true) THEN s.alpha_m_err END)::real AS e_alpha_m,
            (NULL)::real AS alpha_fe, (NULL)::real AS e_alpha_fe,
            (CASE WHEN h.teff >= 7000 THEN h.c_h - h.fe_h END)::real AS c_fe, (CASE WHEN h.teff >= 7000 THEN sqrt(h.e_c_h::float8 ^ 2 + h.e_fe_h::float8 ^ 2) END)::real AS e_c_fe,
            (CASE WHEN h.teff >= 7000 THEN h.n_h - h.fe_h END)::real AS n_fe, (CASE WHEN h.teff >= 7000 THEN sqrt(h.e_n_h::float8 ^ 2 + h.e_fe_h::float8 ^ 2) END)::real AS e_n_fe,
            s.snrg AS snr, CASE WHEN h.teff >= 7000 THEN 'hot_payne' ELSE 'lamost' END AS labels_from,
            h.teff AS hot_payne_teff, h.e_teff AS hot_payne_e_teff, h.logg AS hot_payne_logg, h.e_logg AS hot_payne_e_logg,
            h.fe_h AS hot_payne_feh, h.e_fe_h AS hot_payne_e_feh,
            coalesce(l.is_primary, false) AS cut_primary,
            x.source_id IS NOT NULL AS cut_has_xp,
            coalesce(l.separation_arcsec < 0.25, false) AS cut_separation,
            coalesce(s.snrg > 20 AND s.snrr > 20 AND s.snri > 20, false) AS cut_snr,
            coalesce(CASE WHEN h.teff >= 7000 THEN h.e_teff ELSE s.teff_err END < 500, false) AS cut_teff_error,
            coalesce(CASE WHEN h.teff >= 7000 THEN h.e_logg ELSE s.logg_err END < 0.5, false) AS cut_logg_error,
            coalesce(CASE WHEN h.teff >= 7000 THEN h.e_fe_h ELSE s.feh_err END < 0.5, false) AS cut_feh_error,
            coalesce(coalesce(g.parallax_over_error, g.parallax / nullif(g.parallax_error, 0)) > 3, false) AS cut_parallax,
            CASE WHEN {cut_dialect} <> 'gaia_dr4' AND EXISTS (SELECT FROM store.fidelity WHERE release_id = {release_id})
                 THEN coalesce(f.fidelity_v2 > 0.5, false) END AS cut_fidelity,
            CASE WHEN {cut_dialect} <> 'gaia_dr4' THEN coalesce(g.phot_bp_rp_excess_factor < 1.3::real, false) END AS cut_excess_factor,
            h.teff IS NOT NULL AS option_hot_payne_everywhere,
            coalesce(coalesce(h.e_teff, s.teff_err) < 500 AND coalesce(h.e_logg, s.logg_err) < 0.5 AND coalesce(h.e_fe_h, s.feh_err) < 0.5, false)
                AS passes_errors_of_code
        FROM store.survey_link AS l
        JOIN store.lamost AS s ON s.release_id = {release_id} AND s.survey_id = l.survey_id
        LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = l.source_id
        LEFT JOIN store.xp_spectrum AS x ON x.release_id = {release_id} AND x.source_id = l.source_id
        LEFT JOIN store.fidelity AS f ON f.release_id = {release_id} AND f.source_id = l.source_id
        LEFT JOIN store.hot_payne AS h
            ON h.release_id = {release_id}
            AND h.survey_id = concat(replace(s.obsdate, '-', ''), '-', s.planid, '-', lpad(s.spid::text, 2, '0'), '-', lpad(s.fiberid::text, 3, '0'))
        WHERE l.release_id = {release_id} AND l.survey = 'lamost' AND l.set_name = '' AND l.source_id IS NOT NULL
    ) AS asked
) AS candidate
