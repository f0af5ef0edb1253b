-- name: linking_lock
-- One linking at a time in a release; a linker that died has let go of it.
SELECT pg_advisory_lock(%(class)s, %(release_id)s);

-- name: files_behind_a_link
-- The loaded files of some products: tables are the same whenever these are.
SELECT product, sha256, rows_loaded FROM store.ingest_file
WHERE release_id = %(release_id)s AND state = 'loaded' AND product = ANY (%(products)s)
ORDER BY product COLLATE "C", sha256 COLLATE "C";

-- name: last_linking
-- From what a survey was last linked, and the result.
SELECT fingerprint, rows, linked FROM store.survey_linking WHERE release_id = %(release_id)s AND survey = %(survey)s;

-- name: loaded_release
-- What linking needs of the release, in the transaction's own snapshot.
SELECT epoch, largest_pixel_offset FROM store.release WHERE release_id = %(release_id)s;

-- name: numberings_with_neighbours
-- From which other Gaia releases a neighbourhood table leads to this one.
SELECT s.numbering FROM unnest(%(numberings)s::text[]) AS s (numbering)
WHERE EXISTS (SELECT FROM store.id_map AS m WHERE m.release_id = %(release_id)s AND m.from_system = s.numbering);

-- name: stray_sources
-- Sources that need not stand near their pixel at another epoch: fast ones, and those that are listed as far displaced.
SELECT 0 AS row, g.source_id, g.ref_epoch, g.ra, g.dec, g.pmra, g.pmdec, g.parallax, g.radial_velocity::float8, g.phot_g_mean_mag::float8
FROM store.gaia_source AS g
WHERE g.release_id = %(release_id)s
  AND (g.pmra * g.pmra + g.pmdec * g.pmdec > %(fast)s::float8 ^ 2
       OR g.source_id IN (SELECT d.source_id FROM store.displaced_source AS d WHERE d.release_id = %(release_id)s));

