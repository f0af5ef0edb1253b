-- Arithmetic that PostgreSQL has otherwise or not at all.

CREATE OR REPLACE FUNCTION functions.rounded(number double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$  -- not STRICT, so that PostgreSQL takes it into the query; null of null all the same
    -- Halves away from zero, as PostgreSQL rounds numeric; its round(double precision) takes halves to the even neighbour.
    SELECT trunc(number) + CASE WHEN abs(number - trunc(number)) >= 0.5 THEN sign(number) ELSE 0 END
$$;

CREATE OR REPLACE FUNCTION functions.random_of(seed bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- The upper 53 bits of a hash, as a fraction of 2^53.
    SELECT ((hashint8extended(seed, 0) >> 11) & 9007199254740991) / 9007199254740992::double precision
$$;

COMMENT ON FUNCTION functions.rounded(double precision) IS 'The nearest whole number, halves away from zero.';
COMMENT ON FUNCTION functions.random_of(bigint) IS 'A number of [0, 1) that looks random and is always the same for the same seed.';
