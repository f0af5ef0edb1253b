SELECT
    v.run_id, v.source_id, g.ra, g.dec,
    functions.vector_element(v.latent, 1) AS z1, functions.vector_element(v.latent, 2) AS z2, functions.vector_element(v.latent, 3) AS z3,
    functions.vector_element(v.latent, 4) AS z4, functions.vector_element(v.latent, 5) AS z5, functions.vector_element(v.latent, 6) AS z6,
    functions.vector_element(v.e_latent, 1) AS sigma_z1, functions.vector_element(v.e_latent, 2) AS sigma_z2,
    functions.vector_element(v.e_latent, 3) AS sigma_z3, functions.vector_element(v.e_latent, 4) AS sigma_z4,
    functions.vector_element(v.e_latent, 5) AS sigma_z5, functions.vector_element(v.e_latent, 6) AS sigma_z6
FROM store.label_scatter_vae AS v
LEFT JOIN store.gaia_source AS g ON g.release_id = {release_id} AND g.source_id = v.source_id
WHERE v.run_id = {run_id}
