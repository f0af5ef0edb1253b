SELECT {columns}
FROM store.fidelity
WHERE release_id = {release_id}
