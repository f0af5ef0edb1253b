-- One array out of a packed XP payload (catalog/spectra.py): part 0 BP coefficients, 1 RP coefficients, 2 BP errors, 3 RP errors,
-- 4 BP correlations, 5 RP correlations; null where the layout's bit says that it is not there.

CREATE OR REPLACE FUNCTION functions.xp_array(payload bytea, layout smallint, part integer, n_bp integer, n_rp integer) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN (layout >> part) & 1 = 0 THEN NULL ELSE
        substring(payload FROM 1 + 4 * (
            (CASE WHEN part > 0 THEN (layout & 1) * n_bp ELSE 0 END)
            + (CASE WHEN part > 1 THEN ((layout >> 1) & 1) * n_rp ELSE 0 END)
            + (CASE WHEN part > 2 THEN ((layout >> 2) & 1) * n_bp ELSE 0 END)
            + (CASE WHEN part > 3 THEN ((layout >> 3) & 1) * n_rp ELSE 0 END)
            + (CASE WHEN part > 4 THEN ((layout >> 4) & 1) * (n_bp * (n_bp - 1) / 2) ELSE 0 END))
            FOR 4 * (CASE part WHEN 0 THEN n_bp WHEN 1 THEN n_rp WHEN 2 THEN n_bp WHEN 3 THEN n_rp
                               WHEN 4 THEN n_bp * (n_bp - 1) / 2 ELSE n_rp * (n_rp - 1) / 2 END))
    END
$$;

COMMENT ON FUNCTION functions.xp_array(bytea, smallint, integer, integer, integer) IS 'One array of a packed XP payload, itself a packed vector.';
