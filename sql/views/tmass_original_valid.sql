SELECT {columns}
FROM store.tmass_psc
WHERE release_id = {release_id}
