-- name: input_fingerprint
-- What a run on this release would read: changes whenever a spectrum is added or replaced by a fuller one.
SELECT count(*), coalesce(sum(source_id::numeric), 0)::text, coalesce(sum(layout), 0)
FROM store.xp_spectrum WHERE release_id = %(release_id)s;

-- name: run_of_configuration
-- A run that was created with the very same configuration and was not given up.
SELECT run_id FROM store.run
WHERE configuration_sha256 = %(configuration_sha256)s AND state NOT IN ('failed', 'retired')
ORDER BY run_id DESC LIMIT 1;

-- name: lock_run_creation
-- One creation at a time, so that the same command given twice at once makes one run; held until the session ends.
SELECT pg_advisory_lock(%(lock)s);

-- name: insert_run
-- A run, frozen from here on.
INSERT INTO store.run (model, model_version_id, release_id, configuration, configuration_sha256, sources, simulated, code_version)
VALUES (%(model)s, %(model_version_id)s, %(release_id)s, %(configuration)s, %(configuration_sha256)s, %(sources)s, %(simulated)s, %(code_version)s)
RETURNING run_id;

-- name: cut_chunks
-- The run's chunks: so many consecutive sources each.
INSERT INTO store.run_chunk (run_id, chunk, first_source_id, last_source_id, sources)
SELECT %(run_id)s, number, min(source_id), max(source_id), count(*)
FROM (
    SELECT source_id, ((row_number() OVER (ORDER BY source_id) - 1) / %(chunk_sources)s)::integer AS number
    FROM store.xp_spectrum WHERE release_id = %(release_id)s
) AS numbered
GROUP BY number;

-- name: read_run
-- A run with the names that a person knows it by.
SELECT r.run_id, r.model, r.model_version_id, v.version, r.release_id, d.name AS release, r.state, r.sources, r.labelled, r.unlabelled,
    r.simulated, r.configuration_sha256, r.created, r.finished
FROM store.run AS r
JOIN store.release AS d ON d.release_id = r.release_id
JOIN store.model_version AS v ON v.model_version_id = r.model_version_id
WHERE r.run_id = %(run_id)s;

-- name: list_runs
-- Every run, newest first.
SELECT r.run_id, r.model, r.model_version_id, v.version, r.release_id, d.name AS release, r.state, r.sources, r.labelled, r.unlabelled,
    r.simulated, r.configuration_sha256, r.created, r.finished
FROM store.run AS r
JOIN store.release AS d ON d.release_id = r.release_id
JOIN store.model_version AS v ON v.model_version_id = r.model_version_id
ORDER BY r.run_id DESC;

-- name: open_chunks
-- Chunks that are not done: whether each may be claimed now, and for how long a live claim on it lasts.
SELECT chunk, state <> 'claimed' OR lease_until < clock_timestamp() AS claimable,
    greatest(0, extract(epoch FROM lease_until - clock_timestamp()))::float8 AS lease_left, attempt, error
FROM store.run_chunk WHERE run_id = %(run_id)s AND state <> 'done' ORDER BY chunk;

-- name: claim_chunk
-- Step one of three: the next attempt on a chunk begins. No row if it is done or somebody's claim still holds.
UPDATE store.run_chunk
SET state = 'claimed', attempt = attempt + 1, worker = %(worker)s, error = NULL,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
WHERE run_id = %(run_id)s AND chunk = %(chunk)s
    AND (state IN ('planned', 'failed') OR (state = 'claimed' AND lease_until < clock_timestamp()))
RETURNING run_id, chunk, first_source_id, last_source_id, sources, attempt;

-- name: start_run
-- The first claim sets a run to work.
UPDATE store.run SET state = 'working' WHERE run_id = %(run_id)s AND state = 'created';

-- name: renew_lease
-- The sign of life of the attempt that holds the chunk; no row if it holds it no longer.
UPDATE store.run_chunk SET lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
WHERE run_id = %(run_id)s AND chunk = %(chunk)s AND attempt = %(attempt)s AND state = 'claimed'
RETURNING chunk;

-- name: lock_attempt
-- Step three begins: the fence. No row unless this attempt is still the newest and has not written.
SELECT chunk FROM store.run_chunk
WHERE run_id = %(run_id)s AND chunk = %(chunk)s AND attempt = %(attempt)s AND state = 'claimed'
FOR UPDATE;

-- name: finish_chunk
-- The chunk's rows stand when this commits.
UPDATE store.run_chunk
SET state = 'done', lease_until = NULL, labelled = %(labelled)s, unlabelled = %(unlabelled)s, seconds = %(seconds)s, device = %(device)s, residual_sums = %(residual_sums)s
WHERE run_id = %(run_id)s AND chunk = %(chunk)s;

-- name: fail_chunk
-- The attempt ends without a result; another may claim the chunk.
UPDATE store.run_chunk SET state = 'failed', lease_until = NULL, error = %(error)s
WHERE run_id = %(run_id)s AND chunk = %(chunk)s AND attempt = %(attempt)s AND state = 'claimed';

-- name: complete_run
-- The run is complete when every chunk is done.
UPDATE store.run AS r
SET state = 'complete', finished = clock_timestamp(), labelled = c.labelled, unlabelled = c.unlabelled
FROM (
    SELECT coalesce(sum(labelled), 0) AS labelled, coalesce(sum(unlabelled), 0) AS unlabelled, bool_and(state = 'done') AS all_done
    FROM store.run_chunk WHERE run_id = %(run_id)s
) AS c
WHERE r.run_id = %(run_id)s AND r.state IN ('created', 'working') AND c.all_done
RETURNING r.run_id;

-- name: chunk_states
-- How many chunks are in each state, with their sources.
SELECT state, count(*), coalesce(sum(sources), 0), coalesce(sum(seconds), 0)::float8
FROM store.run_chunk WHERE run_id = %(run_id)s GROUP BY state;

-- name: no_label_reasons
-- Why sources of a run have no label.
SELECT reason, count(*) FROM store.no_label WHERE run_id = %(run_id)s GROUP BY reason ORDER BY count(*) DESC, reason;

-- name: set_published
-- People see this run from the publication on.
INSERT INTO store.published (model, release_id, run_id) VALUES (%(model)s, %(release_id)s, %(run_id)s)
ON CONFLICT (model, release_id) DO UPDATE SET run_id = excluded.run_id, published = now();

-- name: unset_published
-- People see no run of this model.
DELETE FROM store.published WHERE model = %(model)s AND release_id = %(release_id)s AND run_id = %(run_id)s RETURNING run_id;

-- name: supersede_published
-- The run that was published before is complete again, no longer shown.
UPDATE store.run SET state = 'complete'
WHERE model = %(model)s AND release_id = %(release_id)s AND state = 'published' AND run_id <> %(run_id)s;

-- name: set_run_state
-- A run's state.
UPDATE store.run SET state = %(state)s WHERE run_id = %(run_id)s;
