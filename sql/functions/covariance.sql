-- Linear algebra on packed covariance triangles: upper, row by row, diagonal in; big-endian float32. Labels are given by their place (from 1).

CREATE OR REPLACE FUNCTION functions.covariance_matrix(triangle bytea, labels integer, places integer[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n integer := cardinality(places);
    matrix double precision[];
    first integer;
    last integer;
    element double precision;
BEGIN
    IF length(triangle) <> labels * (labels + 1) * 2 THEN
        RETURN NULL;
    END IF;
    matrix := array_fill(0::double precision, ARRAY[n, n]);
    FOR i IN 1..n LOOP
        FOR j IN i..n LOOP
            first := least(places[i], places[j]);
            last := greatest(places[i], places[j]);
            element := functions.vector_element(triangle, (first - 1) * labels - (first - 1) * (first - 2) / 2 + last - first + 1);
            matrix[i][j] := element;
            matrix[j][i] := element;
        END LOOP;
    END LOOP;
    RETURN matrix;
END
$$;

CREATE OR REPLACE FUNCTION functions.combination_error(triangle bytea, labels integer, places integer[], weights double precision[])
RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    matrix double precision[] := functions.covariance_matrix(triangle, labels, places);
    term double precision;
    variance double precision := 0;
    largest double precision := 0;
BEGIN
    IF matrix IS NULL THEN
        RETURN NULL;
    END IF;
    FOR i IN 1..cardinality(places) LOOP
        FOR j IN 1..cardinality(places) LOOP
            term := weights[i] * weights[j] * matrix[i][j];
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
    one double precision[] := functions.covariance_matrix(triangle, labels, places);
    other double precision[] := functions.covariance_matrix(other_triangle, other_labels, other_places);
    -- The lower factor of Cholesky's decomposition, and the differences solved against it.
    factor double precision[] := array_fill(0::double precision, ARRAY[n, n]);
    solved double precision[] := array_fill(0::double precision, ARRAY[n]);
    rest double precision;
    square double precision := 0;
BEGIN
    IF one IS NULL OR other IS NULL THEN
        RETURN NULL;
    END IF;
    FOR i IN 1..n LOOP
        FOR j IN 1..i LOOP
            rest := one[i][j] + other[i][j];
            FOR k IN 1..j - 1 LOOP
                rest := rest - factor[i][k] * factor[j][k];
            END LOOP;
            IF i = j THEN
                -- Not positive, or only by what float32 rounds away: no distance can be told. NaN passes no comparison with a number below it.
                IF rest IS NULL OR rest = 'NaN' OR rest <= 1e-7 * (one[i][i] + other[i][i]) THEN
                    RETURN NULL;
                END IF;
                factor[i][i] := sqrt(rest);
            ELSE
                factor[i][j] := rest / factor[j][j];
            END IF;
        END LOOP;
        rest := differences[i];
        FOR k IN 1..i - 1 LOOP
            rest := rest - factor[i][k] * solved[k];
        END LOOP;
        solved[i] := rest / factor[i][i];
        square := square + solved[i] * solved[i];
    END LOOP;
    RETURN sqrt(square);
END
$$;

COMMENT ON FUNCTION functions.covariance_matrix(bytea, integer, integer[]) IS
    'The rows and columns of a packed triangle at the given places; null if it is no triangle of so many labels.';
COMMENT ON FUNCTION functions.combination_error(bytea, integer, integer[], double precision[]) IS
    'Standard error of a linear combination of labels: sqrt(w'' C w).';
COMMENT ON FUNCTION functions.mahalanobis(bytea, integer, integer[], bytea, integer, integer[], double precision[]) IS
    'sqrt(d'' (C1 + C2)^-1 d) of the differences d of labels that two triangles have; null where the sum is not positive definite.';
