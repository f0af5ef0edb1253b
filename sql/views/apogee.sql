SELECT {columns}
FROM store.apogee
WHERE release_id = {release_id}
