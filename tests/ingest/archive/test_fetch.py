"""From an archive over TAP: all rows once, whatever the network and the service do, and after a kill."""

import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from catalog.database import Database, Role
from catalog.errors import DataError, TransientError, UsageError
from catalog.schema.astrophysical_parameters import ASTROPHYSICAL_PARAMETERS
from catalog.schema.column import StoreTable
from catalog.schema.fidelity import FIDELITY
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.id_map import ID_MAP
from catalog.version import ROOT, VERSION
from ingest.load import add_paths
from tap_service.limits import Limits

RELEASE = "sim_dr3"
Fetch = Callable[..., Any]


def rows(database: Database, table: StoreTable, where: str = "true") -> list[tuple[Any, ...]]:
    """The rows of a table without what says from which file they came."""
    columns = sql.SQL(", ").join(sql.Identifier("t", column.name) for column in table.without("file_id", "row_number"))
    query = sql.SQL("SELECT {} FROM {} AS t WHERE {} ORDER BY t.source_id").format(
        columns, sql.Identifier("store", table.name), sql.SQL(where)
    )
    with database.connect(Role.WORKER) as connection:
        return connection.execute(query).fetchall()


MATCH = "source_id, designation, tm_ra, tm_dec, j_m, j_msigcom, h_m, h_msigcom, ks_m, ks_msigcom, ph_qual, angular_distance"
WITH_XP = "t.source_id IN (SELECT source_id FROM store.gaia_source WHERE has_xp_continuous)"


def ranges(database: Database) -> list[dict[str, Any]]:
    with database.connect(Role.WORKER) as connection:
        found = connection.execute("SELECT to_jsonb(r) FROM store.archive_range AS r ORDER BY first_id, range_id").fetchall()
    return [row[0] for row in found]


def n_with_xp(database: Database) -> int:
    return len(rows(database, GAIA_SOURCE, WITH_XP))


# --- the whole way --------------------------------------------------------------------------------------------------------------


def command(env: dict[str, str], url: str, into: Path, *words: str) -> list[str]:
    schemas = [word for key in ("gaia", "tmass", "external") for word in ("--schema", f"{key}=gaiasim_dr3")]
    return [
        sys.executable, "-m", "kiel_main", "ingest", "add", "--tap", url, "--query-set", "dr3", "--release", RELEASE, "--into", str(into), *schemas,
        *words,
    ]  # fmt: skip


