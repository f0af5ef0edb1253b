SELECT
    'apogee'::text AS survey, ''::text AS set_name, s.survey_release AS survey_release, s.survey_id,
    l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation, l.n_candidates AS link_candidates, l.link_flags,
    l.ambiguous AS link_ambiguous, coalesce(l.is_primary, false) AS is_primary,
    (s.teff)::real AS teff, (s.teff_err)::real AS e_teff,
    (s.logg)::real AS logg, (s.logg_err)::real AS e_logg,
    (s.fe_h)::real AS feh, (s.fe_h_err)::real AS e_feh,
    (s.m_h)::real AS mh, (s.m_h_err)::real AS e_mh,
    (s.alpha_m)::real AS alpha_m, (s.alpha_m_err)::real AS e_alpha_m,
    (s.alpha_m + s.m_h - s.fe_h)::real AS alpha_fe, (sqrt(s.alpha_m_err::float8 ^ 2 + s.m_h_err::float8 ^ 2 + s.fe_h_err::float8 ^ 2))::real AS e_alpha_fe,
    (s.c_fe)::real AS c_fe, (s.c_fe_err)::real AS e_c_fe,
    (s.n_fe)::real AS n_fe, (s.n_fe_err)::real AS e_n_fe,
    (s.snr)::real AS snr, (s.aspcapflag)::bigint AS flags,
    (concat('aspcapflag=', s.aspcapflag, ' starflag=', s.starflag, ' extratarg=', s.extratarg, ' fe_h_flag=', s.fe_h_flag, ' c_fe_flag=', s.c_fe_flag, ' n_fe_flag=', s.n_fe_flag))::text AS native_flags
FROM store.apogee AS s
LEFT JOIN store.survey_link AS l
    ON l.release_id = {release_id} AND l.survey = 'apogee' AND l.set_name = '' AND l.survey_id = s.survey_id
WHERE s.release_id = {release_id}
UNION ALL
SELECT
    'astronn'::text AS survey, ''::text AS set_name, s.survey_release AS survey_release, s.survey_id,
    l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation, l.n_candidates AS link_candidates, l.link_flags,
    l.ambiguous AS link_ambiguous, coalesce(l.is_primary, false) AS is_primary,
    (s.teff)::real AS teff, (s.teff_err)::real AS e_teff,
    (s.logg)::real AS logg, (s.logg_err)::real AS e_logg,
    (s.fe_h)::real AS feh, (s.fe_h_err)::real AS e_feh,
    (NULL)::real AS mh, (NULL)::real AS e_mh,
    (NULL)::real AS alpha_m, (NULL)::real AS e_alpha_m,
    (NULL)::real AS alpha_fe, (NULL)::real AS e_alpha_fe,
    (s.c_h - s.fe_h)::real AS c_fe, (sqrt(s.c_h_err::float8 ^ 2 + s.fe_h_err::float8 ^ 2))::real AS e_c_fe,
    (s.n_h - s.fe_h)::real AS n_fe, (sqrt(s.n_h_err::float8 ^ 2 + s.fe_h_err::float8 ^ 2))::real AS e_n_fe,
    (NULL)::real AS snr, (NULL)::bigint AS flags,
    (NULL)::text AS native_flags
FROM store.astronn AS s
LEFT JOIN store.survey_link AS l
    ON l.release_id = {release_id} AND l.survey = 'astronn' AND l.set_name = '' AND l.survey_id = s.survey_id
WHERE s.release_id = {release_id}
UNION ALL
SELECT
    'lamost'::text AS survey, ''::text AS set_name, s.survey_release AS survey_release, s.survey_id,
    l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation, l.n_candidates AS link_candidates, l.link_flags,
    l.ambiguous AS link_ambiguous, coalesce(l.is_primary, false) AS is_primary,
    (s.teff)::real AS teff, (s.teff_err)::real AS e_teff,
    (s.logg)::real AS logg, (s.logg_err)::real AS e_logg,
    (s.feh)::real AS feh, (s.feh_err)::real AS e_feh,
    (NULL)::real AS mh, (NULL)::real AS e_mh,
    (s.alpha_m)::real AS alpha_m, (s.alpha_m_err)::real AS e_alpha_m,
    (NULL)::real AS alpha_fe, (NULL)::real AS e_alpha_fe,
    (NULL)::real AS c_fe, (NULL)::real AS e_c_fe,
    (NULL)::real AS n_fe, (NULL)::real AS e_n_fe,
    (s.snrg)::real AS snr, (s.fibermask)::bigint AS flags,
    (CASE WHEN s.fibermask IS NOT NULL THEN concat('fibermask=', s.fibermask) END)::text AS native_flags
FROM store.lamost AS s
LEFT JOIN store.survey_link AS l
    ON l.release_id = {release_id} AND l.survey = 'lamost' AND l.set_name = '' AND l.survey_id = s.survey_id
