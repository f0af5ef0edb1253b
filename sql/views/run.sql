SELECT
    r.run_id, r.model, v.version, d.name AS release, r.state, r.run_id = ANY ({published_runs}::integer[]) AS is_published,
    r.sources, r.labelled, r.unlabelled, r.simulated, r.model_version_id, r.configuration::text AS configuration,
    r.code_version, r.created, r.finished
FROM store.run AS r
JOIN store.release AS d ON d.release_id = r.release_id
JOIN store.model_version AS v ON v.model_version_id = r.model_version_id
