SELECT {columns}
FROM store.reference_label AS s
LEFT JOIN (
    SELECT set_name, survey_id, source_id, method AS link_method, separation_arcsec AS link_separation, n_candidates AS link_candidates,
           link_flags, ambiguous AS link_ambiguous, is_primary
    FROM store.survey_link
    WHERE release_id = {release_id} AND survey = 'reference_label'
) AS l USING (set_name, survey_id)
WHERE s.release_id = {release_id}
