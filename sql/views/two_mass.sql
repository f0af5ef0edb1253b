SELECT {columns}
FROM store.two_mass
WHERE release_id = {release_id}
UNION ALL
SELECT
    n.source_id, p.designation, p.ra, p.dec, p.j_m, p.j_msigcom, p.h_m, p.h_msigcom, p.ks_m, p.ks_msigcom, p.ph_qual, p.ext_key,
    n.angular_distance, n.xm_flag, n.number_of_neighbours, n.number_of_mates
FROM store.tmass_best_neighbour AS n
JOIN store.tmass_join AS j ON j.release_id = {release_id} AND j.clean_tmass_psc_xsc_oid = n.clean_tmass_psc_xsc_oid
JOIN store.tmass_psc AS p ON p.release_id = {release_id} AND p.designation = j.original_psc_source_id
WHERE n.release_id = {release_id}
  AND NOT EXISTS (SELECT FROM store.two_mass AS t WHERE t.release_id = {release_id} AND t.source_id = n.source_id)
