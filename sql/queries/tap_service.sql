-- name: tap_schemas_of
-- The schemas of a publication, in the order of TAP_SCHEMA.
SELECT schema_name, utype, description FROM store.tap_schemas WHERE serial = %(serial)s ORDER BY schema_index, schema_name;

-- name: tap_tables_of
-- The tables of a publication, in the order of TAP_SCHEMA.
SELECT schema_name, table_name, table_type, utype, description FROM store.tap_tables
WHERE serial = %(serial)s ORDER BY table_index, table_name;

-- name: tap_columns_of
-- The columns of a publication's tables, in the order of each table.
SELECT table_name, column_name, datatype, arraysize, xtype, unit, ucd, utype, description, indexed = 1, principal = 1, std = 1
FROM store.tap_columns WHERE serial = %(serial)s ORDER BY table_name, column_index;

-- name: tap_keys_of
-- The foreign keys of a publication's tables with their columns.
SELECT key_id, from_table, target_table, description, utype, from_column, target_column
FROM store.tap_keys JOIN store.tap_key_columns USING (serial, key_id)
WHERE serial = %(serial)s ORDER BY key_id, from_column;

-- name: sky_of_releases
-- What a cover of the sky needs of each release: epoch, largest offset from a pixel, and the sources beyond what covers are padded by.
SELECT r.release_id, r.epoch, r.largest_pixel_offset,
    array(SELECT d.source_id FROM store.displaced_source AS d WHERE d.release_id = r.release_id ORDER BY d.source_id) AS displaced
FROM store.release AS r ORDER BY r.release_id;

-- name: publication_created
-- When a publication became current: the date of the service's metadata.
SELECT created FROM store.publication WHERE serial = %(serial)s;

-- name: limit_query
-- How long the transaction's statements may take (ms), how often a backend looks whether the service that asked is still there, and what a row
-- from a parallel worker costs: by PostgreSQL's own 0.1 wide cones are read by workers, which takes 1.1 to 1.4 times as long as without them.
SELECT set_config('statement_timeout', %(timeout)s, true), set_config('client_connection_check_interval', '500', true),
    set_config('parallel_tuple_cost', '0.5', true);

-- name: become_tap_reader
-- From here to the end of the transaction the session may do what a person's query may do.
SET LOCAL ROLE tap_reader;
