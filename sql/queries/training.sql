-- name: training_sample_xp
-- Sources of a release whose spectrum has the arrays that the layout bits name, each with its group by the file it came from.
SELECT s.source_id,
    CASE WHEN f.name LIKE ANY (%(unusual)s) THEN 'unusual' WHEN f.name LIKE ANY (%(bright)s) THEN 'bright' ELSE 'field' END AS star_group
FROM store.xp_spectrum AS s
JOIN store.ingest_file AS f ON f.file_id = s.file_id
WHERE s.release_id = %(release_id)s AND s.layout & %(layout)s = %(layout)s
ORDER BY s.source_id;
