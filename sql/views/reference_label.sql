SELECT {columns}
FROM store.reference_label
WHERE release_id = {release_id}
