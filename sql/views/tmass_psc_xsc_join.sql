SELECT {columns}
FROM store.tmass_join
WHERE release_id = {release_id}
