-- One array out of a packed column of xp_spectrum (catalog/spectra.py). Of head: part 0 BP coefficients, 1 RP coefficients, 2 BP errors,
-- 3 RP errors; of correlations: part 4 BP, 5 RP. Null where the layout's bit says that it is not there.

CREATE OR REPLACE FUNCTION functions.xp_array(packed bytea, layout smallint, part integer, n_bp integer, n_rp integer) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN (layout >> part) & 1 = 0 THEN NULL ELSE
        substring(packed FROM 1 + 4 * (
            CASE part
                WHEN 1 THEN (layout & 1) * n_bp
                WHEN 2 THEN (layout & 1) * n_bp + ((layout >> 1) & 1) * n_rp
                WHEN 3 THEN ((layout & 1) + ((layout >> 2) & 1)) * n_bp + ((layout >> 1) & 1) * n_rp
                WHEN 5 THEN ((layout >> 4) & 1) * (n_bp * (n_bp - 1) / 2)
                ELSE 0
            END)
            FOR 4 * (CASE part WHEN 0 THEN n_bp WHEN 1 THEN n_rp WHEN 2 THEN n_bp WHEN 3 THEN n_rp
                               WHEN 4 THEN n_bp * (n_bp - 1) / 2 ELSE n_rp * (n_rp - 1) / 2 END))
    END
$$;

COMMENT ON FUNCTION functions.xp_array(bytea, smallint, integer, integer, integer) IS
    'One array of a packed column of xp_spectrum, itself a packed vector.';
