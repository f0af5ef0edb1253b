"""Joins of a region with a union of tables: the union is read by the region's ranges, and gives the same rows."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import healpy as hp
import numpy as np
import psycopg
import pytest

from catalog.database import Database
from catalog.publish import pinned_publication
from catalog.schema.column import Position
from tap_service.adql import translate
from tap_service.publication_tables import TableCache
from tap_service.table_set import TableSet, TapColumn, TapTable

STARS = TapTable(
    "sky", "stars", None, (TapColumn("source_id", "long"), TapColumn("ra", "double"), TapColumn("dec", "double"), TapColumn("mag", "float")),
    permanent="sky__p0007", position=Position(), padding=5.5 / 3600, displaced=(17, 18),
)  # fmt: skip
ALL_LABELS = TapTable(
    "sky", "all_labels", None, (TapColumn("source_id", "long"), TapColumn("survey", "char", "*")), permanent="sky__p0007", is_union=True
)
UNION = TableSet(7, (STARS, ALL_LABELS))
PLAIN = TableSet(7, (STARS, replace(ALL_LABELS, is_union=False)))
CONE = "DISTANCE(s.ra, s.dec, 10, 20) < 1"

CASES = {
    "using": f"SELECT source_id, s.mag, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id) WHERE {CONE}",
    "on, turned": f"SELECT s.source_id, l.survey FROM sky.all_labels AS l JOIN sky.stars AS s ON l.source_id = s.source_id WHERE {CONE}",
    "natural": f"SELECT source_id, survey FROM sky.stars AS s NATURAL JOIN sky.all_labels WHERE {CONE}",
    "in WHERE": f"SELECT s.source_id, l.survey FROM sky.stars AS s, sky.all_labels AS l WHERE s.source_id = l.source_id AND {CONE}",
    "left join": f"SELECT s.source_id, l.survey FROM sky.stars AS s LEFT JOIN sky.all_labels AS l ON s.source_id = l.source_id WHERE {CONE}",
    "left join from the union": f"SELECT l.source_id, s.mag FROM sky.all_labels AS l LEFT JOIN sky.stars AS s USING (source_id) WHERE {CONE}",
    "right join": f"SELECT l.source_id, s.mag FROM sky.stars AS s RIGHT JOIN sky.all_labels AS l ON s.source_id = l.source_id WHERE {CONE}",
    "list": "SELECT s.mag, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id) WHERE s.source_id IN (17, 18, 19, 20)",
    "polygon": "SELECT s.mag, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id) WHERE 1 = CONTAINS(POINT(s.ra, s.dec), POLYGON(9, 19, 11, 19, 10, 21))",
    "three": f"SELECT s.mag, l.survey, m.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id) LEFT JOIN sky.all_labels AS m ON s.source_id = m.source_id AND m.survey < l.survey WHERE {CONE}",
    "grouped": f"SELECT l.survey, COUNT(*) FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id) WHERE {CONE} GROUP BY l.survey",
    "neighbours": f"SELECT t.source_id, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id), sky.stars AS t WHERE {CONE} AND DISTANCE(s.ra, s.dec, t.ra, t.dec) < 0.1",
    "exists": f"SELECT s.source_id FROM sky.stars AS s WHERE {CONE} AND EXISTS (SELECT 1 FROM sky.all_labels AS l WHERE l.source_id = s.source_id)",
}  # fmt: skip
UNCHANGED = {
    "full join": f"SELECT s.source_id, l.survey FROM sky.stars AS s FULL JOIN sky.all_labels AS l ON s.source_id = l.source_id WHERE {CONE}",
    "either": f"SELECT s.source_id, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id) WHERE {CONE} OR s.mag < 9",
    "negated list": "SELECT s.mag, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id) WHERE s.source_id NOT IN (17, 18)",
    "below": f"SELECT s.source_id, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l ON s.source_id < l.source_id WHERE {CONE}",
    "all of it": "SELECT s.mag, l.survey FROM sky.stars AS s JOIN sky.all_labels AS l USING (source_id)",
}


@pytest.fixture(scope="module")
def sky(catalogue: Database) -> Iterator[psycopg.Connection[Any]]:
    rng = np.random.default_rng(3)
    ra, dec = rng.normal(10, 1, 400), rng.normal(20, 1, 400)
    ids = (hp.ang2pix(4096, ra, dec, nest=True, lonlat=True).astype(np.int64) << 35) + np.arange(400)
    ids[:2] = 17, 18
    with catalogue.connect(None, autocommit=True) as connection:
        connection.execute("""
            CREATE SCHEMA sky__p0007;
            CREATE TABLE sky__p0007.stars (source_id bigint PRIMARY KEY, ra double precision, dec double precision, mag real);
            CREATE TABLE sky__p0007.a (source_id bigint, survey text);
            CREATE VIEW sky__p0007.all_labels AS SELECT source_id, survey FROM sky__p0007.a UNION ALL SELECT source_id + 0, 'b' FROM sky__p0007.a;
        """)
        with connection.cursor() as cursor:
            rows = zip(ids.tolist(), ra.tolist(), dec.tolist(), rng.integers(8, 12, 400).tolist(), strict=True)
            cursor.executemany("INSERT INTO sky__p0007.stars VALUES (%s, %s, %s, %s)", list(rows))
            labelled = [*ids[::2].tolist(), *ids[:20].tolist(), 5, None]
            cursor.executemany("INSERT INTO sky__p0007.a VALUES (%s, 'a')", [(one,) for one in labelled])
        yield connection


def rows(connection: psycopg.Connection[Any], text: str, tables: TableSet) -> list[str]:
    return sorted(map(str, connection.execute(translate(text, tables).statement).fetchall()))


@pytest.mark.parametrize("query", [*CASES.values(), *UNCHANGED.values()], ids=[*CASES, *UNCHANGED])
def test_the_rows_are_those_of_the_query_as_it_is_written(sky: psycopg.Connection[Any], query: str) -> None:
    expected = rows(sky, query, PLAIN)
    assert expected
    assert rows(sky, query, UNION) == expected


@pytest.mark.parametrize("query", [query for name, query in CASES.items() if name != "exists"])
def test_the_union_gets_the_ranges(query: str) -> None:
    with_ranges, without = (translate(query, tables).statement.as_string(None) for tables in (UNION, PLAIN))
    assert with_ranges.count(" BETWEEN ") + with_ranges.count(" ANY ") > without.count(" BETWEEN ") + without.count(" ANY ")


@pytest.mark.parametrize("query", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_where_nothing_is_implied_nothing_is_added(query: str) -> None:
    assert translate(query, UNION).statement.as_string(None) == translate(query, PLAIN).statement.as_string(None)


def test_the_ranges_reach_the_links_of_every_survey(catalogue: Database) -> None:
    query = "SELECT s.teff FROM gaiadr3.gaia_source AS g JOIN surveys.survey_labels AS s USING (source_id) WHERE DISTANCE(g.ra, g.dec, 10, 20) < 0.1"
    with catalogue.connect(None, autocommit=True) as connection:
        with pinned_publication(connection) as publication:
            tables, _ = TableCache().table_set(connection, publication)
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + translate(query, tables).statement.as_string(connection)))
    parts = plan.split("Subquery Scan")[1:]
    assert len(parts) == 6
    assert all("survey_link" in part and "source_id >=" in part for part in parts)
