-- After the migrations: what the TAP service itself reads, and what is the owner's alone. People's rights come with each publication.
GRANT SELECT ON store.release, store.displaced_source, store.publication,
    store.tap_schemas, store.tap_tables, store.tap_columns, store.tap_keys, store.tap_key_columns TO tap_service;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA functions TO kiel_worker, tap_reader;

-- Releases, publications and the revision are the owner's; of a release, ingest keeps the largest offset from a pixel.
REVOKE INSERT, UPDATE, DELETE ON store.release, store.published, store.publication, store.alembic_version,
    store.tap_schemas, store.tap_tables, store.tap_columns, store.tap_keys, store.tap_key_columns FROM kiel_worker;
GRANT UPDATE (largest_pixel_offset) ON store.release TO kiel_worker;

-- Jobs are the service's own: they hold people's queries and addresses.
GRANT SELECT, INSERT, UPDATE, DELETE ON store.uws_job TO tap_service;
REVOKE ALL ON store.uws_job FROM kiel_worker;
