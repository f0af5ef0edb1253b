"""Everything that pyvo can do with a TAP service, a cone search and DataLink, done with ours."""

import re
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pyvo
from astropy.coordinates import SkyCoord
from astropy.table import Table
from pyvo.dal import DALQueryError, DALServiceError, TAPService
from pyvo.dal.exceptions import DALOverflowWarning

STARS = "SELECT source_id, ra, dec, parallax FROM gaiadr3.gaia_source"
ENDLESS = "SELECT COUNT(*) AS n FROM gaiadr3.gaia_source AS a, gaiadr3.gaia_source AS b, gaiadr3.gaia_source AS c, gaiadr3.gaia_source AS d WHERE a.ra + b.ra + c.ra + d.ra < 0"


@pytest.fixture(scope="module")
def service(tap: Any) -> TAPService:
    return TAPService(tap.url)


@pytest.fixture
def upload(tap: Any) -> Table:
    """Fifty stars of the catalogue, last ones first, with a name and a place of their own."""
    rows = tap.sql("SELECT source_id, ra, dec FROM gaiadr3.gaia_source ORDER BY source_id DESC LIMIT 50")
    source_id, ra, dec = zip(*rows, strict=True)
    return Table({"name": [f"star {i}" for i in range(50)], "source_id": source_id, "ra": ra, "dec": dec})


def test_capabilities_give_limits_languages_and_ways_of_upload(service: TAPService) -> None:
    assert (service.maxrec, service.hardlimit) == (1_000_000, 20_000_000)
    capability = service.get_tap_capability()
    adql = capability.get_adql()
    assert sorted(version.content for version in adql.versions) == ["2.0", "2.1"]
    assert {feature.form for feature in adql.get_feature_list("ivo://ivoa.net/std/tapregext#features-adqlgeo")} >= {
        "POINT",
        "CIRCLE",
        "DISTANCE",
        "CONTAINS",
    }
    assert {method.ivo_id.rpartition("#")[2] for method in service.upload_methods} >= {"upload-inline", "upload-http"}
    assert service.available
    assert service.up_since


def test_user_defined_functions_are_declared_with_their_signatures(service: TAPService) -> None:
    functions = service.get_tap_capability().get_adql().get_udf
    for name in ("ivo_healpix_index", "ivo_epoch_prop_pos", "gaia_healpix_index", "kiel_flag"):
        assert functions(name).form.lower().startswith(name + "(")


def test_tables_come_by_name_and_their_columns_when_they_are_looked_at(service: TAPService, tap: Any) -> None:
    fresh = TAPService(tap.url)
    assert sorted(fresh.tables.keys()) == sorted(name for (name,) in tap.sql("SELECT table_name FROM tap_schema.tables"))
    table = fresh.tables["gaiadr3.gaia_source"]
    by_name = {column.name: column for column in table.columns}
    assert by_name["parallax"].unit == "mas"
    assert by_name["ra"].ucd == "pos.eq.ra;meta.main"
    assert by_name["source_id"].datatype.content == "long"
    assert table.description
    table.describe()


def test_examples_can_be_read_and_each_gives_an_answer(service: TAPService) -> None:
    assert len(service.examples) >= 10
    for example in service.examples:
        example.execute()


def test_run_sync_gives_rows_with_units_and_ucds(service: TAPService, tap: Any) -> None:
    result = service.run_sync(STARS + " ORDER BY source_id")
    np.testing.assert_array_equal(result["source_id"], [row[0] for row in tap.sql(STARS + " ORDER BY source_id")])
    assert result.fieldnames == ("source_id", "ra", "dec", "parallax")
    assert str(result.to_qtable()["parallax"].unit) == "mas"
    assert result.getdesc("source_id").ucd == "meta.id;meta.main"
    assert result.fieldname_with_ucd("pos.eq.ra") == "ra"
    assert result.query_status == "OK"


def test_a_cut_by_the_service_warns_and_one_that_was_asked_for_does_not(service: TAPService) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DALOverflowWarning)
        result = service.search(STARS, maxrec=5)
        assert (len(result), result.query_status) == (5, "OVERFLOW")
        assert len(service.search(STARS)) == 800


@pytest.mark.parametrize(("query", "says"), [
    ("SELECT paralax FROM gaiadr3.gaia_source", r"did you mean parallax(.|\n)*line 1, column 8"),
    ("SELECT TOP 5 * FROM gaiadr3.gaia_sauce", r"did you mean gaiadr3\.gaia_source"),
    ("SELECT 1/(source_id - source_id) AS x FROM gaiadr3.gaia_source", "division by zero"),
])  # fmt: skip
def test_errors_arrive_as_the_services_own_words(service: TAPService, query: str, says: str) -> None:
    with pytest.raises(DALQueryError, match=says):
        service.run_sync(query)
    with pytest.raises(DALQueryError, match=says):
        service.run_async(query)


