SELECT {columns}
FROM store.galah
WHERE release_id = {release_id}
