SELECT {columns}
FROM store.two_mass_photometry
WHERE release_id = {release_id}
