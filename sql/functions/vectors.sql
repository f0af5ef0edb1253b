-- Packed vectors (big-endian float32 in bytea) for people: the service sends the bytes as they are.

CREATE OR REPLACE FUNCTION functions.vector_element(vector bytea, element integer) RETURNS real
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
-- IEEE 754 binary32 from its four bytes; null past the end. In PL/pgSQL, which keeps its expressions ready from row to row.
DECLARE
    at integer;
    sign integer;
    exponent integer;
    mantissa integer;
BEGIN
    IF element < 1 OR element > length(vector) / 4 THEN
        RETURN NULL;
    END IF;
    at := element * 4 - 4;
    sign := 1 - 2 * (get_byte(vector, at) >> 7);
    exponent := ((get_byte(vector, at) & 127) << 1) | (get_byte(vector, at + 1) >> 7);
    mantissa := ((get_byte(vector, at + 1) & 127) << 16) | (get_byte(vector, at + 2) << 8) | get_byte(vector, at + 3);
    IF exponent = 255 THEN
        RETURN CASE WHEN mantissa <> 0 THEN 'NaN'::real WHEN sign < 0 THEN '-Infinity'::real ELSE 'Infinity'::real END;
    ELSIF exponent = 0 THEN
        RETURN (sign * mantissa * 2.0::float8 ^ (-149))::real;
    END IF;
    RETURN (sign * (1 + mantissa / 8388608.0::float8) * 2.0::float8 ^ (exponent - 127))::real;
END
$$;

CREATE OR REPLACE FUNCTION functions.triangle_element(triangle bytea, size integer, one integer, other integer) RETURNS real
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$  -- not STRICT, so that PostgreSQL takes it into the expression around it
    SELECT functions.vector_element(
        triangle, (least(one, other) - 1) * size - (least(one, other) - 1) * (least(one, other) - 2) / 2 + abs(one - other) + 1)
$$;

CREATE OR REPLACE FUNCTION functions.unpack_vector(vector bytea) RETURNS real[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array(SELECT functions.vector_element(vector, i) FROM generate_series(1, length(vector) / 4) AS i)
$$;

CREATE OR REPLACE FUNCTION functions.rescaled_triangle(triangle bytea, size integer, factor double precision) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
-- Only the first row changes: its first element by the factor twice. float4send gives the bytes of a packed element.
DECLARE
    first_row bytea := float4send((functions.vector_element(triangle, 1) * factor * factor)::real);
BEGIN
    FOR i IN 2..size LOOP
        first_row := first_row || float4send((functions.vector_element(triangle, i) * factor)::real);
    END LOOP;
    RETURN first_row || substring(triangle FROM 4 * size + 1);
END
$$;

COMMENT ON FUNCTION functions.vector_element(bytea, integer) IS 'Element (from 1) of a packed vector; null past its end.';
COMMENT ON FUNCTION functions.unpack_vector(bytea) IS 'A packed vector as an array of real.';
COMMENT ON FUNCTION functions.triangle_element(bytea, integer, integer, integer) IS
    'Element (one, other), from 1, of a symmetric matrix of so many rows that is packed as its upper triangle, row by row.';
COMMENT ON FUNCTION functions.rescaled_triangle(bytea, integer, double precision) IS
    'The packed triangle of a symmetric matrix of so many rows after its first variable is multiplied by a factor.';
