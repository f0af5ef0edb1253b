SELECT
    v.model_version_id, v.model, v.version, v.weights_sha256, d.name AS release, v.training_query, v.training_count, v.training_sha256,
    v.trained_on, v.seed, v.configuration::text AS configuration, v.metrics::text AS metrics, v.code_version, v.licence, v.created
FROM store.model_version AS v
JOIN store.release AS d ON d.release_id = v.release_id