def test_run_async_gives_the_rows_of_run_sync_and_leaves_no_job(service: TAPService) -> None:
    query = STARS + " WHERE parallax > 1 ORDER BY source_id"
    before = {job.jobid for job in service.get_job_list()}
    sync, later = service.run_sync(query), service.run_async(query)
    assert len(sync) > 10
    for name in sync.fieldnames:
        np.testing.assert_array_equal(sync[name], later[name])
    assert {job.jobid for job in service.get_job_list()} <= before


def test_a_job_is_submitted_changed_run_waited_for_read_and_deleted(service: TAPService) -> None:
    job = service.submit_job("SELECT nonsense", maxrec=7)
    assert job.phase == "PENDING"
    assert job.uws_version == "1.1"
    assert job.query == "SELECT nonsense"
    job.query = STARS
    assert job.query == STARS
    job.execution_duration = 17
    assert job.execution_duration.to_value("s") == 17
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None)
    job.destruction = tomorrow
    assert abs((job.destruction.to_datetime() - tomorrow).total_seconds()) < 2
    assert [parameter.content for parameter in job.job.parameters if parameter.id_.upper() == "MAXREC"] == ["7"]
    job.run()
    job.wait(timeout=60)
    assert job.phase == "COMPLETED"
    assert job.result_uri.startswith(job.url)
    assert job.result_uri.endswith("results/result")
    result = job.fetch_result()
    assert (len(result), result.query_status) == (7, "OVERFLOW")
    url = job.url
    job.delete()
    assert httpx.get(url, trust_env=False).status_code == 404


def test_a_job_is_found_again_by_its_number_and_in_the_list(service: TAPService) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    with service.submit_job(STARS) as job:
        job.run().wait(timeout=60)
        assert service.get_job(job.job_id).jobid == job.job_id
        listed = service.get_job_list(phases=["COMPLETED", "ERROR"], after=began.replace(tzinfo=None), last=5)
        assert job.job_id in {each.jobid for each in listed}
        assert {each.phase for each in listed} <= {"COMPLETED", "ERROR"}
        assert len(service.get_job_list(last=1)) == 1
        assert job.job_id not in {each.jobid for each in service.get_job_list(phases=["PENDING"])}


def test_a_job_that_runs_is_aborted_at_once(service: TAPService, tap: Any) -> None:
    with service.submit_job(ENDLESS) as job:
        job.run()
        deadline = time.monotonic() + 20
        while job.phase != "EXECUTING" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert job.phase == "EXECUTING"
        job.abort()
        assert job.phase == "ABORTED"
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and _running(tap):
            time.sleep(0.05)
        assert not _running(tap)


def _running(tap: Any) -> int:
    [[count]] = tap.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'"
    )
    return int(count)


def test_a_job_that_takes_longer_than_it_may_ends_with_a_reason(service: TAPService) -> None:
    with service.submit_job(ENDLESS) as job:
        job.execution_duration = 1
        job.run()
        with pytest.raises((DALQueryError, DALServiceError)):
            job.wait(phases={"COMPLETED", "ERROR"}, timeout=30)
            job.raise_if_error()
        assert job.phase in ("ABORTED", "ERROR")
        assert "1 s" in str(job.job.errorsummary.message.content)


def test_a_failed_job_says_why(service: TAPService) -> None:
    with service.submit_job("SELECT nothing FROM gaiadr3.gaia_source") as job:
        job.run().wait(timeout=60)
        assert job.phase == "ERROR"
        with pytest.raises(DALQueryError, match="there is no column nothing"):
            job.raise_if_error()
        with pytest.raises(DALQueryError, match="there is no column nothing"):
            job.fetch_result()


def test_waiting_costs_no_more_than_the_job(service: TAPService) -> None:
    job = service.submit_job("SELECT TOP 1 source_id FROM gaiadr3.gaia_source").run()
    began = time.monotonic()
    job.wait(timeout=60)
    assert time.monotonic() - began < 5
    job.delete()


@pytest.mark.parametrize("way", ["run_sync", "run_async"])
def test_an_uploaded_table_is_joined(service: TAPService, upload: Table, way: str) -> None:
    query = "SELECT u.name, g.source_id, g.parallax FROM TAP_UPLOAD.mine AS u JOIN gaiadr3.gaia_source AS g ON g.source_id = u.source_id"
    result = getattr(service, way)(query, uploads={"mine": upload})
    assert dict(zip(map(str, result["name"]), result["source_id"], strict=True)) == dict(
        zip(upload["name"], upload["source_id"], strict=True)
    )


def test_an_uploaded_table_is_joined_on_position(service: TAPService, upload: Table) -> None:
    query = (
        "SELECT u.name, g.source_id, DISTANCE(u.ra, u.dec, g.ra, g.dec) * 3600 AS arcsec FROM TAP_UPLOAD.mine AS u "
        "JOIN gaiadr3.gaia_source AS g ON DISTANCE(u.ra, u.dec, g.ra, g.dec) < 1.0/3600"
    )
    result = service.run_sync(query, uploads={"mine": upload})
    assert set(result["source_id"]) >= set(upload["source_id"])
    assert max(result["arcsec"]) < 1


