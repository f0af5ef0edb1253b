SELECT {columns}
FROM store.astronn
WHERE release_id = {release_id}
