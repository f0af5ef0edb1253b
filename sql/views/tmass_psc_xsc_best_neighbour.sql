SELECT {columns}
FROM store.tmass_best_neighbour
WHERE release_id = {release_id}
