SELECT {columns}
FROM store.reddening
WHERE release_id = {release_id}
