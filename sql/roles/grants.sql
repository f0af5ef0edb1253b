-- What the TAP service itself reads, after the migrations. People's queries get their rights with each publication.
GRANT SELECT ON store.release, store.displaced_source, store.publication,
    store.tap_schemas, store.tap_tables, store.tap_columns, store.tap_keys, store.tap_key_columns TO tap_service;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA functions TO kiel_worker, tap_reader;
