-- Places and regions of the sky as arrays in the order of DALI 1.1 section 3.3, ICRS degrees: a point {lon, lat}, a circle {lon, lat, radius},
-- a polygon {lon1, lat1, lon2, lat2, ...}. The length of an array tells what it is. Edges of polygons are great circles; a polygon is the side of its
-- edges that lies within a hemisphere, whichever way round it is written, and its border belongs to it.
-- What is no place (a latitude beyond 90, NaN, infinity), no circle (a radius below 0) or no polygon (no hemisphere holds it) is null.
-- Polygons are tested in the plane that touches the sphere at their middle (gnomonic projection), where great circles are straight lines, by
-- PostgreSQL's own type polygon. That type takes lengths below 1e-6 for nothing, so the plane is measured in units that make this 1e-10 of the polygon.

CREATE OR REPLACE FUNCTION functions.longitude(lon double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN lon >= 0 AND lon < 360 THEN lon
        WHEN lon - 360 * floor(lon / 360) < 360 THEN greatest(0, lon - 360 * floor(lon / 360))
        WHEN lon IS NOT NULL THEN 0
    END
$$;

CREATE OR REPLACE FUNCTION functions.sky_point(lon double precision, lat double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(lon) < 'Infinity' AND abs(lat) <= 90 THEN ARRAY[functions.longitude(lon), lat] END
$$;

CREATE OR REPLACE FUNCTION functions.sky_point(point double precision[]) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT functions.sky_point(point[1], point[2])
$$;

CREATE OR REPLACE FUNCTION functions.sky_circle(lon double precision, lat double precision, radius double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(lon) < 'Infinity' AND abs(lat) <= 90 AND radius >= 0 AND radius < 'Infinity' THEN ARRAY[functions.longitude(lon), lat, radius] END
$$;

CREATE OR REPLACE FUNCTION functions.sky_circle(centre double precision[], radius double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT functions.sky_circle(centre[1], centre[2], radius)
$$;

CREATE OR REPLACE FUNCTION functions.separation(
    lon1 double precision, lat1 double precision, lon2 double precision, lat2 double precision
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- The haversine formula keeps its precision below an arcsecond (Sinnott 1984, Sky and Telescope 68, 158).
    SELECT CASE WHEN abs(lon1) < 'Infinity' AND abs(lat1) <= 90 AND abs(lon2) < 'Infinity' AND abs(lat2) <= 90 THEN
        degrees(2 * asin(least(1, sqrt(
            power(sin(radians(lat1 - lat2) / 2), 2) + cos(radians(lat1)) * cos(radians(lat2)) * power(sin(radians(lon1 - lon2) / 2), 2)
        ))))
    END
$$;

CREATE OR REPLACE FUNCTION functions.separation(first double precision[], second double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT functions.separation(first[1], first[2], second[1], second[2])
$$;

CREATE OR REPLACE FUNCTION functions.sky_box(
    lon double precision, lat double precision, width double precision, height double precision
) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    -- In the plane that touches the sphere at the centre the box is the rectangle between these.
    x double precision;
    y double precision;
    box double precision[] := '{}';
    side double precision[];
    from_axis double precision;
    height_on_axis double precision;
BEGIN
    IF (functions.sky_point(lon, lat) IS NOT NULL AND width > 0 AND width < 180 AND height > 0 AND height < 180) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    -- Northeast, southeast, southwest, northwest.
    FOREACH side SLICE 1 IN ARRAY '{{1, 1}, {1, -1}, {-1, -1}, {-1, 1}}'::double precision[] LOOP
        x := side[1] * tan(radians(width) / 2);
        y := side[2] * tan(radians(height) / 2);
        from_axis := cosd(lat) - y * sind(lat);
        height_on_axis := sind(lat) + y * cosd(lat);
        box := box || functions.longitude(lon + degrees(atan2(x, from_axis))) || degrees(atan2(height_on_axis, sqrt(x * x + from_axis * from_axis)));
    END LOOP;
    RETURN box;
END
$$;

CREATE OR REPLACE FUNCTION functions.sky_box(centre double precision[], width double precision, height double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT functions.sky_box(centre[1], centre[2], width, height)
$$;

CREATE OR REPLACE FUNCTION functions.polygon_middle(polygon double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    n integer := coalesce(array_length(polygon, 1), 0) / 2;
    x double precision[] := array_fill(0::double precision, ARRAY[n]);
    y double precision[] := x;
    z double precision[] := x;
    mx double precision := 0;
    my double precision := 0;
    mz double precision := 0;
    size double precision;
    least_cosine double precision;
    furthest integer;
    lon double precision;
    lat double precision;
    radius double precision := 0;
BEGIN
    IF n < 3 OR array_length(polygon, 1) <> 2 * n THEN
        RETURN NULL;
    END IF;
    FOR i IN 1 .. n LOOP
        IF (abs(polygon[2 * i - 1]) < 'Infinity' AND abs(polygon[2 * i]) <= 90) IS NOT TRUE THEN
            RETURN NULL;
        END IF;
        lon := radians(polygon[2 * i - 1]);
        lat := radians(polygon[2 * i]);
        x[i] := cos(lat) * cos(lon);
        y[i] := cos(lat) * sin(lon);
        z[i] := sin(lat);
        mx := mx + x[i] / n;
        my := my + y[i] / n;
        mz := mz + z[i] / n;
    END LOOP;
    -- The mean serves unless vertices crowd on one side; then it moves towards the furthest vertex (Badoiu & Clarkson 2003, SODA, 801).
    FOR step IN 1 .. 100 LOOP
        size := sqrt(mx * mx + my * my + mz * mz);
        IF size < 1e-9 THEN
            RETURN NULL;
        END IF;
        least_cosine := 2;
        FOR i IN 1 .. n LOOP
            IF x[i] * mx + y[i] * my + z[i] * mz < least_cosine * size THEN
                least_cosine := (x[i] * mx + y[i] * my + z[i] * mz) / size;
                furthest := i;
            END IF;
        END LOOP;
        EXIT WHEN least_cosine > 0.2 OR step = 100;
        mx := mx + (x[furthest] - mx) / (step + 1);
        my := my + (y[furthest] - my) / (step + 1);
        mz := mz + (z[furthest] - mz) / (step + 1);
    END LOOP;
    IF least_cosine < 0.001745 THEN  -- 89.9 degrees
        RETURN NULL;
    END IF;
    FOR i IN 1 .. n LOOP  -- the longest chord to the middle
        radius := greatest(radius, power(x[i] - mx / size, 2) + power(y[i] - my / size, 2) + power(z[i] - mz / size, 2));
    END LOOP;
    lon := degrees(atan2(my, mx));
    RETURN CASE WHEN radius > 0 THEN
        ARRAY[CASE WHEN lon < 0 THEN lon + 360 ELSE lon END, degrees(atan2(mz, sqrt(mx * mx + my * my))), degrees(2 * asin(sqrt(radius) / 2))]
    END;
END
$$;

CREATE OR REPLACE FUNCTION functions.outline_holds(
    outline polygon, unit double precision, middle_lon double precision, middle_lat double precision, lon double precision, lat double precision
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- Differences of angles instead of products of vectors: the plane's coordinates are as precise as the place itself, however small the polygon.
    SELECT CASE WHEN abs(lon) < 'Infinity' AND abs(lat) <= 90 THEN
        CASE WHEN cos(radians(lat - middle_lat)) - 2 * cos(radians(lat)) * cos(radians(middle_lat)) * power(sin(radians(lon - middle_lon) / 2), 2) > 0.001
        THEN outline @> point(
            unit * cos(radians(lat)) * sin(radians(lon - middle_lon))
                / (cos(radians(lat - middle_lat)) - 2 * cos(radians(lat)) * cos(radians(middle_lat)) * power(sin(radians(lon - middle_lon) / 2), 2)),
            unit * (sin(radians(lat - middle_lat)) + 2 * cos(radians(lat)) * sin(radians(middle_lat)) * power(sin(radians(lon - middle_lon) / 2), 2))
                / (cos(radians(lat - middle_lat)) - 2 * cos(radians(lat)) * cos(radians(middle_lat)) * power(sin(radians(lon - middle_lon) / 2), 2))
        )
        ELSE false END
    END
$$;

CREATE OR REPLACE FUNCTION functions.on_plane(polygon double precision[], middle double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    plane double precision[] := polygon;
    away double precision;
    lat double precision;
    half double precision;
    height double precision;
BEGIN
    FOR i IN 1 .. array_length(polygon, 1) / 2 LOOP
        away := radians(polygon[2 * i - 1] - middle[1]);
        lat := radians(polygon[2 * i]);
        half := 2 * cos(lat) * power(sin(away / 2), 2);
        height := cos(radians(polygon[2 * i] - middle[2])) - half * cos(radians(middle[2]));
        IF height < 0.001 THEN
            RETURN NULL;
        END IF;
        plane[2 * i - 1] := cos(lat) * sin(away) / height;
        plane[2 * i] := (sin(radians(polygon[2 * i] - middle[2])) + half * sin(radians(middle[2]))) / height;
    END LOOP;
    RETURN plane;
END
$$;

CREATE OR REPLACE FUNCTION functions.outline(plane double precision[], unit double precision) RETURNS polygon
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    vertices text := '';
BEGIN
    IF plane IS NULL THEN
        RETURN NULL;
    END IF;
    FOR i IN 1 .. array_length(plane, 1) / 2 LOOP
        vertices := vertices || ',(' || unit * plane[2 * i - 1] || ',' || unit * plane[2 * i] || ')';
    END LOOP;
    RETURN ('(' || substr(vertices, 2) || ')')::polygon;
END
$$;

CREATE OR REPLACE FUNCTION functions.twice_plane_area(plane double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- Positive where the vertices turn from east to north.
    SELECT sum(plane[2 * i - 1] * plane[2 * (i % n) + 2] - plane[2 * (i % n) + 1] * plane[2 * i])
    FROM (SELECT array_length(plane, 1) / 2 AS n) AS size, generate_series(1, n) AS i
$$;

CREATE OR REPLACE FUNCTION functions.sky_polygon(coordinates double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    polygon double precision[] := '{}';
    turned double precision[] := '{}';
    n integer := coalesce(array_length(coordinates, 1), 0) / 2;
    place double precision[];
    middle double precision[];
BEGIN
    FOR i IN 1 .. n LOOP
        place := functions.sky_point(coordinates[2 * i - 1], coordinates[2 * i]);
        IF place IS NULL THEN
            RETURN NULL;
        END IF;
        IF i = 1 OR place <> polygon[array_length(polygon, 1) - 1 :] THEN  -- a repeated vertex adds nothing
            polygon := polygon || place;
        END IF;
    END LOOP;
    IF array_length(polygon, 1) > 2 AND polygon[1 : 2] = polygon[array_length(polygon, 1) - 1 :] THEN
        polygon := polygon[: array_length(polygon, 1) - 2];
    END IF;
    middle := functions.polygon_middle(polygon);
    IF middle IS NULL THEN
        RETURN NULL;
    END IF;
    -- DALI wants vertices counter-clockwise as seen from the middle of the sphere: from north to east.
    IF functions.twice_plane_area(functions.on_plane(polygon, middle)) > 0 THEN
        FOR i IN REVERSE array_length(polygon, 1) / 2 .. 2 LOOP
            turned := turned || polygon[2 * i - 1 : 2 * i];
        END LOOP;
        polygon := polygon[1 : 2] || turned;
    END IF;
    RETURN polygon;
END
$$;

CREATE OR REPLACE FUNCTION functions.edge_separation(polygon double precision[], lon double precision, lat double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    n integer := array_length(polygon, 1) / 2;
    p_x double precision := cos(radians(lat)) * cos(radians(lon));
    p_y double precision := cos(radians(lat)) * sin(radians(lon));
    p_z double precision := sin(radians(lat));
    -- The edge from a to b, and the pole of its great circle.
    a_x double precision := cos(radians(polygon[2 * n])) * cos(radians(polygon[2 * n - 1]));
    a_y double precision := cos(radians(polygon[2 * n])) * sin(radians(polygon[2 * n - 1]));
    a_z double precision := sin(radians(polygon[2 * n]));
    b_x double precision;
    b_y double precision;
    b_z double precision;
    n_x double precision;
    n_y double precision;
    n_z double precision;
    size double precision;
    nearest double precision := 180;
BEGIN
    FOR i IN 1 .. n LOOP
        b_x := cos(radians(polygon[2 * i])) * cos(radians(polygon[2 * i - 1]));
        b_y := cos(radians(polygon[2 * i])) * sin(radians(polygon[2 * i - 1]));
        b_z := sin(radians(polygon[2 * i]));
        -- Of difference and sum, not of a and b, which cancel where the edge is short.
        n_x := ((a_y - b_y) * (a_z + b_z) - (a_z - b_z) * (a_y + b_y)) / 2;
        n_y := ((a_z - b_z) * (a_x + b_x) - (a_x - b_x) * (a_z + b_z)) / 2;
        n_z := ((a_x - b_x) * (a_y + b_y) - (a_y - b_y) * (a_x + b_x)) / 2;
        size := sqrt(n_x * n_x + n_y * n_y + n_z * n_z);
        -- Beside the edge, not beyond its ends?
        IF size > 0
            AND (n_y * a_z - n_z * a_y) * (p_x - a_x) + (n_z * a_x - n_x * a_z) * (p_y - a_y) + (n_x * a_y - n_y * a_x) * (p_z - a_z) > 0
            AND (b_y * n_z - b_z * n_y) * (p_x - b_x) + (b_z * n_x - b_x * n_z) * (p_y - b_y) + (b_x * n_y - b_y * n_x) * (p_z - b_z) > 0
        THEN
            nearest := least(nearest, degrees(asin(least(1, abs(n_x * (p_x - a_x) + n_y * (p_y - a_y) + n_z * (p_z - a_z)) / size))));
        ELSE
            nearest := least(nearest, functions.separation(lon, lat, polygon[2 * i - 1], polygon[2 * i]));
            IF i = 1 THEN
                nearest := least(nearest, functions.separation(lon, lat, polygon[2 * n - 1], polygon[2 * n]));
            END IF;
        END IF;
        a_x := b_x;
        a_y := b_y;
        a_z := b_z;
    END LOOP;
    RETURN nearest;
END
$$;

CREATE OR REPLACE FUNCTION functions.edges_cross(one double precision[], other double precision[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- Two arcs cross where each has its ends on different sides of the other's great circle, and not at the antipodes of that place.
    WITH vertex AS (
        SELECT which, i, n, cos(radians(p[2 * i])) * cos(radians(p[2 * i - 1])) AS x, cos(radians(p[2 * i])) * sin(radians(p[2 * i - 1])) AS y, sin(radians(p[2 * i])) AS z
        FROM (VALUES (1, one, array_length(one, 1) / 2), (2, other, array_length(other, 1) / 2)) AS polygons (which, p, n), generate_series(1, n) AS i
    ), edge AS (
        SELECT a.which, a.x AS ax, a.y AS ay, a.z AS az, b.x AS bx, b.y AS by, b.z AS bz,
            a.y * b.z - a.z * b.y AS nx, a.z * b.x - a.x * b.z AS ny, a.x * b.y - a.y * b.x AS nz
        FROM vertex AS a JOIN vertex AS b ON b.which = a.which AND b.i = a.i % a.n + 1
    )
    SELECT EXISTS (
        SELECT 1
        FROM edge AS e JOIN edge AS f ON e.which = 1 AND f.which = 2, LATERAL (
            SELECT sign(e.nx * f.ax + e.ny * f.ay + e.nz * f.az) AS fa, sign(e.nx * f.bx + e.ny * f.by + e.nz * f.bz) AS fb,
                sign(f.nx * e.ax + f.ny * e.ay + f.nz * e.az) AS ea, sign(f.nx * e.bx + f.ny * e.by + f.nz * e.bz) AS eb
        ) AS side
        WHERE fa <> 0 AND fb = -fa AND ea = -fa AND eb = fa
    )
$$;

CREATE OR REPLACE FUNCTION functions.region_holds(region double precision[], lon double precision, lat double precision) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    middle double precision[];
    unit double precision;
BEGIN
    IF functions.sky_point(lon, lat) IS NULL THEN
        RETURN NULL;
    ELSIF array_length(region, 1) = 2 THEN
        RETURN functions.separation(region[1], region[2], lon, lat) = 0;
    ELSIF array_length(region, 1) = 3 THEN
        RETURN functions.separation(region[1], region[2], lon, lat) <= CASE WHEN region[3] >= 0 THEN region[3] END;
    END IF;
    middle := functions.polygon_middle(region);
    IF middle IS NULL THEN
        RETURN NULL;
    ELSIF functions.separation(middle[1], middle[2], lon, lat) > middle[3] + 1e-6 THEN
        RETURN false;
    END IF;
    unit := 20000 / tan(radians(middle[3]));
    RETURN functions.outline_holds(functions.outline(functions.on_plane(region, middle), unit), unit, middle[1], middle[2], lon, lat);
END
$$;

CREATE OR REPLACE FUNCTION functions.region_contains(inside double precision[], around double precision[]) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    n_inside integer := array_length(inside, 1);
    n_around integer := array_length(around, 1);
    radius double precision := CASE WHEN n_inside = 2 THEN 0 WHEN n_inside = 3 AND inside[3] >= 0 THEN inside[3] END;
    separation double precision;
    middle double precision[];
    unit double precision;
    held boolean;
BEGIN
    IF n_inside IS NULL OR n_around IS NULL
        OR (n_inside > 3 AND functions.polygon_middle(inside) IS NULL)
        OR (n_inside <= 3 AND (radius IS NULL OR functions.sky_point(inside[1], inside[2]) IS NULL))
    THEN
        RETURN NULL;
    ELSIF n_around <= 3 THEN
        IF functions.sky_point(around[1], around[2]) IS NULL OR (n_around = 3 AND (around[3] >= 0) IS NOT TRUE) THEN
            RETURN NULL;
        ELSIF n_around = 3 AND around[3] >= 180 THEN
            RETURN 1;
        END IF;
        separation := functions.separation(inside[1], inside[2], around[1], around[2]);
        IF n_inside <= 3 THEN
            RETURN (separation + radius <= CASE WHEN n_around = 3 THEN around[3] ELSE 0 END)::integer;
        ELSIF n_around = 2 THEN
            RETURN 0;
        ELSIF around[3] > 90 THEN
            -- What lies outside the circle is a circle around the other side of the sky.
            held := functions.region_holds(inside, around[1] + 180, -around[2]);
            RETURN (NOT held AND functions.edge_separation(inside, around[1] + 180, -around[2]) >= 180 - around[3])::integer;
        END IF;
        FOR i IN 1 .. n_inside / 2 LOOP
            IF functions.separation(inside[2 * i - 1], inside[2 * i], around[1], around[2]) > around[3] THEN
                RETURN 0;
            END IF;
        END LOOP;
        RETURN 1;
    ELSIF n_inside <= 3 THEN
        held := functions.region_holds(around, inside[1], inside[2]);
        RETURN (held AND (radius = 0 OR functions.edge_separation(around, inside[1], inside[2]) >= radius))::integer;
    END IF;
    middle := functions.polygon_middle(around);
    IF middle IS NULL THEN
        RETURN NULL;
    END IF;
    unit := 1e9 / tan(radians(middle[3]));
    RETURN coalesce(functions.outline(functions.on_plane(around, middle), unit) @> functions.outline(functions.on_plane(inside, middle), unit), false)::integer;
END
$$;

CREATE OR REPLACE FUNCTION functions.region_intersects(one double precision[], other double precision[]) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    n_one integer := array_length(one, 1);
    n_other integer := array_length(other, 1);
    held boolean;
    -- Circles around polygons, and their outlines.
    m_one double precision[];
    m_other double precision[];
    u_one double precision;
    u_other double precision;
    o_one polygon;
    o_other polygon;
BEGIN
    IF n_one IS NULL OR n_other IS NULL THEN
        RETURN NULL;
    ELSIF n_one = 2 THEN
        RETURN functions.region_contains(one, other);
    ELSIF n_other = 2 THEN
        RETURN functions.region_contains(other, one);
    ELSIF n_one > 3 AND n_other = 3 THEN
        RETURN functions.region_intersects(other, one);
    ELSIF n_one = 3 AND n_other = 3 THEN
        RETURN (functions.separation(one, other) <= CASE WHEN one[3] >= 0 AND other[3] >= 0 THEN one[3] + other[3] END)::integer;
    ELSIF n_one = 3 THEN
        held := functions.region_holds(other, one[1], one[2]);
        RETURN (held OR functions.edge_separation(other, one[1], one[2]) <= CASE WHEN held IS NOT NULL AND one[3] >= 0 THEN one[3] END)::integer;
    END IF;
    m_one := functions.polygon_middle(one);
    m_other := functions.polygon_middle(other);
    IF m_one IS NULL OR m_other IS NULL THEN
        RETURN NULL;
    ELSIF functions.separation(m_one, m_other) > m_one[3] + m_other[3] + 1e-6 THEN
        RETURN 0;
    END IF;
    u_one := 20000 / tan(radians(m_one[3]));
    u_other := 20000 / tan(radians(m_other[3]));
    o_one := functions.outline(functions.on_plane(one, m_one), u_one);
    o_other := functions.outline(functions.on_plane(other, m_other), u_other);
    FOR i IN 1 .. n_one / 2 LOOP
        IF functions.outline_holds(o_other, u_other, m_other[1], m_other[2], one[2 * i - 1], one[2 * i]) THEN
            RETURN 1;
        END IF;
    END LOOP;
    FOR i IN 1 .. n_other / 2 LOOP
        IF functions.outline_holds(o_one, u_one, m_one[1], m_one[2], other[2 * i - 1], other[2 * i]) THEN
            RETURN 1;
        END IF;
    END LOOP;
    RETURN functions.edges_cross(one, other)::integer;
END
$$;

CREATE OR REPLACE FUNCTION functions.region_area(region double precision[]) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    n integer := array_length(region, 1);
    middle double precision[];
    plane double precision[];
    area double precision := 0;
    x double precision;
    y double precision;
    size double precision;
    x2 double precision;
    y2 double precision;
    size2 double precision;
BEGIN
    IF n = 2 THEN
        RETURN CASE WHEN functions.sky_point(region[1], region[2]) IS NOT NULL THEN 0 END;
    ELSIF n = 3 THEN
        IF functions.sky_circle(region, region[3]) IS NULL THEN
            RETURN NULL;
        END IF;
        RETURN 720 * 180 / pi() * power(sin(radians(least(region[3], 180)) / 2), 2);  -- 4 pi sin^2(r/2) steradian
    END IF;
    middle := functions.polygon_middle(region);
    IF middle IS NULL THEN
        RETURN NULL;
    END IF;
    plane := functions.on_plane(region, middle);
    x := plane[n - 1];
    y := plane[n];
    size := sqrt(1 + x * x + y * y);
    FOR i IN 1 .. n / 2 LOOP
        -- The triangle of the middle and an edge (Van Oosterom & Strackee 1983, IEEE Trans. Biomed. Eng. 30, 125).
        x2 := plane[2 * i - 1];
        y2 := plane[2 * i];
        size2 := sqrt(1 + x2 * x2 + y2 * y2);
        area := area + 2 * atan2(x * y2 - x2 * y, size * size2 + 1 + x * x2 + y * y2 + size + size2);
        x := x2;
        y := y2;
        size := size2;
    END LOOP;
    RETURN abs(area) * power(180 / pi(), 2);
END
$$;

CREATE OR REPLACE FUNCTION functions.region_centroid(region double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    n integer := array_length(region, 1);
    middle double precision[];
    plane double precision[];
    -- The integral of the direction over the region, in axes that point east, north and to the middle (Minkowski: half the sum of arc x pole).
    east double precision := 0;
    north double precision := 0;
    up double precision := 0;
    x double precision;
    y double precision;
    x2 double precision;
    y2 double precision;
    size double precision;
    twice_area double precision;
BEGIN
    IF n = 2 THEN
        RETURN functions.sky_point(region[1], region[2]);
    ELSIF n = 3 THEN
        RETURN (functions.sky_circle(region, region[3]))[1 : 2];
    END IF;
    middle := functions.polygon_middle(region);
    IF middle IS NULL THEN
        RETURN NULL;
    END IF;
    plane := functions.on_plane(region, middle);
    twice_area := functions.twice_plane_area(plane);
    x := plane[n - 1];
    y := plane[n];
    FOR i IN 1 .. n / 2 LOOP
        x2 := plane[2 * i - 1];
        y2 := plane[2 * i];
        IF middle[3] < 0.005 THEN
            -- So small a polygon is flat, and the sum below would cancel.
            east := east + (x + x2) * (x * y2 - x2 * y) / 3;
            north := north + (y + y2) * (x * y2 - x2 * y) / 3;
        ELSE
            size := sqrt(power(y - y2, 2) + power(x2 - x, 2) + power(x * y2 - x2 * y, 2));
            IF size > 0 THEN
                east := east + (y - y2) / size * atan2(size, 1 + x * x2 + y * y2);
                north := north + (x2 - x) / size * atan2(size, 1 + x * x2 + y * y2);
                up := up + (x * y2 - x2 * y) / size * atan2(size, 1 + x * x2 + y * y2);
            END IF;
        END IF;
        x := x2;
        y := y2;
    END LOOP;
    IF middle[3] < 0.005 THEN
        up := twice_area;
    END IF;
    IF up = 0 THEN
        RETURN middle[1 : 2];  -- without an extent
    END IF;
    x := east / up;
    y := north / up;
    RETURN functions.sky_point(
        middle[1] + degrees(atan2(x, cosd(middle[2]) - y * sind(middle[2]))),
        degrees(atan2(sind(middle[2]) + y * cosd(middle[2]), sqrt(x * x + power(cosd(middle[2]) - y * sind(middle[2]), 2))))
    );
END
$$;

CREATE OR REPLACE FUNCTION functions.region_from_text(kind text, written text) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    numbers double precision[];
    region double precision[];
BEGIN
    IF written IS NULL THEN
        RETURN NULL;
    END IF;
    numbers := regexp_split_to_array(btrim(written, E' \t\r\n'), '\s+');
    region := CASE
        WHEN kind = 'point' AND array_length(numbers, 1) = 2 THEN functions.sky_point(numbers[1], numbers[2])
        WHEN kind = 'circle' AND array_length(numbers, 1) = 3 THEN functions.sky_circle(numbers, numbers[3])
        WHEN kind = 'polygon' AND array_length(numbers, 1) % 2 = 0 THEN functions.sky_polygon(numbers)
    END;
    IF region IS NULL THEN
        RAISE EXCEPTION 'invalid input syntax for a %: "%"', kind, written USING ERRCODE = 'invalid_text_representation';
    END IF;
    RETURN region;
END
$$;

CREATE OR REPLACE FUNCTION functions.rotated_region(region double precision[], matrix double precision[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    turned double precision[] := region;
    place double precision[];
BEGIN
    FOR i IN 1 .. coalesce(array_length(region, 1), 0) / 2 LOOP
        place := functions.rotated_place(region[2 * i - 1], region[2 * i], matrix);
        turned[2 * i - 1] := place[1];
        turned[2 * i] := place[2];
    END LOOP;
    RETURN turned;
END
$$;

COMMENT ON FUNCTION functions.rotated_region(double precision[], double precision[]) IS 'A region in axes turned by a rotation matrix, row by row.';
COMMENT ON FUNCTION functions.longitude(double precision) IS 'A longitude between 0 (inclusive) and 360 degrees (exclusive).';
COMMENT ON FUNCTION functions.sky_point(double precision, double precision) IS 'A point; null for what is no place on the sky.';
COMMENT ON FUNCTION functions.sky_point(double precision[]) IS 'A point that is a place on the sky, or null.';
COMMENT ON FUNCTION functions.sky_circle(double precision, double precision, double precision) IS 'A circle; null for a radius below 0.';
COMMENT ON FUNCTION functions.sky_circle(double precision[], double precision) IS 'A circle around a point.';
COMMENT ON FUNCTION functions.separation(double precision, double precision, double precision, double precision) IS 'Angle between two places, degrees.';
COMMENT ON FUNCTION functions.separation(double precision[], double precision[]) IS 'Angle between two points or the centres of two circles, degrees.';
COMMENT ON FUNCTION functions.sky_box(double precision, double precision, double precision, double precision) IS
    'The polygon between great circles that meet the arms of a cross at right angles (ADQL 2.1 section 4.2.8); null unless both sizes lie between 0 and 180.';
COMMENT ON FUNCTION functions.sky_box(double precision[], double precision, double precision) IS 'A box around a point.';
COMMENT ON FUNCTION functions.polygon_middle(double precision[]) IS
    'A circle within a hemisphere that holds all vertices of a polygon: {lon, lat, radius}; null where there is none.';
COMMENT ON FUNCTION functions.outline_holds(polygon, double precision, double precision, double precision, double precision, double precision) IS
    'Whether a place lies within an outline drawn on the plane that touches the sphere at the middle.';
COMMENT ON FUNCTION functions.on_plane(double precision[], double precision[]) IS
    'A polygon on the plane that touches the sphere at the middle: {x1, y1, x2, y2, ...}, east and north in radii; null where a vertex is 90 degrees away.';
COMMENT ON FUNCTION functions.outline(double precision[], double precision) IS 'A polygon on a plane in the given unit, as PostgreSQL''s own type.';
COMMENT ON FUNCTION functions.twice_plane_area(double precision[]) IS 'Twice the area of a polygon on a plane; positive where vertices go from east to north.';
COMMENT ON FUNCTION functions.sky_polygon(double precision[]) IS 'A polygon: vertices counter-clockwise as seen from inside the sphere, none repeated.';
COMMENT ON FUNCTION functions.edge_separation(double precision[], double precision, double precision) IS 'Angle between a place and the border of a polygon, degrees.';
COMMENT ON FUNCTION functions.edges_cross(double precision[], double precision[]) IS 'Whether an edge of one polygon crosses one of the other.';
COMMENT ON FUNCTION functions.region_holds(double precision[], double precision, double precision) IS 'Whether a place lies within a region; its border counts.';
COMMENT ON FUNCTION functions.region_contains(double precision[], double precision[]) IS '1 if the first region lies within the second, else 0.';
COMMENT ON FUNCTION functions.region_intersects(double precision[], double precision[]) IS '1 if two regions have a place in common, else 0.';
COMMENT ON FUNCTION functions.region_area(double precision[]) IS 'Solid angle of a region, square degrees.';
COMMENT ON FUNCTION functions.region_centroid(double precision[]) IS 'The middle of a region: the direction of its mean position.';
COMMENT ON FUNCTION functions.region_from_text(text, text) IS 'A point, circle or polygon written as DALI numbers; an error for any other text.';
