-- name: lock_model
-- Holds back other writers of one model's versions until this transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('kiel model ' || %(model)s, 0));

-- name: insert_model_weights
-- Weights are kept by content: the same bytes once.
INSERT INTO store.model_weights (sha256, safetensors) VALUES (%(sha256)s, %(safetensors)s) ON CONFLICT (sha256) DO NOTHING;

-- name: insert_model_version
-- The next version of a model; what made it is in the row.
INSERT INTO store.model_version (
    model, version, weights_sha256, configuration, configuration_sha256, release_id, training_query, training_count, training_sha256,
    trained_on, seed, metrics, code_version, licence)
SELECT %(model)s, coalesce(max(version), 0) + 1, %(weights_sha256)s, %(configuration)s, %(configuration_sha256)s, %(release_id)s,
    %(training_query)s, %(training_count)s, %(training_sha256)s, %(trained_on)s, %(seed)s, %(metrics)s, %(code_version)s, %(licence)s
FROM store.model_version WHERE model = %(model)s
RETURNING model_version_id;

-- name: add_model_metrics
-- Adds figures to a version's metrics, replacing those of the same name.
UPDATE store.model_version SET metrics = metrics || %(metrics)s WHERE model_version_id = %(model_version_id)s;

-- name: model_weights
-- The weights of a version by their content's name.
SELECT safetensors FROM store.model_weights WHERE sha256 = %(sha256)s;

-- name: model_versions
-- All versions, by model and number, each with the name of its release.
SELECT v.model_version_id, v.model, v.version, v.weights_sha256, v.configuration, v.configuration_sha256, v.release_id, r.name AS release,
    v.training_query, v.training_count, v.training_sha256, v.trained_on, v.seed, v.metrics, v.code_version, v.licence, v.created
FROM store.model_version AS v
JOIN store.release AS r ON r.release_id = v.release_id
ORDER BY v.model, v.version;