def test_stars_without_a_match_come_with_nulls(service: TAPService) -> None:
    mine = Table({"name": ["there", "nowhere"], "source_id": [61988785887571456, 3]})
    query = (
        "SELECT u.name, l.chi2, n.reason FROM TAP_UPLOAD.mine AS u LEFT JOIN labels.scatter_vae AS l ON l.source_id = u.source_id "
        "LEFT JOIN labels.no_label AS n ON n.source_id = u.source_id"
    )
    result = service.run_sync(query, uploads={"mine": mine}).to_table()
    assert list(result["name"]) == ["there", "nowhere"]
    assert result["chi2"].mask.tolist() == [False, True]


def test_several_tables_and_a_file_are_uploaded_in_one_request(service: TAPService, upload: Table, tmp_path: Path) -> None:
    path = tmp_path / "weights.xml"
    Table({"name": ["star 3", "star 4"], "weight": [0.5, 0.25]}).write(path, format="votable")
    query = (
        "SELECT a.name, a.source_id, b.weight FROM TAP_UPLOAD.stars AS a JOIN TAP_UPLOAD.weights AS b ON a.name = b.name ORDER BY a.name"
    )
    result = service.run_sync(query, uploads={"stars": upload, "weights": str(path)})
    assert [(str(row["name"]), float(row["weight"])) for row in result] == [("star 3", 0.5), ("star 4", 0.25)]


def test_a_table_is_added_to_a_job_that_waits(service: TAPService, upload: Table) -> None:
    with service.submit_job("SELECT * FROM TAP_UPLOAD.mine") as job:
        job.upload(mine=upload)
        result = job.run().wait(timeout=60).fetch_result()
        assert list(result["source_id"]) == list(upload["source_id"])
        assert list(map(str, result["name"])) == list(upload["name"])


def test_what_was_uploaded_comes_back_as_it_was(service: TAPService) -> None:
    mine = Table(
        {
            "flag": [True, False, True], "small": np.array([1, -2, 3], "i2"), "whole": np.array([7, 8, -9], "i4"), "long": np.array([2**62, -(2**62), 5]),
            "real": np.array([0.1, np.nan, 1e30], "f4"), "double": [0.1, -0.0, 1e300], "text": ["a", "", "Ångström"], "pair": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        }
    )  # fmt: skip
    mine["double"].unit = "mas"
    mine["real"].description = "what somebody measured"
    result = service.run_sync("SELECT * FROM TAP_UPLOAD.t", uploads={"t": mine})
    back = result.to_table()
    assert back.colnames == mine.colnames
    for name in ("flag", "small", "whole", "long", "double", "pair"):
        np.testing.assert_array_equal(back[name], mine[name], err_msg=name)
        assert back[name].dtype == mine[name].dtype, name
    np.testing.assert_array_equal(np.ma.filled(back["real"], np.nan), mine["real"])
    assert [str(text) for text in back["text"]] == ["a", "", "Ångström"]
    assert (str(back["double"].unit), back["real"].description) == ("mas", "what somebody measured")


def test_an_upload_that_is_not_there_is_told_by_its_name(service: TAPService, upload: Table) -> None:
    with pytest.raises(DALQueryError, match=r"(?i)tap_upload\.yours"):
        service.run_sync("SELECT * FROM TAP_UPLOAD.yours", uploads={"mine": upload})


def cone_search(tap: Any) -> str:
    """Where the cone search of the sources is: named on the page for people."""
    page = httpx.get(tap.url, trust_env=False).text
    [found] = re.findall(r'href="([^"]*/scs/gaiadr3\.gaia_source)\?', page)
    return str(httpx.URL(tap.url).join(found))


def test_a_cone_search_gives_the_sources_around_a_place(tap: Any) -> None:
    service = pyvo.dal.SCSService(cone_search(tap))
    result = service.search(pos=SkyCoord(132.85, 11.81, unit="deg"), radius=5.0, verbosity=2)
    wanted = {row[0] for row in tap.sql("SELECT source_id FROM gaiadr3.gaia_source WHERE oracle.separation(ra, dec, 132.85, 11.81) <= 5")}
    assert {int(record.id) for record in result} == wanted
    assert all(record.pos.separation(SkyCoord(132.85, 11.81, unit="deg")).deg <= 5 for record in result)
    assert len(service.search(pos=SkyCoord(132.85, 11.81, unit="deg"), radius=0.0)) == 0


def test_datalink_leads_from_a_row_to_what_belongs_to_it(service: TAPService, tap: Any) -> None:
    result = service.search("SELECT TOP 3 source_id, ra, dec FROM gaiadr3.gaia_source WHERE has_xp_continuous = 'True'")
    # Row by row: in batches pyvo compares the numbers it sent with the text that DataLink 1.1 wants back.
    links = list(result.iter_datalinks(preserve_order=True))
    assert len(links) == 3
    assert links[0].to_table()["ID", "semantics", "description", "access_url"]
    for row, link in zip(result, links, strict=True):
        assert {int(str(record["ID"]).split()[-1]) for record in link} == {int(row["source_id"])}
        assert {record.semantics for record in link}
        for record in link:
            filled = [name for name in ("access_url", "service_def", "error_message") if record[name]]
            assert len(filled) == 1
