"""astroquery's TapPlus, and astroquery.gaia pointed at our service: the words that its users know."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from requests import HTTPError

tap_plus = pytest.importorskip("astroquery.utils.tap.core", reason="needs astroquery (Python package astroquery)")

CLUSTER = SkyCoord(132.85, 11.81, unit="deg")
PENDING = ("PENDING", "QUEUED", "EXECUTING")


@pytest.fixture(scope="module")
def plus(tap: Any) -> Any:
    return tap_plus.TapPlus(url=tap.url)


@pytest.fixture(scope="module")
def gaia(tap: Any) -> Any:
    """astroquery.gaia with our address in place of the archive's."""
    from astroquery.gaia import GaiaClass
    from astroquery.utils.tap.conn.tapconn import TapConn

    place = urlsplit(tap.url)
    connection = TapConn(ishttps=False, host=place.hostname, port=place.port, tap_context="tap", datalink_context="datalink")
    return GaiaClass(
        tap_plus_conn_handler=connection, datalink_handler=tap_plus.TapPlus(connhandler=connection), show_server_messages=False
    )


def near_cluster(tap: Any, degrees: float) -> list[int]:
    query = f"SELECT source_id FROM gaiadr3.gaia_source WHERE oracle.separation(ra, dec, 132.85, 11.81) <= {degrees} ORDER BY oracle.separation(ra, dec, 132.85, 11.81)"
    found = [row[0] for row in tap.sql(query)]
    assert len(found) > 3
    return found


def test_load_tables_gives_every_table_with_its_columns(plus: Any, tap: Any) -> None:
    tables = {table.name: table for table in plus.load_tables()}
    assert sorted(tables) == sorted(name for (name,) in tap.sql("SELECT table_name FROM tap_schema.tables"))
    source = tables["gaiadr3.gaia_source"]
    columns = {column.name: column for column in source.columns}
    assert (columns["parallax"].unit, columns["parallax"].ucd) == ("mas", "pos.parallax.trig")
    assert source.description


def test_load_table_gives_that_table(plus: Any) -> None:
    table = plus.load_table("surveys.lamost")
    assert table.name == "surveys.lamost"
    assert {column.name for column in table.columns} >= {"teff", "logg", "source_id"}
    with pytest.raises(HTTPError, match=r"surveys\.lamosst"):
        plus.load_table("surveys.lamosst")


@pytest.mark.parametrize("output_format", ["votable", "votable_plain", "votable_gzip", "csv"])
def test_launch_job_gives_the_rows_in_every_format(plus: Any, tap: Any, output_format: str) -> None:
    job = plus.launch_job("SELECT source_id, ra FROM gaiadr3.gaia_source ORDER BY source_id", output_format=output_format)
    table = job.get_results()
    assert job.get_phase() == "COMPLETED"
    stored = tap.sql("SELECT source_id, ra FROM gaiadr3.gaia_source ORDER BY source_id")
    np.testing.assert_array_equal(table["source_id"], [row[0] for row in stored])
    np.testing.assert_array_equal(table["ra"], [row[1] for row in stored])


@pytest.mark.parametrize(
    "query",
    [
        "SELECT DISTINCT survey FROM surveys.survey_labels",
        "select\n  source_id from gaiadr3.gaia_source",
        "SELECT TOP 7 source_id FROM gaiadr3.gaia_source",
        "SELECT ALL ra FROM gaiadr3.gaia_source",
    ],
)
def test_a_query_survives_the_top_that_launch_job_writes_into_it(plus: Any, query: str) -> None:
    assert len(plus.launch_job(query).get_results()) >= 3


def test_maxrec_cuts(plus: Any) -> None:
    assert len(plus.launch_job("SELECT source_id FROM gaiadr3.gaia_source", maxrec=4).get_results()) == 4


@pytest.mark.parametrize("way", ["launch_job", "launch_job_async"])
def test_an_error_arrives_in_the_services_own_words(plus: Any, way: str) -> None:
    with pytest.raises((HTTPError, SystemError), match="did you mean parallax"):
        getattr(plus, way)("SELECT paralax FROM gaiadr3.gaia_source")


@pytest.mark.parametrize("output_format", ["votable", "votable_gzip", "csv"])
def test_launch_job_async_gives_the_rows(plus: Any, tap: Any, output_format: str) -> None:
    job = plus.launch_job_async("SELECT source_id FROM gaiadr3.gaia_source ORDER BY source_id", output_format=output_format, name="mine")
    assert job.get_phase(update=True) == "COMPLETED"
    np.testing.assert_array_equal(
        job.get_results()["source_id"], [row[0] for row in tap.sql("SELECT source_id FROM gaiadr3.gaia_source ORDER BY 1")]
    )


def test_results_are_written_to_a_file(plus: Any, tmp_path: Path) -> None:
    for way in ("launch_job", "launch_job_async"):
        path = tmp_path / f"{way}.csv"
        getattr(plus, way)("SELECT TOP 9 source_id FROM gaiadr3.gaia_source", dump_to_file=True, output_file=str(path), output_format="csv")
        assert len(Table.read(path)) == 9


