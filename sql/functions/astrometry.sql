-- Places on the sky under motion and rotation, and their sexagesimal texts. In PL/pgSQL, which keeps its expressions ready from row to row.

CREATE OR REPLACE FUNCTION functions.propagated_place(
    ra double precision, "dec" double precision, parallax double precision, pmra double precision, pmdec double precision,
    radial_velocity double precision, ref_epoch double precision, out_epoch double precision)
RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
-- Uniform motion in space: the rigorous treatment of The Hipparcos and Tycho Catalogues (ESA SP-1200, 1997), volume 1, section 1.5.5.
DECLARE
    radians_per_mas CONSTANT double precision := pi() / 648000000;
    au CONSTANT double precision := 4.740470446;  -- astronomical unit in km/s times a Julian year
    years double precision := out_epoch - ref_epoch;
    sin_ra double precision := sin(radians(ra));
    cos_ra double precision := cos(radians(ra));
    sin_dec double precision := sin(radians("dec"));
    cos_dec double precision := cos(radians("dec"));
    east double precision := coalesce(pmra, 0) * radians_per_mas * years;
    north double precision := coalesce(pmdec, 0) * radians_per_mas * years;
    outward double precision;
    x double precision;
    y double precision;
    z double precision;
BEGIN
    IF ra IS NULL OR "dec" IS NULL OR ref_epoch IS NULL OR out_epoch IS NULL THEN
        RAISE EXCEPTION 'a position and two epochs are needed to propagate a source, and one of them is NULL; leave such rows out with IS NOT NULL'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    -- Infinitely far (no parallax), a radial velocity moves nothing.
    outward := 1 + coalesce(radial_velocity, 0) * coalesce(parallax, 0) / au * radians_per_mas * years;
    x := cos_dec * cos_ra * outward - sin_ra * east - sin_dec * cos_ra * north;
    y := cos_dec * sin_ra * outward + cos_ra * east - sin_dec * sin_ra * north;
    z := sin_dec * outward + cos_dec * north;
    RETURN ARRAY[degrees(atan2(-y, -x)) + 180, degrees(atan2(z, sqrt(x * x + y * y)))];
END
$$;

CREATE OR REPLACE FUNCTION functions.rotated_place(lon double precision, lat double precision, rotation double precision[])
RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    a double precision := cos(radians(lat)) * cos(radians(lon));
    b double precision := cos(radians(lat)) * sin(radians(lon));
    c double precision := sin(radians(lat));
    x double precision := rotation[1] * a + rotation[2] * b + rotation[3] * c;
    y double precision := rotation[4] * a + rotation[5] * b + rotation[6] * c;
    z double precision := rotation[7] * a + rotation[8] * b + rotation[9] * c;
BEGIN
    IF NOT abs(lat) <= 90 THEN
        RETURN NULL;  -- no place on the sky
    END IF;
    RETURN ARRAY[degrees(atan2(-y, -x)) + 180, degrees(atan2(z, sqrt(x * x + y * y)))];
END
$$;

CREATE OR REPLACE FUNCTION functions.hms_to_degrees(hms text) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    parts text[] := coalesce(
        regexp_match(hms, '^\s*(\d{1,2}):(\d{1,2}):(\d{1,2}\.?\d*)\s*$'),
        regexp_match(hms, '^\s*(\d\d)(\d\d)(\d\d(?:\.\d*)?)\s*$'),
        regexp_match(hms, '^\s*(\d{1,2})[hH]\s*(\d{1,2})[mM]\s*(\d{1,2}\.?\d*)[sS]\s*$'));
BEGIN
    IF parts IS NULL OR parts[1]::integer > 23 OR parts[2]::integer > 59 OR parts[3]::double precision >= 60 THEN
        RETURN NULL;
    END IF;
    RETURN (parts[1]::integer * 3600 + parts[2]::integer * 60 + parts[3]::double precision) / 240;
END
$$;

CREATE OR REPLACE FUNCTION functions.dms_to_degrees(dms text) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    parts text[] := coalesce(
        regexp_match(dms, '^\s*([-+]?)(\d{1,3}):(\d{1,2}):(\d{1,2}\.?\d*)\s*$'),
        regexp_match(dms, '^\s*([-+]?)(\d\d)(\d\d)(\d\d(?:\.\d*)?)\s*$'),
        regexp_match(dms, '^\s*([-+]?)(\d{1,3})[dD]\s*(\d{1,2})[mM]\s*(\d{1,2}\.?\d*)[sS]\s*$'));
BEGIN
    IF parts IS NULL OR parts[2]::integer > 360 OR parts[3]::integer > 59 OR parts[4]::double precision >= 60 THEN
        RETURN NULL;
    END IF;
    RETURN CASE WHEN parts[1] = '-' THEN -1 ELSE 1 END
        * (parts[2]::integer * 3600 + parts[3]::integer * 60 + parts[4]::double precision) / 3600;
END
$$;

COMMENT ON FUNCTION functions.propagated_place(
    double precision, double precision, double precision, double precision, double precision, double precision, double precision, double precision) IS
    'Longitude and latitude at out_epoch of a source in uniform motion: degrees, mas, mas/yr, km/s, Julian years. Null parallax: infinitely far; null motions: 0; null place or epoch: an error.';
COMMENT ON FUNCTION functions.rotated_place(double precision, double precision, double precision[]) IS
    'Longitude (0 to 360) and latitude, degrees, of a place in axes turned by a rotation matrix, row by row.';
COMMENT ON FUNCTION functions.hms_to_degrees(text) IS 'Degrees of hours, minutes and seconds written h:m:s, hhmmss or hHmMsS; null for any other text.';
COMMENT ON FUNCTION functions.dms_to_degrees(text) IS 'Degrees of degrees, minutes and seconds written d:m:s, ddmmss or dDmMsS with or without a sign; null for any other text.';
