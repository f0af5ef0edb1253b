SELECT {columns}
FROM store.label_forward
LEFT JOIN (SELECT source_id, ra, dec FROM store.gaia_source WHERE release_id = {release_id}) AS g USING (source_id)
WHERE run_id = {run_id}