def test_a_job_in_the_background_is_listed_loaded_and_removed(plus: Any) -> None:
    job = plus.launch_job_async("SELECT TOP 3 source_id, ra FROM gaiadr3.gaia_source", background=True)
    assert job.jobid in {each.jobid for each in plus.list_async_jobs()}
    deadline = time.monotonic() + 30
    while job.get_phase(update=True) in PENDING and time.monotonic() < deadline:
        time.sleep(0.1)
    again = plus.load_async_job(jobid=job.jobid)
    assert again.get_phase() == "COMPLETED"
    assert len(again.get_results()) == 3
    # remove_jobs goes by an address of the archive's own (/deletejobs), which is not TAP.
    with pytest.raises(HTTPError):
        plus.remove_jobs([job.jobid])
    requests.delete(job.remoteLocation, timeout=30)
    assert job.jobid not in {each.jobid for each in plus.list_async_jobs()}


def test_abort_aborts_though_it_raises(plus: Any) -> None:
    """astroquery wants 200 where UWS has 303."""
    job = plus.launch_job_async("SELECT TOP 3 source_id FROM gaiadr3.gaia_source", autorun=False)
    with pytest.raises(HTTPError):
        job.abort()
    assert job.get_phase(update=True) == "ABORTED"


def test_a_job_without_autorun_waits_to_be_started(plus: Any) -> None:
    job = plus.launch_job_async("SELECT TOP 3 source_id FROM gaiadr3.gaia_source", autorun=False)
    assert job.get_phase(update=True) == "PENDING"
    job.start()
    assert len(job.get_results()) == 3


@pytest.mark.parametrize("way", ["launch_job", "launch_job_async"])
@pytest.mark.parametrize("kind", ["table", "file"])
def test_an_uploaded_table_is_joined(plus: Any, tap: Any, tmp_path: Path, way: str, kind: str) -> None:
    rows = tap.sql("SELECT source_id, ra, dec FROM gaiadr3.gaia_source ORDER BY source_id LIMIT 20")
    mine: Any = Table({"id": [row[0] for row in rows], "ra": [row[1] for row in rows], "dec": [row[2] for row in rows]})
    if kind == "file":
        mine.write(tmp_path / "mine.vot", format="votable")
        mine = str(tmp_path / "mine.vot")
    query = "SELECT m.id, g.source_id FROM tap_upload.mine AS m JOIN gaiadr3.gaia_source AS g ON g.source_id = m.id"
    table = getattr(plus, way)(query, upload_resource=mine, upload_table_name="mine").get_results()
    assert sorted(table["id"]) == [row[0] for row in rows]
    np.testing.assert_array_equal(table["id"], table["source_id"])


def test_gaia_cone_search(gaia: Any, tap: Any) -> None:
    for way in ("cone_search", "cone_search_async"):
        gaia.ROW_LIMIT = -1
        table = getattr(gaia, way)(CLUSTER, radius=5 * u.deg).get_results()
        assert list(table["source_id"]) == near_cluster(tap, 5)
        assert np.all(np.diff(table["dist"]) >= 0)
        assert str(table["parallax"].unit) == "mas"


def test_gaia_cone_search_with_columns_and_a_limit(gaia: Any, tap: Any) -> None:
    gaia.ROW_LIMIT = 3
    table = gaia.cone_search(CLUSTER, radius=5 * u.deg, columns=("source_id", "ra", "dec")).get_results()
    assert table.colnames == ["source_id", "ra", "dec", "dist"]
    assert list(table["source_id"]) == near_cluster(tap, 5)[:3]


def test_gaia_query_object_by_a_box(gaia: Any) -> None:
    gaia.ROW_LIMIT = -1
    for way in ("query_object", "query_object_async"):
        table = getattr(gaia, way)(CLUSTER, width=4 * u.deg, height=4 * u.deg)
        assert len(table) >= 3
        assert np.all(np.abs(table["dec"] - 11.81) < 2.01)


def test_gaia_query_object_by_a_radius(gaia: Any, tap: Any) -> None:
    gaia.ROW_LIMIT = -1
    assert list(gaia.query_object(CLUSTER, radius=2 * u.deg)["source_id"]) == near_cluster(tap, 2)


def test_gaia_cross_match_basic(gaia: Any, tap: Any) -> None:
    job = gaia.cross_match_basic(
        table_a_full_qualified_name="gaiadr1.tmass_original_valid", table_a_column_ra="ra", table_a_column_dec="dec", radius=1.0
    )
    table = job.get_results()
    query = "SELECT count(*) FROM gaiadr1.tmass_original_valid AS a JOIN gaiadr3.gaia_source AS b ON oracle.separation(a.ra, a.dec, b.ra, b.dec) < 1 / 3600.0"
    assert [(len(table),)] == tap.sql(query)
    assert np.all(table["separation"] < 1 / 3600)


def test_gaia_launch_job_by_its_own_default_format(gaia: Any) -> None:
    assert len(gaia.launch_job("SELECT TOP 5 source_id FROM gaiadr3.gaia_source").get_results()) == 5
    assert len(gaia.launch_job_async("SELECT TOP 5 source_id FROM gaiadr3.gaia_source").get_results()) == 5
