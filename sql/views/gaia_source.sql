SELECT {columns}
FROM store.gaia_source
WHERE release_id = {release_id}
