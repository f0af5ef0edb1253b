-- name: insert_job
-- A job of an address, not yet told to run. Its time is in whole milliseconds, which is what clients see and ask by.
INSERT INTO store.uws_job (job_id, client, created, destruction, execution_duration, parameters, files, links, run_id)
VALUES (
    %(job_id)s, %(client)s, date_trunc('milliseconds', clock_timestamp()),
    date_trunc('milliseconds', clock_timestamp() + make_interval(secs => %(retention)s)), %(execution_duration)s, %(parameters)s, %(files)s, %(links)s, %(run_id)s
);

-- name: read_job
-- A job whose destruction has not come.
SELECT job_id, client, phase, created, started, ended, destruction, execution_duration, parameters, files, links, attempt,
    result_type, result_bytes, result_rows, overflow, error, transient
FROM store.uws_job WHERE job_id = %(job_id)s AND destruction > clock_timestamp();

-- name: jobs_of_client
-- The jobs of an address, newest first: in some phases, created after a time, at most so many.
SELECT job_id, phase, run_id, created
FROM store.uws_job
WHERE client = %(client)s AND destruction > clock_timestamp()
    AND (%(phases)s::text[] IS NULL OR phase = ANY (%(phases)s::text[])) AND (%(after)s::timestamptz IS NULL OR created > %(after)s)
ORDER BY created DESC, job_id LIMIT %(last)s;

-- name: queue_job
-- A pending job is to run. An address's jobs take turns one after the other, from the turn that the queue has come to: so the first
-- job of an address stands before the second of any other.
UPDATE store.uws_job AS j
SET phase = 'QUEUED', queued = clock_timestamp(), turn = greatest(
    coalesce((SELECT min(turn) FROM store.uws_job WHERE phase = 'QUEUED'), 0),
    coalesce((SELECT max(turn) + 1 FROM store.uws_job WHERE phase IN ('QUEUED', 'EXECUTING') AND client = j.client), 0)
)
WHERE job_id = %(job_id)s AND phase = 'PENDING' RETURNING job_id;

-- name: abort_job
-- The end of a job that had none yet; its worker hears of it.
UPDATE store.uws_job SET phase = 'ABORTED', ended = clock_timestamp()
WHERE job_id = %(job_id)s AND phase IN ('PENDING', 'QUEUED', 'EXECUTING') RETURNING job_id;

-- name: delete_job
-- The job goes, whatever its phase; its worker hears of it.
DELETE FROM store.uws_job WHERE job_id = %(job_id)s RETURNING job_id;

-- name: lock_pending_job
-- The parameters of a job that has not been told to run, kept from being told until the transaction ends.
SELECT parameters, files FROM store.uws_job WHERE job_id = %(job_id)s AND phase = 'PENDING' FOR UPDATE;

-- name: set_job_parameters
-- What the job asks for, and the files that came with it.
UPDATE store.uws_job SET parameters = %(parameters)s, files = %(files)s, run_id = %(run_id)s WHERE job_id = %(job_id)s;

-- name: set_job_destruction
-- When the job goes: the time asked for, but no later than the longest retention from now.
UPDATE store.uws_job SET destruction = date_trunc(
    'milliseconds', least(%(destruction)s::timestamptz, clock_timestamp() + make_interval(secs => %(longest)s))
)
WHERE job_id = %(job_id)s RETURNING job_id;

-- name: set_job_execution_duration
-- How long the query may take, as long as it has not begun.
UPDATE store.uws_job SET execution_duration = %(execution_duration)s
WHERE job_id = %(job_id)s AND phase IN ('PENDING', 'QUEUED') RETURNING job_id;

-- name: lock_claims
-- One claim at a time, so that two workers never give an address more than its share.
SELECT pg_advisory_xact_lock(%(lock)s);

-- name: claim_job
-- The next job for a worker: of the address with the fewest jobs that run, then the lowest turn, then the oldest.
WITH running AS (
    SELECT client, count(*) AS jobs FROM store.uws_job WHERE phase = 'EXECUTING' GROUP BY client
), chosen AS (
    SELECT q.job_id FROM store.uws_job AS q LEFT JOIN running USING (client)
    WHERE q.phase = 'QUEUED' AND coalesce(running.jobs, 0) < %(jobs_per_address)s
    ORDER BY coalesce(running.jobs, 0), q.turn, q.queued LIMIT 1
    FOR UPDATE OF q SKIP LOCKED
)
UPDATE store.uws_job AS j
SET phase = 'EXECUTING', started = clock_timestamp(), attempt = attempt + 1, worker = %(worker)s
FROM chosen WHERE j.job_id = chosen.job_id
RETURNING j.job_id, client, phase, created, started, ended, destruction, execution_duration, parameters, files, links, attempt,
    result_type, result_bytes, result_rows, overflow, error, transient;

-- name: complete_job
-- The result is in its place. No row unless this attempt is still the job's.
UPDATE store.uws_job
SET phase = 'COMPLETED', ended = clock_timestamp(), worker = NULL, result_type = %(result_type)s, result_bytes = %(result_bytes)s,
    result_rows = %(result_rows)s, overflow = %(overflow)s
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND phase = 'EXECUTING' RETURNING job_id;

-- name: fail_job
-- The attempt ends without a result: ERROR, or ABORTED where its time was over.
UPDATE store.uws_job SET phase = %(phase)s, ended = clock_timestamp(), worker = NULL, error = %(error)s, transient = %(transient)s
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND phase = 'EXECUTING' RETURNING job_id;

-- name: give_back_job
-- A worker that stops leaves the job to another, in its old place.
UPDATE store.uws_job SET phase = 'QUEUED', started = NULL, worker = NULL
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND phase = 'EXECUTING' RETURNING job_id;

-- name: lock_worker
-- The worker's sign of life, held by its session.
SELECT pg_advisory_lock(%(lock_class)s, %(worker)s);

-- name: lost_jobs
-- Jobs whose worker holds its lock no longer go back to the queue, in their old place; after too many losses they fail.
UPDATE store.uws_job AS j
SET lost = lost + 1, worker = NULL, phase = CASE WHEN lost + 1 < %(losses)s THEN 'QUEUED' ELSE 'ERROR' END,
    started = CASE WHEN lost + 1 < %(losses)s THEN NULL ELSE started END,
    ended = CASE WHEN lost + 1 < %(losses)s THEN NULL ELSE clock_timestamp() END,
    error = CASE WHEN lost + 1 < %(losses)s THEN NULL ELSE %(error)s END,
    transient = CASE WHEN lost + 1 < %(losses)s THEN NULL ELSE true END
WHERE phase = 'EXECUTING' AND NOT EXISTS (
    SELECT FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.classid::bigint = %(lock_class)s AND l.objid::bigint = j.worker
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
RETURNING job_id, phase;

-- name: disown_job
-- The attempt lost its connection: the job has no worker any more.
UPDATE store.uws_job SET worker = NULL WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND phase = 'EXECUTING';

-- name: expire_jobs
-- Jobs whose destruction has come go, whatever their phase.
DELETE FROM store.uws_job WHERE destruction <= clock_timestamp() RETURNING job_id;

-- name: jobs_of_those
-- Which of these names are jobs.
SELECT job_id FROM store.uws_job WHERE job_id = ANY (%(names)s);
