SELECT {columns}
FROM store.apogee AS s
LEFT JOIN (
    SELECT survey_id, source_id, method AS link_method, separation_arcsec AS link_separation, n_candidates AS link_candidates,
           link_flags, ambiguous AS link_ambiguous, is_primary
    FROM store.survey_link
    WHERE release_id = {release_id} AND survey = 'apogee' AND set_name = ''
) AS l USING (survey_id)
WHERE s.release_id = {release_id}