def test_a_catalogue_that_fetches_ends_with_the_rows_of_the_one_that_serves(
    archive_url: str, archive_database: Database, catalogue: Database, database_url_env: dict[str, str], tmp_path: Path
) -> None:
    words = ("--ranges", "3", "--pause", "0", "--rows", "60", "--work", "--json")
    done = subprocess.run(
        command(database_url_env, archive_url, tmp_path / "files", *words), env=database_url_env, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    expected = rows(archive_database, GAIA_SOURCE, WITH_XP)
    assert len(expected) > 60
    assert rows(catalogue, GAIA_SOURCE) == expected
    assert rows(catalogue, FIDELITY) == rows(archive_database, FIDELITY, WITH_XP)
    assert rows(catalogue, ASTROPHYSICAL_PARAMETERS) == rows(archive_database, ASTROPHYSICAL_PARAMETERS, WITH_XP)
    assert set(rows(catalogue, ID_MAP)) == set(rows(archive_database, ID_MAP, WITH_XP))
    with archive_database.connect(Role.TAP_READER) as connection:
        matches = connection.execute(
            f"""SELECT {MATCH} FROM gaiasim_dr3.two_mass WHERE ph_qual LIKE '%A%' AND ext_key IS NULL
            AND source_id IN (SELECT source_id FROM gaiasim_dr3.gaia_source WHERE has_xp_continuous) ORDER BY source_id"""
        ).fetchall()
    assert len(matches) > 30
    with catalogue.connect(Role.WORKER) as connection:
        assert connection.execute(f"SELECT {MATCH} FROM store.two_mass ORDER BY source_id").fetchall() == matches
    n = {"gaia_source": len(expected), "fidelity": len(expected), "two_mass": len(matches)}
    n |= {"astrophysical_parameters": len(rows(catalogue, ASTROPHYSICAL_PARAMETERS)), "dr2_neighbourhood": 2 * len(expected)}
    assert 0 < n["astrophysical_parameters"] < len(expected)
    assert {file["product"] for file in told["files"]} == set(n)
    assert {query["name"]: (query["rows"], query["counted"], query["trouble"]) for query in told["fetched"]} == {
        name: (rows, rows, None) for name, rows in n.items()
    }
    assert told["rows_loaded"] == told["rows_in"] == sum(n.values())
    assert not list(tmp_path.glob("**/*.part"))


def test_the_papers_two_queries_load_as_what_they_say(
    archive_url: str, archive_database: Database, catalogue: Database, fetch: Fetch
) -> None:
    done = {query.name: query for query in fetch(archive_url, query_set="zgr23", only=())}
    assert [query.trouble for query in done.values()] == [None, None]
    loaded = add_paths(catalogue, RELEASE, [path for query in done.values() for path in query.files], work=True)
    assert {file.product for file in loaded.files} == {query.product for query in done.values()} == {"two_mass", "gaia_source"}
    assert loaded.rows_loaded == sum(query.rows for query in done.values())
    kept = [row[:2] for row in rows(catalogue, GAIA_SOURCE)]
    assert kept == [row[:2] for row in rows(archive_database, ASTROPHYSICAL_PARAMETERS, WITH_XP)]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--tap", "http://127.0.0.1:1/tap"], 2, "--query-set"),
        (["--query-set", "dr3"], 2, "--tap"),
        (["--tap", "http://127.0.0.1:1/tap", "--query-set", "dr9"], 2, "dr9"),
        (["--tap", "http://127.0.0.1:1/tap", "--query-set", "dr3", "--query", "stars"], 2, "stars"),
        (["--tap", "http://127.0.0.1:1/tap", "--query-set", "dr3", "--schema", "gaia"], 2, "KEY=NAME"),
        (["--tap", "http://127.0.0.1:1/tap", "--query-set", "dr3", "--schema", "gaia=a; DROP"], 2, "no name of a schema"),
        (["--tap", "http://127.0.0.1:1/tap", "--query-set", "dr3", "--first-id", "9", "--last-id", "8"], 2, "--first-id"),
        (["--tap", "http://127.0.0.1:1/tap", "--query-set", "dr3", "--give-up-after", "0.1"], 3, "repeat the command later"),
        (["--tap", "nonsense", "--query-set", "dr3"], 2, "no address of a TAP service"),
    ],
)
def test_wrong_words_and_an_archive_that_is_not_there(
    words: list[str], code: int, told: str, database_url_env: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    from catalog.settings import settings
    from kiel_main import main

    for name, value in database_url_env.items():
        if name.startswith("KIEL_"):
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    assert main(["ingest", "add", *words]) == code
    assert told in capsys.readouterr().err
    settings.cache_clear()


# --- ranges ---------------------------------------------------------------------------------------------------------------------


def test_ranges_that_overflow_are_split_until_every_answer_is_whole(
    archive_url: str, archive_database: Database, catalogue: Database, fetch: Fetch
) -> None:
    (done,) = fetch(archive_url, n_ranges=1, rows=10)
    found = ranges(catalogue)
    fetched, split = ([each for each in found if each["state"] == state] for state in ("fetched", "split"))
    assert done.trouble is None
    assert done.rows == done.counted == n_with_xp(archive_database) == sum(each["rows"] for each in fetched)
    assert split and all(each["overflow"] for each in split)
    assert max(each["rows"] for each in fetched) < 10
    edges = sorted((each["first_id"], each["last_id"]) for each in fetched)
    assert edges[0][0] == 0
    assert [last + 1 for _, last in edges[:-1]] == [first for first, _ in edges[1:]]


def test_the_services_own_limit_is_read_and_kept(archive_database: Database, served: Any, catalogue: Database, fetch: Fetch) -> None:
    with served(archive_database, Limits(default_rows=5, hard_rows=20)) as url:
        (done,) = fetch(url)
    assert done.trouble is None
    assert done.rows == done.counted == n_with_xp(archive_database)
    assert max(each["rows"] for each in ranges(catalogue) if each["state"] == "fetched") < 20


def test_a_range_that_is_too_slow_is_split(proxy: Any, archive_database: Database, catalogue: Database, fetch: Fetch) -> None:
    proxy.faults.extend(["too_slow", "504", "504", "ok"])
    (done,) = fetch(proxy.url, n_ranges=1)
    assert done.trouble is None
    assert done.rows == n_with_xp(archive_database)
    split = [each for each in ranges(catalogue) if each["state"] == "split"]
    assert [each["overflow"] for each in split] == [False, False]
    assert "time limit" in split[0]["last_error"]
    assert "504" in split[1]["last_error"]


def test_a_single_source_that_does_not_fit_is_told(archive_url: str, archive_database: Database, fetch: Fetch) -> None:
    star = rows(archive_database, GAIA_SOURCE, WITH_XP)[0][1]
    (done,) = fetch(archive_url, span=(star, star), rows=1)
    assert f"the single source_id {star}" in done.trouble


# --- what networks and services do ----------------------------------------------------------------------------------------------


def test_faults_that_pass_change_nothing_in_the_end(proxy: Any, archive_database: Database, catalogue: Database, fetch: Fetch) -> None:
    proxy.faults.extend(["503", "ok", "drop", "ok", "half", "ok", "500", "ok", "short", "ok", "429", "ok"])
    said: list[dict[str, Any]] = []
    (done,) = fetch(proxy.url, said, n_ranges=6)
    assert done.trouble is None
    assert done.rows == done.counted == n_with_xp(archive_database)
    assert not proxy.faults
    assert sum(each["attempts"] for each in ranges(catalogue)) == 6 + 6
    waits = [step for step in said if step["step"] == "waiting"]
    assert len(waits) == 6
    asked = [request.at for request in proxy.requests if "BETWEEN" in request.query]
    assert asked[1] - asked[0] >= 1.0, "Retry-After of the 503"
    assert {request.user_agent.split()[0] for request in proxy.requests} == {f"kiel/{VERSION}"}
    assert add_paths(catalogue, RELEASE, done.files, work=True).rows_loaded == done.rows


def test_a_refused_query_stops_at_once_with_the_services_words_and_the_others_go_on(proxy: Any, catalogue: Database, fetch: Fetch) -> None:
    proxy.faults.append("refused")
    refused, other = fetch(proxy.url, only=("gaia_source", "fidelity"))
    assert "no such column: starlight" in refused.trouble
    assert len([query for query in proxy.ranges() if "phot_g_mean_mag" in query]) == 1
    assert other.trouble is None
    again, _ = fetch(proxy.url, only=("gaia_source", "fidelity"))
    assert again.trouble is None
    assert again.rows == other.rows


def test_an_archive_that_never_answers_is_given_up(proxy: Any, catalogue: Database, fetch: Fetch) -> None:
    proxy.faults.extend(["500"] * 50)
    with pytest.raises(TransientError, match=r"has not answered .*\(HTTP 500"):
        fetch(proxy.url, give_up_after=0.5)
    assert {each["state"] for each in ranges(catalogue)} == {"planned"}
    proxy.faults.clear()
    (done,) = fetch(proxy.url)
    assert done.trouble is None


def test_a_service_that_cuts_without_a_word_is_found_out_by_the_count(proxy: Any, archive_database: Database, fetch: Fetch) -> None:
    proxy.faults.append("silent_cut")
    (done,) = fetch(proxy.url, n_ranges=1)
    n = n_with_xp(archive_database)
    assert (done.rows, done.counted) == (1, n)
    assert f"the archive counts {n} rows, 1 were received" in done.trouble
    (again,) = fetch(proxy.url, n_ranges=1, restart=True)
    assert (again.rows, again.trouble) == (n, None)


def test_several_questions_at_a_time_give_the_same_rows(proxy: Any, archive_database: Database, catalogue: Database, fetch: Fetch) -> None:
    proxy.faults.extend(["ok", "drop", "ok", "short"])
    (done,) = fetch(proxy.url, n_ranges=6, parallel=3)
    assert done.trouble is None
    assert done.rows == done.counted == n_with_xp(archive_database)


# --- going on -------------------------------------------------------------------------------------------------------------------


def test_what_is_fetched_is_not_fetched_again(proxy: Any, catalogue: Database, fetch: Fetch) -> None:
    (first,) = fetch(proxy.url)
    asked = len(proxy.ranges())
    (again,) = fetch(proxy.url)
    assert (again.files, again.rows, again.counted) == (first.files, first.rows, first.counted)
    assert len(proxy.ranges()) == asked
    first.files[1].unlink()  # not loaded, so it is fetched again
    (third,) = fetch(proxy.url)
    assert third.files == first.files
    assert len(proxy.ranges()) == asked + 1
    add_paths(catalogue, RELEASE, third.files, work=True)
    third.files[0].unlink()  # loaded: nobody needs it
    (fourth,) = fetch(proxy.url)
    assert fourth.files == first.files[1:]
    assert (fourth.rows, fourth.trouble, len(proxy.ranges())) == (first.rows, None, asked + 1)


def test_a_kill_in_the_middle_costs_at_most_the_question_in_progress(
    proxy: Any, archive_database: Database, catalogue: Database, database_url_env: dict[str, str], tmp_path: Path
) -> None:
    words = command(
        database_url_env, proxy.url, tmp_path / "files", "--ranges", "8", "--pause", "0.2", "--query", "gaia_source", "--work", "--json"
    )
    with subprocess.Popen(words, env=database_url_env, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stderr is not None
        seen = 0
        for line in killed.stderr:
            seen += line.startswith("step=fetched")
            if seen == 3:
                os.kill(killed.pid, signal.SIGKILL)
                break
        assert killed.wait(30) == -signal.SIGKILL
    kept = {(each["first_id"], each["sha256"]) for each in ranges(catalogue) if each["state"] == "fetched"}
    assert len(kept) >= 3
    before = len(proxy.ranges())
    done = subprocess.run(words, env=database_url_env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(proxy.ranges()) - before == 8 - len(kept)
    assert kept <= {(each["first_id"], each["sha256"]) for each in ranges(catalogue)}
    assert rows(catalogue, GAIA_SOURCE) == rows(archive_database, GAIA_SOURCE, WITH_XP)


def test_another_text_of_the_query_does_not_go_on(archive_url: str, fetch: Fetch) -> None:
    fetch(archive_url)
    other = {"gaia": '"gaiasim_dr3"', "tmass": "gaiasim_dr3", "external": "gaiasim_dr3"}
    (refused,) = fetch(archive_url, schemas=other)
    assert "begun with another text" in refused.trouble
    assert refused.files == ()
    (anew,) = fetch(archive_url, schemas=other, restart=True)
    assert anew.trouble is None


def test_no_two_commands_fetch_one_query(archive_url: str, catalogue: Database, fetch: Fetch) -> None:
    fetch(archive_url)
    with catalogue.connect(Role.WORKER, autocommit=True) as other:
        (query_id,) = other.execute("SELECT query_id FROM store.archive_query").fetchone() or (None,)
        other.execute("SELECT pg_advisory_lock(%s, %s)", (0x6B694131, query_id))
        with pytest.raises(TransientError, match="another command is fetching"):
            fetch(archive_url)


# --- worlds apart ---------------------------------------------------------------------------------------------------------------


def test_simulated_stars_of_an_archive_stay_out_of_a_real_release(archive_url: str, catalogue: Database, tmp_path: Path) -> None:
    from ingest.archive.fetch import fetch_queries
    from ingest.archive.options import FetchOptions

    options = FetchOptions(archive_url, "dr3", tmp_path, schemas={"gaia": "gaiasim_dr3"}, pause=0.0)
    with pytest.raises(DataError, match="are simulated, and gaia_dr3 is real"):
        fetch_queries(catalogue, "gaia_dr3", options, deque().append)
    with pytest.raises(UsageError, match="gaia_dr9"):
        fetch_queries(catalogue, "gaia_dr9", options, deque().append)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/nothing", "/tables/gaiasim_dr3.gaia_source", "/.."])
def test_an_address_without_a_tap_service_is_told(path: str, archive_url: str, fetch: Fetch) -> None:
    with pytest.raises(DataError, match="give the address that /sync belongs to"):
        fetch(f"{archive_url}{path}")


def test_a_schema_that_the_archive_lacks_is_refused_with_its_words(archive_url: str, fetch: Fetch) -> None:
    with pytest.raises(DataError, match="gaiadr9"):
        fetch(archive_url, schemas={"gaia": "gaiadr9"})
