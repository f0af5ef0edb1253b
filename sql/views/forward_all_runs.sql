SELECT {columns}
FROM store.label_forward
JOIN (SELECT run_id FROM store.run WHERE release_id = {release_id} AND state IN ('complete', 'published', 'withdrawn')) AS r USING (run_id)
LEFT JOIN (SELECT source_id, ra, dec FROM store.gaia_source WHERE release_id = {release_id}) AS g USING (source_id)
