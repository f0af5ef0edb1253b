"""One row of 2MASS a source: as loaded, else joined; the same rows in whichever order files come, and never made again for nothing."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner

from catalog.content_hash import content_hashes
from catalog.database import Database, Role
from catalog.errors import UsageError
from catalog.statements import statement
from ingest.commands import command
from ingest.linking import two_mass
from ingest.linking.two_mass import JoinedTwoMass, join_two_mass
from ingest.load import add_paths

DR3 = "gaia_dr3"
Put = Callable[..., None]
Row = tuple[int, str | None, float | None, str | None, float | None, int | None]
N = 500
SOURCES = [(pixel << 35) + 128 for pixel in np.linspace(5, 12 * 4**12 - 1, N).astype(np.int64).tolist()]
"""Over the whole range of source_id."""
GIVEN, FOUND, UNKNOWN_OID, NO_POINT_SOURCE = (range(start, N, 4) for start in (0, 1, 2, 3))
"""Sources with a row of their own (and the three tables); with the three tables; whose counterpart the join lacks; for which it names no point source."""


def fill(put: Put, database: Database, given: Mapping[str, Any] | None = None) -> None:
    """The four tables; best neighbours of every source."""
    place = np.arange(N)
    put(database, "tmass_best_neighbour", {
        "source_id": SOURCES, "original_ext_source_id": [f"d{i}" for i in place], "clean_tmass_psc_xsc_oid": 7 * place,
        "angular_distance": np.full(N, 0.25), "number_of_mates": (place % 3).astype(np.int16),
    })  # fmt: skip
    joined = [i for i in place if i not in UNKNOWN_OID]
    put(database, "tmass_join", {
        "clean_tmass_psc_xsc_oid": [7 * i for i in joined], "original_psc_source_id": [None if i in NO_POINT_SOURCE else f"d{i}" for i in joined],
    })  # fmt: skip
    put(database, "tmass_psc", {
        "designation": [f"d{i}" for i in place], "ra": np.full(N, 45.0), "dec": np.full(N, 0.5), "j_m": 10 + place / N, "j_msigcom": np.full(N, np.nan),
        "ph_qual": ["UAA"] * N, "position_key": place,
    })  # fmt: skip
    put(database, "two_mass", given or own_rows(GIVEN))


def own_rows(places: range, j: float = 5.0) -> Mapping[str, Any]:
    """Results of the archive's join for some of the sources."""
    n = len(places)
    return {"source_id": [SOURCES[i] for i in places], "designation": ["own"] * n, "j_m": np.full(n, j), "ph_qual": ["AAA"] * n}


def view(database: Database) -> list[Row]:
    with database.connect(Role.TAP_READER) as connection:
        return connection.execute(
            "SELECT source_id, designation, round(j_m::numeric, 3)::float8, ph_qual, angular_distance, number_of_mates FROM gaiadr3.two_mass ORDER BY 1"
        ).fetchall()


def expected(own: range, j: float = 5.0) -> list[Row]:
    rows: list[Row] = []
    for i, source_id in enumerate(SOURCES):
        if i in own:
            rows.append((source_id, "own", j, "AAA", None, None))
        elif i in FOUND or i in GIVEN:
            rows.append((source_id, f"d{i}", pytest.approx(10 + i / N, abs=6e-4), "UAA", 0.25, i % 3))
    return rows


def versions(database: Database) -> set[str]:
    """Which transactions wrote the rows that there are."""
    with database.connect(Role.WORKER) as connection:
        return {text for (text,) in connection.execute("SELECT DISTINCT xmin::text FROM store.two_mass_photometry")}


def tables(database: Database) -> dict[str, str]:
    with database.connect(Role.WORKER) as connection:
        return content_hashes(connection)


