SELECT {columns}
FROM store.apogee_spectrum
WHERE release_id = {release_id}
