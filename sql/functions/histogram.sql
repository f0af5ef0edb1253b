-- A histogram as an aggregate: the state counts underflows, the bins, and overflows; the result is packed big-endian int32.

CREATE OR REPLACE FUNCTION functions.histogram_count(
    counts integer[], value double precision, lower double precision, upper double precision, bins integer) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    bin integer;
BEGIN
    IF counts IS NULL THEN
        IF bins IS NULL OR lower IS NULL OR upper IS NULL OR bins NOT BETWEEN 1 AND 10000 OR NOT lower < upper OR upper - lower = 'Infinity' THEN
            RAISE EXCEPTION 'a histogram has 1 to 10000 bins between a lower limit and a greater upper one, not % between % and %', bins, lower, upper
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        counts := array_fill(0, ARRAY[bins + 2]);
    END IF;
    IF value IS NULL OR value < lower THEN
        bin := 1;
    ELSIF value >= upper THEN  -- NaN too, which PostgreSQL orders above every number
        bin := bins + 2;
    ELSE
        bin := 2 + least(bins - 1, floor((value - lower) / (upper - lower) * bins)::integer);  -- least: the quotient may round to 1
    END IF;
    counts[bin] := counts[bin] + 1;
    RETURN counts;
END
$$;

CREATE OR REPLACE FUNCTION functions.histogram_together(one integer[], other integer[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN one IS NULL THEN other WHEN other IS NULL THEN one
        ELSE (SELECT array_agg(a + b ORDER BY place) FROM unnest(one, other) WITH ORDINALITY AS both_of (a, b, place)) END
$$;

CREATE OR REPLACE FUNCTION functions.histogram_packed(counts integer[]) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg(int4send(n), ''::bytea ORDER BY place) FROM unnest(counts) WITH ORDINALITY AS each (n, place)
$$;

CREATE OR REPLACE AGGREGATE functions.histogram(double precision, double precision, double precision, integer) (
    SFUNC = functions.histogram_count,
    STYPE = integer[],
    COMBINEFUNC = functions.histogram_together,
    FINALFUNC = functions.histogram_packed,
    PARALLEL = SAFE
);

COMMENT ON FUNCTION functions.histogram_count(integer[], double precision, double precision, double precision, integer) IS
    'The counts with one value more; a null value is an underflow.';
COMMENT ON FUNCTION functions.histogram_together(integer[], integer[]) IS 'The counts of two parts of a group.';
COMMENT ON FUNCTION functions.histogram_packed(integer[]) IS 'Counts as packed big-endian int32.';
COMMENT ON AGGREGATE functions.histogram(double precision, double precision, double precision, integer) IS
    'Counts of values in bins of one width from lower up to upper: underflows first, overflows last; packed big-endian int32.';
