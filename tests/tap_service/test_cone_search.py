"""Simple Cone Search: parameters, columns, limits and errors as SCS 1.03 and DALI want them."""

import time
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from psycopg.rows import scalar_row

from catalog.database import Role
from catalog.publish import pinned_publication
from catalog.schema.column import Position
from tap_service.adql import translate
from tap_service.cone_search import cone_query, read_cone
from tap_service.errors import ParameterError
from tap_service.limits import Limits
from tap_service.publication_tables import TableCache
from tap_service.table_set import TapColumn, TapTable

VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"
STARS = TapTable(
    "gaiadr3",
    "gaia_source",
    None,
    (
        TapColumn("source_id", "long", ucd="meta.id;meta.main"),
        TapColumn("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main"),
        TapColumn("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main"),
        TapColumn("ruwe", "float"),
        TapColumn("solution_id", "long", principal=False),
    ),
    position=Position(),
)
CONE = [("RA", "45"), ("DEC", "10"), ("SR", "1")]
WHERE = 'DISTANCE("ra", "dec", 45.0, 10.0) <= 1.0'

READ: dict[str, tuple[list[tuple[str, str]], str]] = {
    "a_cone": (CONE, f'SELECT "source_id", "ra", "dec", "ruwe" FROM gaiadr3.gaia_source WHERE {WHERE}'),
    "the_least": ([*CONE, ("VERB", "1")], f'SELECT "source_id", "ra", "dec" FROM gaiadr3.gaia_source WHERE {WHERE}'),
    "all_columns": ([*CONE, ("verb", "3")], f'SELECT "source_id", "ra", "dec", "ruwe", "solution_id" FROM gaiadr3.gaia_source WHERE {WHERE}'),
    "names_in_small_letters": ([("ra", "45"), ("Dec", "10"), ("sr", "1"), ("VERB", "1")], f'SELECT "source_id", "ra", "dec" FROM gaiadr3.gaia_source WHERE {WHERE}'),
    "names_that_nobody_knows": ([*CONE, ("VERB", "1"), ("CATALOG", "x"), ("catalog", "y")], f'SELECT "source_id", "ra", "dec" FROM gaiadr3.gaia_source WHERE {WHERE}'),
    "no_radius": ([("RA", "45"), ("DEC", "10"), ("SR", "0"), ("VERB", "1")], 'SELECT "source_id", "ra", "dec" FROM gaiadr3.gaia_source WHERE 1 = 0'),
    "the_columns_alone": ([("MAXREC", "0"), ("VERB", "1")], 'SELECT "source_id", "ra", "dec" FROM gaiadr3.gaia_source WHERE 1 = 0'),
    "an_angle_below_zero": (
        [("RA", "-15"), ("DEC", "-1e-3"), ("SR", ".5"), ("VERB", "1")],
        'SELECT "source_id", "ra", "dec" FROM gaiadr3.gaia_source WHERE DISTANCE("ra", "dec", 345.0, -0.001) <= 0.5',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_a_cone_is_a_query(case: str) -> None:
    pairs, query = READ[case]
    assert read_cone(pairs, STARS).query == query


WRONG: dict[str, tuple[list[tuple[str, str]], str]] = {
    "nothing": ([], "RA and DEC and SR missing"),
    "no_radius": (CONE[:2], "SR missing"),
    "an_empty_value": ([("RA", ""), *CONE[1:]], "RA missing"),
    "a_word": ([("RA", "12h"), *CONE[1:]], "RA=12h is not a number of degrees"),
    "not_a_number": ([("RA", "nan"), *CONE[1:]], "RA=nan is not a number"),
    "infinity": ([*CONE[:2], ("SR", "inf")], "SR=inf is not a number"),
    "beyond_the_pole": ([("RA", "1"), ("DEC", "90.1"), ("SR", "1")], "DEC=90.1 is not between -90 and 90"),
    "a_radius_below_zero": ([*CONE[:2], ("SR", "-1")], "SR=-1 is not between 0 and 180"),
    "more_than_the_sky": ([*CONE[:2], ("SR", "180.5")], "SR=180.5 is not between 0 and 180"),
    "a_value_twice": ([*CONE, ("ra", "46")], "RA stands more than once"),
    "a_verb_that_is_none": ([*CONE, ("VERB", "4")], "VERB=4 is not 1"),
    "a_maxrec_that_is_none": ([*CONE, ("MAXREC", "x")], "MAXREC=x is not a whole number"),
    "a_format_that_is_none": ([*CONE, ("RESPONSEFORMAT", "docx")], "'docx' is not offered"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_parameter_is_named(case: str) -> None:
    pairs, message = WRONG[case]
    with pytest.raises(ParameterError, match=message):
        read_cone(pairs, STARS)


def test_a_name_in_quotes_stays_in_quotes() -> None:
    assert cone_query(STARS, None, [TapColumn("distance", "float")]) == 'SELECT "distance" FROM gaiadr3.gaia_source WHERE 1 = 0'


def cone(service: Any, table: str = "gaiadr3.gaia_source", **parameters: Any) -> httpx.Response:
    return httpx.get(f"{service.url.removesuffix('/tap')}/scs/{table}", params=parameters, timeout=30)


def cells(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return [[cell.text or "" for cell in row] for row in ET.fromstring(answer.content).iter(f"{VOTABLE}TR")]


def infos(answer: httpx.Response) -> list[tuple[str | None, str | None]]:
    return [(info.get("name"), info.get("value")) for info in ET.fromstring(answer.content).iter(f"{VOTABLE}INFO")]


def test_the_rows_are_those_within_the_radius(service: Any) -> None:
    query = """
        SELECT source_id::text FROM gaiadr3.gaia_source
        WHERE degrees(acos(sin(radians(dec)) * sin(radians(10)) + cos(radians(dec)) * cos(radians(10)) * cos(radians(ra - 45)))) <= 1"""
    with service.database.connect(Role.TAP_READER) as connection, connection.cursor(row_factory=scalar_row) as cursor:
        expected = cursor.execute(query).fetchall()
    answer = cone(service, RA=45, DEC=10, SR=1, VERB=1)
    assert len(expected) > 100
    assert {row[0] for row in cells(answer)} == set(expected)
    assert answer.headers["content-type"] == "application/x-votable+xml;serialization=TABLEDATA"
    assert ("QUERY_STATUS", "OK") in infos(answer)
    assert ("standardID", "ivo://ivoa.net/std/ConeSearch") in infos(answer)
    assert len(cells(cone(service, RA=45, DEC=10, SR=180, MAXREC=10**6, VERB=1))) == 4000


def test_identifier_and_position_are_marked_once(service: Any) -> None:
    for verb in (1, 2, 3):
        fields = list(ET.fromstring(cone(service, RA=45, DEC=10, SR=1, VERB=verb).content).iter(f"{VOTABLE}FIELD"))
        marked = {str(field.get("ucd")): field.get("name") for field in fields if str(field.get("ucd")).isupper()}
        assert marked == {"ID_MAIN": "source_id", "POS_EQ_RA_MAIN": "ra", "POS_EQ_DEC_MAIN": "dec"}
        assert len(fields) == {1: 3, 2: 52, 3: 66}[verb]


def test_no_radius_gives_columns_without_a_word_of_a_limit(service: Any) -> None:
    answer = cone(service, RA=45, DEC=10, SR=0)
    assert cells(answer) == []
    assert [value for name, value in infos(answer) if name == "QUERY_STATUS"] == ["OK"]
    assert len(list(ET.fromstring(answer.content).iter(f"{VOTABLE}FIELD"))) == 52


def test_a_cut_announces_itself(service: Any) -> None:
    answer = cone(service, RA=45, DEC=10, SR=2, MAXREC=7)
    assert len(cells(answer)) == 7
    assert [value for name, value in infos(answer) if name == "QUERY_STATUS"] == ["OK", "OVERFLOW"]
    assert [value for name, value in infos(cone(service, MAXREC=0)) if name == "QUERY_STATUS"] == ["OK", "OVERFLOW"]


def test_a_wrong_cone_is_answered_in_both_ways(service: Any) -> None:
    answer = cone(service, RA="x", DEC=10, SR=1)
    message = "RA=x is not a number of degrees, such as RA=10.5."
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-votable+xml")
    assert infos(answer) == [("QUERY_STATUS", "ERROR"), ("Error", message)]
    assert f'value="ERROR">{message}</INFO>' in answer.text


def test_a_full_service_says_so_in_its_status(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(concurrent_queries=1, wait_seconds=0.0)) as service:
        answer = cone(service, RA=45, DEC=10, SR=1)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_post_and_other_formats(service: Any) -> None:
    url = f"{service.url.removesuffix('/tap')}/scs/gaiadr3.gaia_source"
    posted = httpx.post(url, data={"RA": 45, "DEC": 10, "SR": 1, "VERB": 1, "RESPONSEFORMAT": "csv"})
    assert posted.headers["content-type"] == "text/csv;header=present"
    assert len(posted.text.splitlines()) == len(cells(cone(service, RA=45, DEC=10, SR=1))) + 1


def test_head_never_runs_a_cone(service: Any) -> None:
    answer = httpx.head(f"{service.url.removesuffix('/tap')}/scs/gaiadr3.gaia_source", params={"RA": 45, "DEC": 10, "SR": 1})
    assert answer.status_code == 405


def test_a_client_that_leaves_ends_its_cone(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(block_rows=1)) as service:
        url = f"{service.url.removesuffix('/tap')}/scs/gaiadr3.gaia_source"
        with httpx.stream("GET", url, params={"RA": 45, "DEC": 10, "SR": 180, "VERB": 3}) as answer:
            next(answer.iter_bytes())
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'"
        with service.database.connect(Role.OWNER, autocommit=True) as connection:
            until = time.monotonic() + 5
            while (row := connection.execute(query).fetchone()) != (0,):
                assert time.monotonic() < until, f"{row} cones still run"
                time.sleep(0.02)


def test_each_table_with_positions_has_its_cone_search(service: Any) -> None:
    with service.database.connect(Role.TAP_READER) as connection:
        names = [
            row[0] for row in connection.execute("SELECT table_name FROM tap_schema.columns WHERE ucd = 'pos.eq.ra;meta.main'").fetchall()
        ]
    assert len(names) > 15
    for name in names:
        answer = cone(service, name, RA=45, DEC=10, SR=0.5, VERB=1)
        marked = [field.get("ucd") for field in ET.fromstring(answer.content).iter(f"{VOTABLE}FIELD")]
        assert [marked.count(mark) for mark in ("ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN")] == [1, 1, 1], name


def test_a_cone_on_a_survey_goes_through_the_index_of_its_own_positions(service: Any) -> None:
    with service.database.connect(Role.TAP_SERVICE, autocommit=True) as connection, pinned_publication(connection) as publication:
        tables, _ = TableCache().table_set(connection, publication)
        for schema in ("surveys", "surveys_dr3"):
            translation = translate(f"SELECT ra FROM {schema}.apogee WHERE DISTANCE(ra, dec, 45, 10) < 0.1", tables)
            assert '"position_key" BETWEEN' in translation.statement.as_string(connection)
            assert tables.find("apogee", schema)[0].padding == 0


def test_a_cone_search_tells_of_itself(service: Any) -> None:
    base = f"{service.url.removesuffix('/tap')}/scs/gaiadr3.gaia_source"
    root = ET.fromstring(httpx.get(f"{base}/capabilities").content)
    [found] = [capability for capability in root if capability.get("standardID") == "ivo://ivoa.net/std/ConeSearch"]
    assert found.findtext("interface/accessURL") == base
    assert (found.findtext("maxSR"), found.findtext("verbosity"), found.findtext("maxRecords")) == ("180", "true", "20000000")
    test = {element.tag.upper(): element.text for element in found.find("testQuery") or []}
    assert httpx.get(base, params=test).status_code == 200
    for url in [element.text for element in root.iter("accessURL")][1:]:
        assert httpx.get(str(url)).status_code == 200
