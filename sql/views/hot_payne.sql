SELECT {columns}
FROM store.hot_payne
WHERE release_id = {release_id}
