SELECT {columns}
FROM (
    SELECT *,
        cut_duplicate AND cut_aspcapflag AND cut_starflag AND cut_labels AND cut_primary AND cut_has_xp
            AND cut_excess_factor AND cut_ruwe AND cut_two_mass AND cut_unwise AS chosen
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
            coalesce(s.extratarg & 16 = 0, false) AS cut_duplicate,
            coalesce(s.aspcapflag & 8388608 = 0, false) AS cut_aspcapflag,
            coalesce(s.starflag & 78360 = 0, false) AS cut_starflag,
            num_nulls(s.alpha_m, s.teff, s.logg, s.c_fe, s.n_fe, s.fe_h) = 0 AS cut_labels,
            coalesce(l.is_primary, false) AS cut_primary,
            x.source_id IS NOT NULL AS cut_has_xp,
            CASE WHEN {cut_dialect} <> 'gaia_dr4' THEN coalesce(g.phot_bp_rp_excess_factor < 3.0, false) END AS cut_excess_factor,
            coalesce(g.ruwe <= 1.4::real, false) AS cut_ruwe,
            CASE WHEN EXISTS (SELECT FROM store.two_mass_photometry WHERE release_id = {release_id})
                THEN coalesce(num_nulls(t.j_m, t.j_msigcom, t.h_m, t.h_msigcom) = 0, false) END AS cut_two_mass,
            CASE WHEN EXISTS (SELECT FROM store.unwise WHERE release_id = {release_id}) THEN coalesce(u.w1_flux > 0 AND u.w2_flux > 0, false) END AS cut_unwise
        FROM store.survey_link AS l
        JOIN store.apogee AS s ON s.release_id = {release_id} AND s.survey_id = l.survey_id
        LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = l.source_id
        LEFT JOIN store.xp_spectrum AS x ON x.release_id = {release_id} AND x.source_id = l.source_id
        LEFT JOIN store.two_mass_photometry AS t ON t.release_id = {release_id} AND t.source_id = l.source_id
        LEFT JOIN LATERAL (
            SELECT w.w1_flux, w.w2_flux
            FROM store.survey_link AS k
            JOIN store.unwise AS w ON w.release_id = {release_id} AND w.survey_id = k.survey_id
            WHERE k.release_id = {release_id} AND k.survey = 'unwise' AND k.set_name = '' AND k.source_id = l.source_id AND k.is_primary
            LIMIT 1
        ) AS u ON true
        WHERE l.release_id = {release_id} AND l.survey = 'apogee' AND l.set_name = '' AND l.source_id IS NOT NULL
    ) AS asked
) AS candidate
