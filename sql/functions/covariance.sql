-- Linear algebra on packed covariance triangles: upper, row by row, diagonal in; big-endian float32. Labels are given by their place (from 1).

CREATE OR REPLACE FUNCTION functions.combination_error(triangle bytea, labels integer, places integer[], weights double precision[])
RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    term double precision;
    variance double precision := 0;
    largest double precision := 0;
BEGIN
    IF length(triangle) <> labels * (labels + 1) * 2 THEN
        RETURN NULL;
    END IF;
    FOR i IN 1..cardinality(places) LOOP
        FOR j IN i..cardinality(places) LOOP
            term := weights[i] * weights[j] * functions.triangle_element(triangle, labels, places[i], places[j]);
            IF j > i THEN
                term := 2 * term;
            END IF;
            variance := variance + term;
            largest := greatest(largest, abs(term));
        END LOOP;
    END LOOP;
    -- What cancels is lost in the rounding of the triangle to float32, here on either side of zero.
    IF variance < 0 THEN
        RETURN CASE WHEN variance >= -1e-6 * largest THEN 0 END;
    END IF;
    RETURN sqrt(variance);
END
$$;

CREATE OR REPLACE FUNCTION functions.mahalanobis(
    triangle bytea, labels integer, places integer[], other_triangle bytea, other_labels integer, other_places integer[],
    differences double precision[])
RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(places);
    -- The lower factor of Cholesky's decomposition of the sum, row after row of n, and the differences solved against it.
    factor double precision[] := array_fill(0::double precision, ARRAY[n * n]);
    solved double precision[] := array_fill(0::double precision, ARRAY[n]);
    together double precision;
    rest double precision;
    square double precision := 0;
BEGIN
    IF length(triangle) <> labels * (labels + 1) * 2 OR length(other_triangle) <> other_labels * (other_labels + 1) * 2 THEN
        RETURN NULL;
    END IF;
    FOR i IN 1..n LOOP
        FOR j IN 1..i LOOP
            together := functions.triangle_element(triangle, labels, places[i], places[j])
                + functions.triangle_element(other_triangle, other_labels, other_places[i], other_places[j]);
            rest := together;
            FOR k IN 1..j - 1 LOOP
                rest := rest - factor[(i - 1) * n + k] * factor[(j - 1) * n + k];
            END LOOP;
            IF j < i THEN
                factor[(i - 1) * n + j] := rest / factor[(j - 1) * n + j];
            ELSIF rest = 'NaN' OR rest <= 1e-7 * together THEN
                -- Not positive, or only by what float32 rounds away: no distance can be told.
                RETURN NULL;
            ELSE
                factor[(i - 1) * n + i] := sqrt(rest);
            END IF;
        END LOOP;
        rest := differences[i];
        FOR k IN 1..i - 1 LOOP
            rest := rest - factor[(i - 1) * n + k] * solved[k];
        END LOOP;
        solved[i] := rest / factor[(i - 1) * n + i];
        square := square + solved[i] * solved[i];
    END LOOP;
    RETURN sqrt(square);
END
$$;

COMMENT ON FUNCTION functions.combination_error(bytea, integer, integer[], double precision[]) IS
    'Standard error of a linear combination of labels: sqrt(w'' C w); null if it is no triangle of so many labels.';
COMMENT ON FUNCTION functions.mahalanobis(bytea, integer, integer[], bytea, integer, integer[], double precision[]) IS
    'sqrt(d'' (C1 + C2)^-1 d) of the differences d of labels that two triangles have; null where the sum is not positive definite.';