@pytest.mark.parametrize("block", [1, 7, 100_000])
def test_a_source_has_the_row_that_was_loaded_else_the_joined_one(
    block: int, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_mass, "BLOCK_ROWS", block)
    assert join_two_mass(database, DR3) is None
    fill(put, database)
    done: list[int] = []
    joined = join_two_mass(database, DR3, report=done.append)
    assert joined is not None and (joined.joined, joined.rows, joined.changed) == (True, len(GIVEN) + len(FOUND), len(GIVEN) + len(FOUND))
    assert view(database) == expected(GIVEN)
    assert done[-1] == joined.rows and len(done) == -(-N // block)


def test_every_column_of_both_ways_arrives_in_its_place(put: Put, database: Database) -> None:
    photometry = {name: [float(i)] for i, name in enumerate(("j_m", "j_msigcom", "h_m", "h_msigcom", "ks_m", "ks_msigcom"), 1)}
    counts = {"xm_flag": [1], "number_of_neighbours": [2], "number_of_mates": [3]}
    rest = {"ph_qual": ["ABC"], "ext_key": [77]}
    put(database, "two_mass", {"source_id": [SOURCES[0]], "designation": ["a"], "tm_ra": [45.0], "tm_dec": [0.5], "angular_distance": [0.25]} | photometry
        | counts | rest)  # fmt: skip
    put(database, "tmass_best_neighbour", {"source_id": [SOURCES[1]], "angular_distance": [0.25], "clean_tmass_psc_xsc_oid": [9]} | counts)
    put(database, "tmass_join", {"clean_tmass_psc_xsc_oid": [9], "original_psc_source_id": ["a"]})
    put(database, "tmass_psc", {"designation": ["a"], "ra": [45.0], "dec": [0.5], "position_key": [1]} | photometry | rest)
    join_two_mass(database, DR3)
    with database.connect(Role.TAP_READER) as connection:
        rows = connection.execute("SELECT * FROM gaiadr3.two_mass ORDER BY source_id").fetchall()
    assert rows == [(source, "a", 45.0, 0.5, *map(float, range(1, 7)), "ABC", 77, 0.25, 1, 2, 3) for source in SOURCES[:2]]


def test_only_rows_that_differ_are_written_again(put: Put, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_mass, "BLOCK_ROWS", 100)
    fill(put, database)
    join_two_mass(database, DR3)
    before = versions(database)

    def again() -> JoinedTwoMass:
        joined = join_two_mass(database, DR3, again=True)
        assert joined is not None
        return joined

    assert (again().changed, versions(database)) == (0, before)
    with database.connect(Role.OWNER) as connection:
        connection.execute("UPDATE store.two_mass SET j_m = 6 WHERE source_id = %s", [SOURCES[0]])
        connection.execute("DELETE FROM store.two_mass WHERE source_id > %s", [SOURCES[0]])
        connection.execute("DELETE FROM store.tmass_join WHERE clean_tmass_psc_xsc_oid = 7")
    assert again().changed == len(GIVEN) + 1
    assert view(database) == [row for row in expected(range(1), 6.0) if row[0] != SOURCES[1]]
    assert len(versions(database) & before) > 0
    with database.connect(Role.OWNER) as connection:
        connection.execute("TRUNCATE store.two_mass, store.tmass_best_neighbour")
    assert (again().rows, view(database)) == (0, [])


def test_a_call_that_is_broken_off_leaves_rows_that_the_next_one_mends(
    put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_mass, "BLOCK_ROWS", 50)
    fill(put, database)
    join_two_mass(database, DR3)
    with database.connect(Role.OWNER) as connection:
        connection.execute("UPDATE store.two_mass SET j_m = 6")

    def stop(rows: int) -> None:
        if rows > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        join_two_mass(database, DR3, again=True, report=stop)
    half = {row[2] for row in view(database) if row[1] == "own"}
    assert half == {5.0, 6.0}
    mended = join_two_mass(database, DR3)  # although no file has changed
    assert mended is not None and mended.joined and 0 < mended.changed < len(GIVEN)
    assert view(database) == expected(GIVEN, 6.0)
    unchanged = join_two_mass(database, DR3)
    assert unchanged is not None and (unchanged.joined, unchanged.rows) == (False, mended.rows)


def _files(folder: Path) -> list[Path]:
    """A file of each product: two sources, the first of them in both ways."""
    one, two = SOURCES[:2]
    texts = {
        "own": f"source_id,designation,j_m,ks_m,ph_qual\n{one},own,5,4,AAA\n",
        "best": f"source_id,original_ext_source_id,angular_distance,clean_tmass_psc_xsc_oid\n{one},d1,0.1,11\n{two},d2,0.1,12\n",
        "join": "clean_tmass_psc_xsc_oid,original_psc_source_id\n11,d1\n12,d2\n",
        "psc": "designation,ra,dec,j_m,ks_m,ph_qual\nd1,45,0.5,10,9,AAA\nd2,45,0.6,11,10,AAA\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return [folder / f"{name}.csv" for name in texts]


def test_files_in_any_order_give_the_same_rows_and_each_one_is_noticed(
    database: Database, emptied: Callable[[Database], None], tmp_path: Path
) -> None:
    files = _files(tmp_path)
    seen = []
    for order in (files, files[::-1], [files[2], files[0], files[3], files[1]]):
        for path in order:
            add_paths(database, DR3, [path], work=True)
            joined = join_two_mass(database, DR3)
            assert joined is None or joined.joined
        last = join_two_mass(database, DR3)
        assert last is not None and not last.joined
        assert [row[:2] for row in view(database)] == [(SOURCES[0], "own"), (SOURCES[1], "d2")]
        seen.append(tables(database))
        emptied(database)
        with database.connect(Role.OWNER) as connection:
            connection.execute("TRUNCATE store.two_mass_photometry, store.survey_linking")
    assert seen[0] == seen[1] == seen[2]


def test_calls_at_once_join_once_and_a_release_that_is_not_there_is_told(put: Put, database: Database) -> None:
    fill(put, database)
    with ThreadPoolExecutor(3) as pool:
        found = [joined for joined in pool.map(lambda _: join_two_mass(database, DR3), range(3)) if joined is not None]
    assert sorted(joined.joined for joined in found) == [False, False, True]
    assert view(database) == expected(GIVEN)
    with pytest.raises(UsageError, match="gaia_dr9"):
        join_two_mass(database, "gaia_dr9")


def test_no_block_reads_a_table_whole_however_fresh_its_tables_are(put: Put, database: Database) -> None:
    fill(put, database)
    values = {"release_id": 1, "first": SOURCES[100], "last": SOURCES[120], "rows": 10}
    with database.connect(Role.WORKER) as connection:
        connection.execute(statement("plan_for_lookups"))
        connection.execute(statement("make_two_mass_block"))
        for name in ("end_of_two_mass_block", "fill_two_mass_block"):
            assert "Seq Scan" not in explained(connection, name, values), name
        connection.execute(statement("plan_for_block"))
        for name in ("remove_from_two_mass", "add_to_two_mass"):
            plan = explained(connection, name, values)
            assert "Seq Scan on two_mass_photometry" not in plan and "Nested Loop" not in plan, name


def explained(connection: psycopg.Connection, name: str, values: Mapping[str, Any]) -> str:
    with psycopg.ClientCursor(connection) as cursor:
        return "\n".join(line for (line,) in cursor.execute("EXPLAIN " + statement(name).as_string(connection), values).fetchall())


@pytest.mark.usefixtures("commands_see_it")
def test_the_commands_join_and_tell(database: Database, tmp_path: Path) -> None:
    def run(*words: str) -> Any:
        done = CliRunner().invoke(command, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    assert "Neither surveys nor 2MASS have rows in gaia_dr3." in run("link").stdout
    assert "step=joined table=two_mass rows=2 changed=2" in run("add", *map(str, _files(tmp_path)), "--work").stderr
    assert "step=joined" not in run("work").stderr
    assert "2 sources with photometry; nothing has changed" in run("link").stdout
    told = json.loads(run("link", "--again", "--json").stdout)["two_mass"]
    assert (told["rows"], told["joined"], told["changed"]) == (2, True, 0)
    assert json.loads(run("link", "--survey", "lamost", "--json").stdout)["two_mass"] is None
