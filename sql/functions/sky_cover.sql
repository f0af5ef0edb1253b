-- Discs of the sky as ranges of a key that holds the nested HEALPix pixel of level 12 above its lowest 35 bits: what joins on position look up.
--
-- Within a face of the sphere, with the face's own columns and rows counted from 0 to 1, a step of one radian moves either by no more than
--     1.0208  where |sin(lat)| <= 2/3: the step's gradient is (2/pi / cos(lat), 3/4 cos(lat)), largest at the border, cos^2(lat) = 5/9;
--     1.4519  nearer the poles: with s = sqrt(6) sin(c/2) at the colatitude c, columns and rows are t s and (1 - t) s, 0 <= t <= 1,
--             and the gradient's square t^2 3/2 cos^2(c/2) + 6/pi^2 / cos^2(c/2) is largest at t = 1 and c = 0.
-- So a disc lies in the square of that half width around its centre's column and row, if the square lies within the face.
-- Rounding is left to the caller, who adds a margin to the radius. A pixel's range is told by its middle m: the lowest bit of m is half of the range's length.

CREATE OR REPLACE FUNCTION functions.sky_pixels(lon double precision, lat double precision, reach double precision) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    spread CONSTANT integer[] := '{0,1,4,5,16,17,20,21,64,65,68,69,80,81,84,85,256,257,260,261,272,273,276,277,320,321,324,325,336,337,340,341,1024,1025,1028,1029,1040,1041,1044,1045,1088,1089,1092,1093,1104,1105,1108,1109,1280,1281,1284,1285,1296,1297,1300,1301,1344,1345,1348,1349,1360,1361,1364,1365}';
    ra double precision := lon - 360 * floor(lon / 360);
    half_width double precision;  -- of the square, in faces
    level integer;
    from_pole double precision;
    quarters double precision;
    x double precision;
    y double precision;
    rise_first integer;
    rise_last integer;
    fall_first integer;
    fall_last integer;
    face bigint;
    found bigint[] := '{}';
    within bigint[];
    pixel bigint;
    centre double precision[];
    radius double precision;
    apart double precision;
    border bigint[] := '{0,1,2,3,4,5,6,7,8,9,10,11}';
BEGIN
    IF reach < 0 OR NOT (abs(lon) < 'Infinity' AND abs(lat) <= 90) THEN
        RETURN found;  -- no place on the sky
    END IF;
    IF NOT reach < 30 THEN
        -- All keys: a cover of a disc this wide would leave out little, and finding it takes longer than the tests that it saves.
        RETURN ARRAY[1::bigint << 62];
    END IF;
    half_width := radians(reach) * CASE WHEN abs(lat) + reach < 41.81 THEN 1.0208 ELSE 1.4519 END;
    level := greatest(1, least(12, floor(1 - ln(greatest(half_width, 1e-9)) / ln(2::double precision))));
    IF level > 2 THEN
        -- The plane of HEALPix in units of a pixel: lines that rise and lines that fall are counted by y - x and y + x.
        quarters := ra / 90;
        IF abs(lat) < 41.8103148957786 THEN
            x := 0.5 + quarters;
            y := 0.75 * sin(radians(lat));
        ELSE
            from_pole := sqrt(6::double precision) * sin(radians(45 - abs(lat) / 2));
            x := 1 + floor(quarters) + (quarters - floor(quarters) - 0.5) * from_pole;
            y := sign(lat) * (1 - from_pole / 2);
        END IF;
        rise_first := floor((x - y - half_width) * (1 << level));
        rise_last := floor((x - y + half_width) * (1 << level));
        fall_first := floor((x + y - half_width) * (1 << level));
        fall_last := floor((x + y + half_width) * (1 << level));
        IF rise_first >> level = rise_last >> level AND fall_first >> level = fall_last >> level THEN
            face := CASE
                WHEN rise_first >> level = fall_first >> level THEN (rise_first >> level & 3) | 4
                WHEN rise_first >> level < fall_first >> level THEN rise_first >> level & 3
                ELSE (fall_first >> level & 3) + 8
            END;
            face := face << (2 * level);
            FOR fall IN (fall_first & ((1 << level) - 1))..(fall_last & ((1 << level) - 1)) LOOP
                FOR row IN ((1 << level) - 1 - (rise_last & ((1 << level) - 1)))..((1 << level) - 1 - (rise_first & ((1 << level) - 1))) LOOP
                    found := found || ((2 * (face
                        | spread[1 + (fall & 63)] | (spread[1 + (fall >> 6)] << 12) | (spread[1 + (row & 63)] << 1) | (spread[1 + (row >> 6)] << 13)
                    ) + 1) << (34 + 2 * (12 - level)));
                END LOOP;
            END LOOP;
            RETURN found;
        END IF;
    END IF;
    -- The square leaves its face: from the twelve faces down, pixels whose own circle (radius at most 1.07 radians / 2^level) meets the disc.
    FOR depth IN 0..level LOOP
        radius := degrees(1.07::double precision / (1 << depth)) + 1e-9;
        within := '{}';
        FOREACH pixel IN ARRAY border LOOP
            centre := functions.healpix_center(depth, pixel);
            apart := 2 * degrees(asin(least(1, sqrt(
                sin(radians(centre[2] - lat) / 2) ^ 2 + cos(radians(lat)) * cos(radians(centre[2])) * sin(radians(centre[1] - ra) / 2) ^ 2
            ))));
            IF apart > reach + radius THEN
                CONTINUE;
            ELSIF depth = level OR apart + radius <= reach THEN
                found := found || ((2 * pixel + 1) << (34 + 2 * (12 - depth)));
            ELSE
                within := within || ARRAY[4 * pixel, 4 * pixel + 1, 4 * pixel + 2, 4 * pixel + 3];
            END IF;
        END LOOP;
        border := within;
    END LOOP;
    RETURN found;
