SELECT {columns}
FROM (
    SELECT *,
        cut_primary AND cut_aspcapflag AND cut_aspcap_chi2 AND cut_fe_h_flag AND cut_teff_error AND cut_logg_error
            AND cut_mh_error AND cut_feh_error AND cut_alpha_m_error AND cut_has_rvs AND cut_has_xp AND cut_rvs_snr
            AND cut_parallax_error AND cut_positive_parallax AND cut_ruwe AND cut_flux_over_error AND cut_not_galaxy AND cut_not_quasar
            AND cut_not_variable AND cut_single AS chosen
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
            s.snr,
            coalesce(l.is_primary, false) AS cut_primary,
            coalesce(s.aspcapflag & 8388736 = 0, false) AS cut_aspcapflag,
            coalesce(s.aspcap_chi2 < 25, false) AS cut_aspcap_chi2,
            coalesce(s.fe_h_flag = 0, false) AS cut_fe_h_flag,
            coalesce(s.teff_err < 100, false) AS cut_teff_error,
            coalesce(s.logg_err < 0.1::real, false) AS cut_logg_error,
            coalesce(s.m_h_err < CASE WHEN s.m_h < -0.5 THEN 0.2::real ELSE 0.1::real END AND s.m_h IS NOT NULL, false) AS cut_mh_error,
            coalesce(s.fe_h_err < CASE WHEN s.fe_h < -0.5 THEN 0.2::real ELSE 0.1::real END AND s.fe_h IS NOT NULL, false) AS cut_feh_error,
            coalesce(s.alpha_m_err < 0.1::real, false) AS cut_alpha_m_error,
            r.source_id IS NOT NULL AS cut_has_rvs,
            x.source_id IS NOT NULL AS cut_has_xp,
            coalesce(g.rvs_spec_sig_to_noise >= 30, false) AS cut_rvs_snr,
            coalesce(g.parallax_error < 0.2 * abs(g.parallax), false) AS cut_parallax_error,
            coalesce(g.parallax > 0, false) AS cut_positive_parallax,
            coalesce(g.ruwe < 1.4::real, false) AS cut_ruwe,
            coalesce(g.phot_g_mean_flux > 500 * g.phot_g_mean_flux_error AND g.phot_bp_mean_flux > 500 * g.phot_bp_mean_flux_error
                AND g.phot_rp_mean_flux > 500 * g.phot_rp_mean_flux_error, false) AS cut_flux_over_error,
            coalesce(NOT g.in_galaxy_candidates, false) AS cut_not_galaxy,
            coalesce(NOT g.in_qso_candidates, false) AS cut_not_quasar,
            coalesce(g.phot_variable_flag <> 'VARIABLE', false) AS cut_not_variable,
            coalesce(g.non_single_star = 0, false) AS cut_single
        FROM store.survey_link AS l
        JOIN store.apogee AS s ON s.release_id = {release_id} AND s.survey_id = l.survey_id
        LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = l.source_id
        LEFT JOIN store.xp_spectrum AS x ON x.release_id = {release_id} AND x.source_id = l.source_id
        LEFT JOIN store.rvs_spectrum AS r ON r.release_id = {release_id} AND r.source_id = l.source_id
        WHERE l.release_id = {release_id} AND l.survey = 'apogee' AND l.set_name = '' AND l.source_id IS NOT NULL
    ) AS asked
) AS candidate
