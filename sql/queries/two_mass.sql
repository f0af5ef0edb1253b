-- name: has_two_mass
-- Whether a release has anything to join, or joined rows.
SELECT EXISTS (SELECT FROM store.two_mass WHERE release_id = %(release_id)s)
    OR EXISTS (SELECT FROM store.tmass_best_neighbour WHERE release_id = %(release_id)s)
    OR EXISTS (SELECT FROM store.two_mass_photometry WHERE release_id = %(release_id)s);

-- name: end_of_two_mass_block
-- The source_id before which none of the tables has more than so many rows from the first one on; null where nothing is left beyond them.
SELECT min(e.source_id) FROM (
    (SELECT source_id FROM store.two_mass
     WHERE release_id = %(release_id)s AND source_id >= %(first)s ORDER BY source_id OFFSET %(rows)s LIMIT 1)
    UNION ALL
    (SELECT source_id FROM store.tmass_best_neighbour
     WHERE release_id = %(release_id)s AND source_id >= %(first)s ORDER BY source_id OFFSET %(rows)s LIMIT 1)
    UNION ALL
    (SELECT source_id FROM store.two_mass_photometry
     WHERE release_id = %(release_id)s AND source_id >= %(first)s ORDER BY source_id OFFSET %(rows)s LIMIT 1)
) AS e;

-- name: make_two_mass_block
-- The rows of a block as they should be.
CREATE TEMPORARY TABLE two_mass_block (LIKE store.two_mass_photometry) ON COMMIT DROP;

-- name: fill_two_mass_block
-- A source's row as it was loaded by source_id; only where there is none, the join of best neighbour and point source.
INSERT INTO two_mass_block (
    release_id, source_id, designation, tm_ra, tm_dec, j_m, j_msigcom, h_m, h_msigcom, ks_m, ks_msigcom, ph_qual, ext_key,
    angular_distance, xm_flag, number_of_neighbours, number_of_mates
)
SELECT
    release_id, source_id, designation, tm_ra, tm_dec, j_m, j_msigcom, h_m, h_msigcom, ks_m, ks_msigcom, ph_qual, ext_key,
    angular_distance, xm_flag, number_of_neighbours, number_of_mates
FROM store.two_mass
WHERE release_id = %(release_id)s AND source_id >= %(first)s AND source_id < %(last)s
UNION ALL
SELECT
    n.release_id, n.source_id, p.designation, p.ra, p.dec, p.j_m, p.j_msigcom, p.h_m, p.h_msigcom, p.ks_m, p.ks_msigcom, p.ph_qual, p.ext_key,
    n.angular_distance, n.xm_flag, n.number_of_neighbours, n.number_of_mates
FROM store.tmass_best_neighbour AS n
JOIN store.tmass_join AS j ON j.release_id = %(release_id)s AND j.clean_tmass_psc_xsc_oid = n.clean_tmass_psc_xsc_oid
JOIN store.tmass_psc AS p ON p.release_id = %(release_id)s AND p.designation = j.original_psc_source_id
WHERE n.release_id = %(release_id)s AND n.source_id >= %(first)s AND n.source_id < %(last)s
  AND NOT EXISTS (SELECT FROM store.two_mass AS t WHERE t.release_id = %(release_id)s AND t.source_id = n.source_id);

-- name: plan_for_block
-- Block and table by hashing: nothing is known yet of how many rows they have.
SET LOCAL enable_hashjoin = on;
SET LOCAL enable_nestloop = off;

-- name: remove_from_two_mass
-- Joined rows that are no longer so.
DELETE FROM store.two_mass_photometry AS t
WHERE t.release_id = %(release_id)s AND t.source_id >= %(first)s AND t.source_id < %(last)s
  AND NOT EXISTS (SELECT FROM two_mass_block AS b WHERE b.source_id = t.source_id AND ROW(b.*) IS NOT DISTINCT FROM ROW(t.*));

-- name: add_to_two_mass
-- Rows of the block that the table lacks.
INSERT INTO store.two_mass_photometry
SELECT b.* FROM two_mass_block AS b
WHERE NOT EXISTS (
    SELECT FROM store.two_mass_photometry AS t
    WHERE t.release_id = %(release_id)s AND t.source_id >= %(first)s AND t.source_id < %(last)s AND t.source_id = b.source_id
)
ORDER BY b.source_id;

-- name: forget_linking
-- What is being made again was made from nothing that is known.
DELETE FROM store.survey_linking WHERE release_id = %(release_id)s AND survey = %(survey)s;
