SELECT run_id, chunk, first_source_id, last_source_id, sources, state, attempt, labelled, unlabelled, seconds, device, residual_sums, error
FROM store.run_chunk
