SELECT {columns}
FROM {table}
WHERE serial = {serial}
