-- name: survey_labels_of
-- Labels that the surveys and reference sets have of some sources, one row of each survey and source, the one to use.
SELECT s.survey, s.set_name, s.source_id, s.teff::float8, s.e_teff::float8, s.feh::float8, s.e_feh::float8, s.logg::float8, s.e_logg::float8, s.flags
FROM ({survey_labels}) AS s
WHERE s.is_primary AND s.source_id = ANY (%(source_ids)s)
ORDER BY s.survey, s.set_name, s.source_id;

-- name: reference_sets_of
-- What named sets say of some sources beyond types: distance, extinction in V, and the cluster that the star belongs to.
SELECT l.set_name, l.source_id, r.distance::float8, r.e_distance::float8, r.extinction::float8, r.e_extinction::float8, r.cluster
FROM store.survey_link AS l
JOIN store.reference_label AS r ON r.release_id = l.release_id AND r.set_name = l.set_name AND r.survey_id = l.survey_id
WHERE l.release_id = %(release_id)s AND l.survey = 'reference_label' AND l.is_primary AND l.source_id = ANY (%(source_ids)s)
ORDER BY l.set_name, l.source_id;

-- name: sky_positions_of
-- Where some sources stand and how they move.
SELECT source_id, ra, dec, pmra::float8, pmdec::float8
FROM store.gaia_source WHERE release_id = %(release_id)s AND source_id = ANY (%(source_ids)s)
ORDER BY source_id;

-- name: reddening_of
-- What the map of the dust says of some sources.
SELECT source_id, reddening_map, reddening::float8, reddening_error::float8
FROM store.reddening WHERE release_id = %(release_id)s AND source_id = ANY (%(source_ids)s)
ORDER BY source_id;

-- name: labels_to_recompute
-- A run's labels of some sources, from which fluxes are predicted again.
SELECT {columns} FROM store.label_forward WHERE run_id = %(run_id)s AND source_id = ANY (%(source_ids)s) ORDER BY source_id;

-- name: newest_run
-- The newest run of a model that is whole; the published one of the release before others.
SELECT r.run_id FROM store.run AS r
LEFT JOIN store.published AS p ON p.run_id = r.run_id
WHERE r.model = %(model)s AND r.state IN ('complete', 'published')
ORDER BY p.run_id IS NULL, r.run_id DESC LIMIT 1;

-- name: sources_in_an_order
-- Sources of a release that have a spectrum, in an order that only their identifiers and the seed give.
SELECT source_id FROM store.xp_spectrum WHERE release_id = %(release_id)s ORDER BY hashint8extended(source_id, %(seed)s), source_id;

-- name: labelled_sources_in_an_order
-- The same of those that surveys or reference sets have labels of.
SELECT s.source_id FROM store.xp_spectrum AS s
WHERE s.release_id = %(release_id)s
  AND EXISTS (SELECT FROM store.survey_link AS l
              WHERE l.release_id = %(release_id)s AND l.source_id = s.source_id AND l.is_primary AND l.survey = ANY (%(surveys)s))
ORDER BY hashint8extended(s.source_id, %(seed)s), s.source_id;

-- name: reasons_of
-- Why some sources have no label in a run.
SELECT source_id, reason FROM store.no_label WHERE run_id = %(run_id)s AND source_id = ANY (%(source_ids)s);
