-- name: sources_by_layout
-- How many sources of a release have spectra, by the fullest array that they hold.
SELECT CASE WHEN x.layout & 48 <> 0 THEN 'correlations' WHEN x.layout & 12 <> 0 THEN 'errors' ELSE 'coefficients only' END AS holds, count(*)
FROM store.xp_spectrum AS x JOIN store.release AS r USING (release_id)
WHERE r.name = %(release)s
GROUP BY holds ORDER BY count(*);
