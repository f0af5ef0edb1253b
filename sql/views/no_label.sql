SELECT n.run_id, r.model, n.source_id, g.ra, g.dec, n.reason, n.detail
FROM store.no_label AS n
JOIN store.run AS r ON r.run_id = n.run_id
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = n.source_id
WHERE n.run_id = ANY ({release_runs}::integer[])
