SELECT x.source_id, g.ra, g.dec, x.solution_id, x.flux, x.flux_error, x.n_bad
FROM store.xp_sampled_spectrum AS x
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = x.source_id
WHERE x.release_id = {release_id}
