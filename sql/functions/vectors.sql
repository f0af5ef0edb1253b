-- Packed vectors (big-endian float32 in bytea) for people: the service sends the bytes as they are.

CREATE OR REPLACE FUNCTION functions.vector_element(vector bytea, element integer) RETURNS real
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- IEEE 754 binary32 from its four bytes; null past the end.
    SELECT CASE
        WHEN element < 1 OR element * 4 > length(vector) THEN NULL
        WHEN exponent = 255 AND mantissa <> 0 THEN 'NaN'::real
        WHEN exponent = 255 THEN (CASE WHEN sign = 1 THEN '-Infinity' ELSE 'Infinity' END)::real
        WHEN exponent = 0 THEN ((1 - 2 * sign) * mantissa * 2.0::float8 ^ (-149))::real
        ELSE ((1 - 2 * sign) * (1 + mantissa / 8388608.0::float8) * 2.0::float8 ^ (exponent - 127))::real
    END
    FROM (
        SELECT
            get_byte(word, 0) >> 7 AS sign,
            ((get_byte(word, 0) & 127) << 1) | (get_byte(word, 1) >> 7) AS exponent,
            ((get_byte(word, 1) & 127) << 16) | (get_byte(word, 2) << 8) | get_byte(word, 3) AS mantissa
        -- Padded, so that an element past the end still has four bytes to look at.
        FROM (SELECT substring(vector || '\x00000000'::bytea FROM greatest(1, least(element, length(vector) / 4 + 1)) * 4 - 3 FOR 4) AS word) AS four
    ) AS parts
$$;

CREATE OR REPLACE FUNCTION functions.unpack_vector(vector bytea) RETURNS real[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array(SELECT functions.vector_element(vector, i) FROM generate_series(1, length(vector) / 4) AS i)
$$;

COMMENT ON FUNCTION functions.vector_element(bytea, integer) IS 'Element (from 1) of a packed vector; null past its end.';
COMMENT ON FUNCTION functions.unpack_vector(bytea) IS 'A packed vector as an array of real.';
