SELECT {columns}
FROM store.lamost
WHERE release_id = {release_id}