-- name: make_link_tables
-- What the rows of a block are looked up by, and where the links of a survey wait until all are found.
CREATE TEMPORARY TABLE link_range (
    row integer NOT NULL, dec double precision NOT NULL, first bigint NOT NULL, last bigint NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE link_identifier (row integer NOT NULL, place smallint NOT NULL, numbering text NOT NULL, source_id bigint NOT NULL) ON COMMIT DROP;
CREATE TEMPORARY TABLE link_name (row integer NOT NULL, source_id bigint NOT NULL, designation text NOT NULL) ON COMMIT DROP;
CREATE TEMPORARY TABLE linked (
    set_name text NOT NULL, survey_id text NOT NULL, source_id bigint, method text, separation_arcsec double precision,
    n_candidates integer NOT NULL, link_flags smallint NOT NULL, ambiguous boolean NOT NULL
) ON COMMIT DROP;

-- name: plan_for_lookups
-- The ranges are few rows each: never read a whole table for them, whatever the planner guesses of a fresh temporary table.
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL jit = off;

-- name: plan_for_whole_tables
-- Back to the planner's own choice, for the statements that read a whole survey.
SET LOCAL enable_seqscan = on;
SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on;

-- name: empty_link_tables
-- Ready for the next block.
TRUNCATE link_range, link_identifier, link_name;

-- name: sources_in_ranges
-- Every source of the block's ranges of source_id, but for those that stand too far north or south of the position.
SELECT r.row, g.*
FROM link_range AS r
CROSS JOIN LATERAL (
    SELECT s.source_id, s.ref_epoch, s.ra, s.dec, s.pmra, s.pmdec, s.parallax, s.radial_velocity::float8, s.phot_g_mean_mag::float8
    FROM store.gaia_source AS s
    WHERE s.release_id = %(release_id)s AND s.source_id >= r.first AND s.source_id < r.last
      AND s.dec BETWEEN r.dec - %(reach)s AND r.dec + %(reach)s
    OFFSET 0
) AS g;

-- name: identified_sources
-- The sources that identifiers of the block name, in the release's own numbering or through the neighbourhood table, where they exist in the release.
SELECT i.row, n.source_id, g.ref_epoch, g.ra, g.dec, g.pmra, g.pmdec, g.parallax, g.radial_velocity::float8, g.phot_g_mean_mag::float8,
       i.place, i.numbering <> %(own)s AS through_neighbourhood, n.angular_distance, abs(n.magnitude_difference) AS magnitude_difference
FROM link_identifier AS i
CROSS JOIN LATERAL (
    SELECT i.source_id, 0::float8 AS angular_distance, 0::float8 AS magnitude_difference WHERE i.numbering = %(own)s
    UNION ALL
    SELECT m.source_id, m.angular_distance::float8, m.magnitude_difference::float8
    FROM store.id_map AS m
    WHERE m.release_id = %(release_id)s AND m.from_system = i.numbering AND m.from_source_id = i.source_id AND i.numbering <> %(own)s
) AS n
LEFT JOIN store.gaia_source AS g ON g.release_id = %(release_id)s AND g.source_id = n.source_id
WHERE g.source_id IS NOT NULL
   OR EXISTS (SELECT FROM store.xp_spectrum AS x WHERE x.release_id = %(release_id)s AND x.source_id = n.source_id);

-- name: counterparts_in_2mass
-- Of pairs of a row and a nearby source, those whose source has the row's designation as its 2MASS counterpart.
SELECT n.row, n.source_id
FROM link_name AS n
WHERE EXISTS (
        SELECT FROM store.two_mass AS t WHERE t.release_id = %(release_id)s AND t.source_id = n.source_id AND t.designation = n.designation
    ) OR EXISTS (
        SELECT FROM store.tmass_best_neighbour AS b
        WHERE b.release_id = %(release_id)s AND b.source_id = n.source_id AND b.original_ext_source_id = n.designation
    );

-- name: follow_lamost
-- Hot Payne's rows are spectra of LAMOST: each takes the link of the spectrum that its name tells.
UPDATE linked AS h
SET source_id = l.source_id, method = l.method, separation_arcsec = l.separation_arcsec, n_candidates = l.n_candidates,
    link_flags = l.link_flags, ambiguous = l.ambiguous
FROM store.lamost AS s
JOIN store.survey_link AS l ON l.release_id = %(release_id)s AND l.survey = 'lamost' AND l.set_name = '' AND l.survey_id = s.survey_id
WHERE s.release_id = %(release_id)s AND l.source_id IS NOT NULL
  AND h.survey_id = concat(replace(s.obsdate, '-', ''), '-', s.planid, '-', lpad(s.spid::text, 2, '0'), '-', lpad(s.fiberid::text, 3, '0'));

-- name: follow_apogee
-- A row of astroNN that no identifier leads to a source takes the link of the row of allStar of its star, telescope and field.
UPDATE linked AS h
SET source_id = l.source_id, method = l.method, separation_arcsec = l.separation_arcsec, n_candidates = l.n_candidates,
    link_flags = l.link_flags, ambiguous = l.ambiguous
FROM store.astronn AS n,
     (SELECT DISTINCT ON (a.apogee_id, a.telescope, a.location_id) a.apogee_id, a.telescope, a.location_id, k.source_id, k.method,
             k.separation_arcsec, k.n_candidates, k.link_flags, k.ambiguous
      FROM store.apogee AS a
      JOIN store.survey_link AS k ON k.release_id = %(release_id)s AND k.survey = 'apogee' AND k.set_name = '' AND k.survey_id = a.survey_id
      WHERE a.release_id = %(release_id)s AND k.source_id IS NOT NULL
      ORDER BY a.apogee_id, a.telescope, a.location_id, k.is_primary DESC, a.survey_id COLLATE "C") AS l
WHERE n.release_id = %(release_id)s AND n.survey_id = h.survey_id AND coalesce(h.method, 'position') = 'position'
  AND l.apogee_id = n.apogee_id AND l.telescope = n.telescope AND l.location_id = n.location_id;

-- name: follow_apogee_name
-- A reference label that no identifier leads to a source takes the link of APOGEE's rows of the star's name.
UPDATE linked AS h
SET source_id = l.source_id, method = l.method, separation_arcsec = l.separation_arcsec, n_candidates = l.n_candidates,
    link_flags = l.link_flags, ambiguous = l.ambiguous
FROM store.reference_label AS r,
     (SELECT DISTINCT ON (a.apogee_id) a.apogee_id, k.source_id, k.method, k.separation_arcsec, k.n_candidates, k.link_flags, k.ambiguous
      FROM store.apogee AS a
      JOIN store.survey_link AS k ON k.release_id = %(release_id)s AND k.survey = 'apogee' AND k.set_name = '' AND k.survey_id = a.survey_id
      WHERE a.release_id = %(release_id)s AND k.source_id IS NOT NULL
      ORDER BY a.apogee_id, k.is_primary DESC, a.survey_id COLLATE "C") AS l
WHERE r.release_id = %(release_id)s AND r.set_name = h.set_name AND r.survey_id = h.survey_id AND coalesce(h.method, 'position') = 'position'
  AND l.apogee_id = r.apogee_id;

-- name: follow_galah_number
-- A reference label that no identifier leads to a source takes the link of GALAH's row of the same spectrum.
UPDATE linked AS h
SET source_id = l.source_id, method = l.method, separation_arcsec = l.separation_arcsec, n_candidates = l.n_candidates,
    link_flags = l.link_flags, ambiguous = l.ambiguous
FROM store.reference_label AS r, store.survey_link AS l
WHERE r.release_id = %(release_id)s AND r.set_name = h.set_name AND r.survey_id = h.survey_id AND coalesce(h.method, 'position') = 'position'
  AND l.release_id = %(release_id)s AND l.survey = 'galah' AND l.set_name = '' AND l.source_id IS NOT NULL AND l.survey_id = r.sobject_id::text;

-- name: remove_links
-- The links of a survey go, in the transaction that brings the new ones.
DELETE FROM store.survey_link WHERE release_id = %(release_id)s AND survey = %(survey)s;

-- name: keep_links
-- The links of a survey, and which row of each source is the one to use.
INSERT INTO store.survey_link (
    release_id, survey, set_name, survey_id, source_id, method, separation_arcsec, n_candidates, link_flags, ambiguous, is_primary
)
SELECT %(release_id)s, %(survey)s, l.set_name, l.survey_id, l.source_id, l.method, l.separation_arcsec, l.n_candidates, l.link_flags, l.ambiguous,
       l.source_id IS NOT NULL AND {usable}
       AND row_number() OVER (PARTITION BY l.set_name, l.source_id ORDER BY {usable} DESC, {order} l.survey_id COLLATE "C") = 1
FROM linked AS l
JOIN {survey} AS s ON s.release_id = %(release_id)s AND s.survey_id = l.survey_id {same_set}
ORDER BY l.source_id, l.set_name, l.survey_id COLLATE "C";

-- name: keep_linking
-- From what the survey was linked, and the result.
INSERT INTO store.survey_linking AS k (release_id, survey, fingerprint, rows, linked)
VALUES (%(release_id)s, %(survey)s, %(fingerprint)s, %(rows)s, %(linked)s)
ON CONFLICT (release_id, survey) DO UPDATE
SET fingerprint = excluded.fingerprint, rows = excluded.rows, linked = excluded.linked, finished = now();

-- name: count_links
-- How the rows of a survey were linked.
SELECT coalesce(method, 'none') AS method, count(*) AS rows, count(*) FILTER (WHERE ambiguous) AS ambiguous,
       count(*) FILTER (WHERE link_flags & 1 <> 0) AS far, count(*) FILTER (WHERE is_primary) AS primaries
FROM store.survey_link
WHERE release_id = %(release_id)s AND survey = %(survey)s
GROUP BY 1
ORDER BY 1;
