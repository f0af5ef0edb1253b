-- name: training_sample_xp
-- Sources of a release whose spectrum has the arrays that the layout bits name, each with its group by the file it came from.
SELECT s.source_id,
    CASE WHEN f.name LIKE ANY (%(unusual)s) THEN 'unusual' WHEN f.name LIKE ANY (%(bright)s) THEN 'bright' ELSE 'field' END AS star_group
FROM store.xp_spectrum AS s
JOIN store.ingest_file AS f ON f.file_id = s.file_id
WHERE s.release_id = %(release_id)s AND s.layout & %(layout)s = %(layout)s
ORDER BY s.source_id;

-- name: training_labels_forward
-- Survey labels with errors and the map's reddening of the stars to train the forward model on; NaN without a value. {rows}: a view's rows; {condition}: which of them.
SELECT c.source_id, c.survey_id,
    coalesce(c.teff, 'NaN')::float8, coalesce(c.e_teff, 'NaN')::float8, coalesce(c.feh, 'NaN')::float8, coalesce(c.e_feh, 'NaN')::float8,
    coalesce(c.logg, 'NaN')::float8, coalesce(c.e_logg, 'NaN')::float8,
    coalesce(r.reddening, 'NaN')::float8, coalesce(r.reddening_error, 'NaN')::float8
FROM ({rows}) AS c
LEFT JOIN store.reddening AS r ON r.release_id = {release_id} AND r.source_id = c.source_id
WHERE {condition} AND c.source_id IS NOT NULL
ORDER BY c.source_id;

-- name: training_candidates_forward
-- How many rows of the paper's training view there are, how many pass every cut, and how many could not be asked all of them.
SELECT count(*), count(*) FILTER (WHERE c.{chosen}), count(*) FILTER (WHERE c.{chosen} IS NULL) FROM ({rows}) AS c;
