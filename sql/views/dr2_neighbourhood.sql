SELECT
    from_source_id AS dr2_source_id, source_id AS dr3_source_id, angular_distance, magnitude_difference, proper_motion_propagation
FROM store.id_map
WHERE release_id = {release_id} AND from_system = 'dr2'
