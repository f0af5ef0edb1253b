-- The four roles, and what each may do. Safe to repeat; run by a login that may create roles, before the migrations.
--   kiel_owner    owns everything: migrations, releases, publication
--   kiel_worker   reads and writes store: ingest, training, runs
--   tap_service   reads publications and TAP_SCHEMA, loads uploads into temporary tables; may become tap_reader
--   tap_reader    SELECT on the public views only: every query that a person writes runs as it
DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['kiel_owner', 'kiel_worker', 'tap_service', 'tap_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this server was set up at the same moment
            END;
        END IF;
        -- A superuser may act as any role. Who made a role may administer it, but (since PostgreSQL 16) not act as it without this.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
    END LOOP;
    IF NOT pg_has_role('tap_service', 'tap_reader', 'MEMBER') THEN
        GRANT tap_reader TO tap_service;
    END IF;
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO kiel_owner', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO kiel_worker, tap_service', current_database());
END
$roles$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS store AUTHORIZATION kiel_owner;
CREATE SCHEMA IF NOT EXISTS functions AUTHORIZATION kiel_owner;
GRANT USAGE ON SCHEMA store TO kiel_worker, tap_service;
GRANT USAGE ON SCHEMA functions TO kiel_worker, tap_reader;

-- Tables and partitions that come later get the worker's rights as they are made.
ALTER DEFAULT PRIVILEGES FOR ROLE kiel_owner IN SCHEMA store GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO kiel_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE kiel_owner IN SCHEMA store GRANT USAGE ON SEQUENCES TO kiel_worker;