WHERE s.release_id = {release_id}
UNION ALL
SELECT
    'hot_payne'::text AS survey, ''::text AS set_name, s.survey_release AS survey_release, s.survey_id,
    l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation, l.n_candidates AS link_candidates, l.link_flags,
    l.ambiguous AS link_ambiguous, coalesce(l.is_primary, false) AS is_primary,
    (s.teff)::real AS teff, (s.e_teff)::real AS e_teff,
    (s.logg)::real AS logg, (s.e_logg)::real AS e_logg,
    (s.fe_h)::real AS feh, (s.e_fe_h)::real AS e_feh,
    (NULL)::real AS mh, (NULL)::real AS e_mh,
    (NULL)::real AS alpha_m, (NULL)::real AS e_alpha_m,
    (NULL)::real AS alpha_fe, (NULL)::real AS e_alpha_fe,
    (s.c_h - s.fe_h)::real AS c_fe, (sqrt(s.e_c_h::float8 ^ 2 + s.e_fe_h::float8 ^ 2))::real AS e_c_fe,
    (s.n_h - s.fe_h)::real AS n_fe, (sqrt(s.e_n_h::float8 ^ 2 + s.e_fe_h::float8 ^ 2))::real AS e_n_fe,
    (s.snrg)::real AS snr, (s.flag)::bigint AS flags,
    (CASE WHEN s.flag IS NOT NULL THEN concat('flag=', s.flag) END)::text AS native_flags
FROM store.hot_payne AS s
LEFT JOIN store.survey_link AS l
    ON l.release_id = {release_id} AND l.survey = 'hot_payne' AND l.set_name = '' AND l.survey_id = s.survey_id
WHERE s.release_id = {release_id}
UNION ALL
SELECT
    'galah'::text AS survey, ''::text AS set_name, s.survey_release AS survey_release, s.survey_id,
    l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation, l.n_candidates AS link_candidates, l.link_flags,
    l.ambiguous AS link_ambiguous, coalesce(l.is_primary, false) AS is_primary,
    (s.teff)::real AS teff, (s.e_teff)::real AS e_teff,
    (s.logg)::real AS logg, (s.e_logg)::real AS e_logg,
    (s.fe_h)::real AS feh, (s.e_fe_h)::real AS e_feh,
    (NULL)::real AS mh, (NULL)::real AS e_mh,
    (NULL)::real AS alpha_m, (NULL)::real AS e_alpha_m,
    (s.alpha_fe)::real AS alpha_fe, (s.e_alpha_fe)::real AS e_alpha_fe,
    (CASE WHEN s.flag_c_fe = 0 THEN s.c_fe END)::real AS c_fe, (CASE WHEN s.flag_c_fe = 0 THEN s.e_c_fe END)::real AS e_c_fe,
    (NULL)::real AS n_fe, (NULL)::real AS e_n_fe,
    (s.snr_c2_iraf)::real AS snr, (s.flag_sp)::bigint AS flags,
    (concat('flag_sp=', s.flag_sp, ' flag_fe_h=', s.flag_fe_h, ' flag_alpha_fe=', s.flag_alpha_fe, ' flag_c_fe=', s.flag_c_fe, ' flag_guess=', s.flag_guess, ' red_flag=', s.red_flag))::text AS native_flags
FROM store.galah AS s
LEFT JOIN store.survey_link AS l
    ON l.release_id = {release_id} AND l.survey = 'galah' AND l.set_name = '' AND l.survey_id = s.survey_id
WHERE s.release_id = {release_id}
UNION ALL
SELECT
    'reference_label'::text AS survey, s.set_name AS set_name, NULL::text AS survey_release, s.survey_id,
    l.source_id, l.method AS link_method, l.separation_arcsec AS link_separation, l.n_candidates AS link_candidates, l.link_flags,
    l.ambiguous AS link_ambiguous, coalesce(l.is_primary, false) AS is_primary,
    (s.teff)::real AS teff, (s.e_teff)::real AS e_teff,
    (s.logg)::real AS logg, (s.e_logg)::real AS e_logg,
    (s.feh)::real AS feh, (s.e_feh)::real AS e_feh,
    (s.mh)::real AS mh, (s.e_mh)::real AS e_mh,
    (s.alpha_m)::real AS alpha_m, (s.e_alpha_m)::real AS e_alpha_m,
    (s.alpha_m + s.mh - s.feh)::real AS alpha_fe, (sqrt(s.e_alpha_m::float8 ^ 2 + s.e_mh::float8 ^ 2 + s.e_feh::float8 ^ 2))::real AS e_alpha_fe,
    (s.c_fe)::real AS c_fe, (s.e_c_fe)::real AS e_c_fe,
    (s.n_fe)::real AS n_fe, (s.e_n_fe)::real AS e_n_fe,
    (NULL)::real AS snr, (NULL)::bigint AS flags,
    (NULL)::text AS native_flags
FROM store.reference_label AS s
LEFT JOIN store.survey_link AS l
    ON l.release_id = {release_id} AND l.survey = 'reference_label' AND l.set_name = s.set_name AND l.survey_id = s.survey_id
WHERE s.release_id = {release_id}
