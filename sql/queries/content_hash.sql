-- name: rows_to_hash
-- Every row of a table as text, in a fixed order.
SELECT ROW({columns})::text FROM {table} AS t ORDER BY {order};