END
$$;

CREATE OR REPLACE FUNCTION functions.pixel_middle(rise integer, fall integer, spread integer[]) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (2 * (
        (CASE WHEN rise >> 12 = fall >> 12 THEN (rise >> 12 & 3) | 4 WHEN rise >> 12 < fall >> 12 THEN rise >> 12 & 3 ELSE (fall >> 12 & 3) + 8 END)::bigint << 24
        | spread[1 + (fall & 63)] | (spread[1 + (fall >> 6 & 63)] << 12) | (spread[64 - (rise & 63)] << 1) | (spread[64 - (rise >> 6 & 63)] << 13)
    ) + 1) << 34
$$;

CREATE OR REPLACE FUNCTION functions.sky_cover(lon double precision, lat double precision, reach double precision)
RETURNS TABLE (first bigint, last bigint, south double precision, north double precision)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- PostgreSQL writes this into the query that calls it. Discs of arcseconds lie in one, two or four pixels, which are found here; sky_pixels does the rest.
    SELECT middle - (middle & -middle), middle + ((middle & -middle) - 1), lat - reach, lat + reach
    FROM (
        SELECT unnest(CASE
            WHEN rise = rise_last AND fall = fall_last THEN ARRAY[functions.pixel_middle(rise, fall, spread)]
            WHEN rise >> 12 < rise_last >> 12 OR fall >> 12 < fall_last >> 12 THEN functions.sky_pixels(lon, lat, reach)  -- in several faces
            WHEN rise = rise_last AND fall + 1 = fall_last THEN
                ARRAY[functions.pixel_middle(rise, fall, spread), functions.pixel_middle(rise, fall_last, spread)]
            WHEN rise + 1 = rise_last AND fall = fall_last THEN
                ARRAY[functions.pixel_middle(rise, fall, spread), functions.pixel_middle(rise_last, fall, spread)]
            WHEN rise + 1 = rise_last AND fall + 1 = fall_last THEN
                ARRAY[functions.pixel_middle(rise, fall, spread), functions.pixel_middle(rise, fall_last, spread),
                      functions.pixel_middle(rise_last, fall, spread), functions.pixel_middle(rise_last, fall_last, spread)]
            ELSE functions.sky_pixels(lon, lat, reach)
        END) AS middle
        FROM (
            SELECT floor(x - y - half_width)::integer AS rise, floor(x - y + half_width)::integer AS rise_last,
                floor(x + y - half_width)::integer AS fall, floor(x + y + half_width)::integer AS fall_last,
                '{0,1,4,5,16,17,20,21,64,65,68,69,80,81,84,85,256,257,260,261,272,273,276,277,320,321,324,325,336,337,340,341,1024,1025,1028,1029,1040,1041,1044,1045,1088,1089,1092,1093,1104,1105,1108,1109,1280,1281,1284,1285,1296,1297,1300,1301,1344,1345,1348,1349,1360,1361,1364,1365}'::integer[] AS spread
            FROM (
                SELECT CASE WHEN abs(lon) <= 720 THEN CASE
                        WHEN abs(lat) < 41.8103148957786 THEN 2048 + lon * (4096.0::double precision / 90)
                        ELSE 4096 * (1 + floor(lon / 90) + (lon / 90 - floor(lon / 90) - 0.5::double precision) * (sqrt(6::double precision) * sin(radians(45 - abs(lat) / 2))))
                    END END AS x,
                    CASE
                        WHEN abs(lat) < 41.8103148957786 THEN 3072 * sin(radians(lat))
                        WHEN abs(lat) <= 90 THEN sign(lat) * (4096 - 2048 * (sqrt(6::double precision) * sin(radians(45 - abs(lat) / 2))))
                    END AS y,
                    CASE WHEN reach < 1 THEN reach * (4096 * radians(1.0::double precision)) * CASE WHEN abs(lat) + reach < 41.81 THEN 1.0208::double precision ELSE 1.4519 END END AS half_width
                OFFSET 0
            ) AS place
            OFFSET 0
        ) AS square
    ) AS pixels
$$;

COMMENT ON FUNCTION functions.sky_pixels(double precision, double precision, double precision) IS
    'The middles of the HEALPix ranges of a key that hold the disc of radius reach around a place, degrees.';
COMMENT ON FUNCTION functions.pixel_middle(integer, integer, integer[]) IS
    'The middle of the range of a pixel of level 12, told by the lines that rise and fall through the plane of HEALPix.';
COMMENT ON FUNCTION functions.sky_cover(double precision, double precision, double precision) IS
    'Ranges of a HEALPix key (level 12 above 35 bits, both ends inclusive) that hold the disc of radius reach around a place, and its latitudes; degrees.';
