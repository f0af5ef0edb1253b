"""A whole simulated sky, DR3 and the mock DR4 with every survey, loaded by the commands that an operator gives: every row of every file, counted apart.

SKY_STARS=30000 in the environment makes the sky as large; without it there are a few hundred stars, so that the suite stays quick. The counts
come from csv, astropy and pyarrow alone.
"""

import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from psycopg import sql

from catalog.database import Role
from catalog.embedded_server import EmbeddedServer
from catalog.settings import settings
from ingest.sky.make import SkySettings, make_sky
from kiel_main import main

STARS = int(os.environ.get("SKY_STARS", "300"))
RELEASES = ("dr3", "dr4")
Kiel = Callable[..., dict[str, Any]]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """What files of a pattern should become: rows of a table, whose ``stored`` columns are the files' ``key`` columns."""

    product: str
    table: str
    key: tuple[str, ...] = ("source_id",)
    stored: tuple[str, ...] = ("source_id",)


SURVEY = ("survey_id",)
FILES: dict[str, Expected] = {
    "gaia_source/*.csv.gz": Expected("gaia_source", "gaia_source"),
    "xp_continuous_mean_spectrum/*.csv.gz": Expected("xp_continuous", "xp_spectrum"),
    "rvs_mean_spectrum/*.csv.gz": Expected("rvs_mean", "rvs_spectrum"),
    "dr3_neighbourhood/*.csv.gz": Expected("dr3_neighbourhood", "id_map", ("dr3_source_id", "dr4_source_id"), ("from_source_id", "source_id")),
    "surveys/tmass_original_valid.csv.gz": Expected("tmass_psc", "tmass_psc", ("designation",), ("designation",)),
    "surveys/tmasspscxscBestNeighbour*.csv.gz": Expected("tmass_best_neighbour", "tmass_best_neighbour"),
    "surveys/tmasspscxscJoin*.csv.gz": Expected(
        "tmass_join", "tmass_join", ("clean_tmass_psc_xsc_oid",), ("clean_tmass_psc_xsc_oid",)
    ),
    "surveys/unwise_*.fits": Expected("unwise", "unwise", ("unwise_objid",), SURVEY),
    "surveys/gedr3spur.tsv.gz": Expected("fidelity", "fidelity"),
    "surveys/reddening_*.fits": Expected("reddening", "reddening"),
    "surveys/allStar-*.fits": Expected("apogee", "apogee", ("apstar_id",), SURVEY),
    "surveys/apogee_spectra_*.fits": Expected("apogee_spectrum", "apogee_spectrum", ("apogee_id",), SURVEY),
    "surveys/*_LRS_stellar.csv.gz": Expected("lamost", "lamost", ("obsid",), SURVEY),
    "surveys/hot_payne.fits.gz": Expected("hot_payne", "hot_payne", ("specid",), SURVEY),
    "surveys/GALAH_*.fits": Expected("galah", "galah", ("sobject_id",), SURVEY),
}  # fmt: skip
"""Every kind of file that an archive or a survey gives, by pattern in the folder of a sky."""
OF_THE_MAKER = {"sky.json", "truth.parquet", "survey_truth.parquet", "information.parquet"}
"""What lies beside them, and must never get into the catalogue."""
pytestmark = [
    pytest.mark.timeout(600 + STARS // 5),
    pytest.mark.filterwarnings("ignore:It is strongly recommended that column names"),  # Hot Payne's names with brackets
]
LINKED = ("apogee", "lamost", "hot_payne", "galah", "unwise")


def keys(path: Path, names: tuple[str, ...]) -> list[Key]:
    """The key of every row of a file, as text."""
    if ".fits" in path.name:
        with fits.open(path) as hdus:
            spelt = {name.lower(): name for name in hdus[1].columns.names}
            columns = [[str(value).strip() for value in hdus[1].data[spelt[name]].tolist()] for name in names]
            assert len(columns[0]) == hdus[1].header["NAXIS2"]
        return list(zip(*columns, strict=True))
    csv.field_size_limit(1 << 24)
    with gzip.open(path, "rt", newline="") as lines:
        rows = csv.reader((line for line in lines if not line.startswith("#")), delimiter="\t" if ".tsv" in path.name else ",")
        header = next(rows)
        places = [header.index(name) for name in names]
        return [tuple(row[place] for place in places) for row in rows]


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each release's sky."""
    folder = tmp_path_factory.mktemp("whole-sky")
    for release in RELEASES:
        make_sky(SkySettings(stars=STARS, seed=1, release=release), folder / release, workers=None if STARS > 1000 else 1)
    return {release: folder / release for release in RELEASES}


@pytest.fixture(scope="module")
def files(sky: dict[str, Path]) -> dict[str, dict[Path, tuple[Expected, list[Key]]]]:
    """By release, what each file should become, and the keys of its rows."""
    return {
        release: {
            path: (expected, keys(path, expected.key)) for pattern, expected in FILES.items() for path in sorted(folder.glob(pattern))
        }
        for release, folder in sky.items()
    }


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home for the embedded server, gone afterwards."""
    # Not in pytest's own folder, which is closed to the account that root's server runs as.
    folder = Path(tempfile.mkdtemp(prefix="kiel-sky-"))
    folder.chmod(0o711)
    yield folder / "home"
    EmbeddedServer(folder / "home").down()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def kiel(home: Path) -> Iterator[Kiel]:
    """Runs a kiel command in that home; what it told as JSON."""

    def run(*words: str | Path) -> dict[str, Any]:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = main([*map(str, words), "--json"])
        assert code == 0, err.getvalue()[-5000:] + out.getvalue()[-5000:]
        told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
        return told

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KIEL_HOME", str(home))
        settings.cache_clear()
        yield run
    settings.cache_clear()


@pytest.fixture(scope="module")
def statuses(sky: dict[str, Path], kiel: Kiel) -> dict[str, dict[str, Any]]:
    """``kiel ingest status`` of each release after its load; ``dr3 before`` is that of DR3 before the mock DR4 came."""
    kiel("db", "up")
    kiel("db", "upgrade")
    for release in RELEASES:
        kiel("release", "add", f"sim_{release}")
    told = {}
    for release, workers in zip(RELEASES, ("2", "1"), strict=True):
        kiel("ingest", "add", sky[release], "--release", f"sim_{release}", "--work", "--workers", workers)
        told[f"{release} before"] = kiel("ingest", "status", "--release", f"sim_{release}")
    return told | {release: kiel("ingest", "status", "--release", f"sim_{release}") for release in RELEASES}


def test_every_file_of_the_sky_is_known_to_this_test(sky: dict[str, Path], files: dict[str, Any]) -> None:
    """So that nothing that the sky writes goes uncounted."""
    for release, folder in sky.items():
        there = {path for path in folder.rglob("*") if path.is_file() and path.name not in OF_THE_MAKER | {"_MD5SUM.txt"}}
        assert there == set(files[release])
    assert {expected.product for release in RELEASES for expected, _ in files[release].values()} == {
        each.product for each in FILES.values()
    }


@pytest.mark.parametrize("release", RELEASES)
def test_the_ledger_has_every_file_with_the_rows_that_others_count(
    release: str, sky: dict[str, Path], files: dict[str, Any], statuses: dict[str, Any], subtests: pytest.Subtests
) -> None:
    ledger = {Path(file["name"]): file for file in statuses[release]["files"]}
    assert {path.name for path in set(ledger) - set(files[release])} <= OF_THE_MAKER
    assert {ledger[path]["state"] for path in set(ledger) - set(files[release])} == {"not_a_product"}
    for path, (expected, rows) in files[release].items():
        with subtests.test(file=path.name):
            file = ledger[path]
            assert (file["product"], file["state"], file["rows_in"], file["attempts"]) == (expected.product, "loaded", len(rows), 1)
            assert file["rows_kept"] == len(rows)
            assert file["rows_loaded"] + file["rows_rejected"] == len(rows)
            assert file["rows_stated"] in (None, len(rows))
            assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and file["size"] == path.stat().st_size
    assert len(pq.read_metadata(sky[release] / "truth.parquet").schema) > 0
    sources = sum(len(rows) for expected, rows in files[release].values() if expected.product == "gaia_source")
    assert sources == pq.read_metadata(sky[release] / "truth.parquet").num_rows >= STARS


@pytest.mark.parametrize("release", RELEASES)
def test_the_tables_hold_every_key_of_the_files_and_no_other(
    release: str, files: dict[str, Any], statuses: dict[str, Any], home: Path, subtests: pytest.Subtests
) -> None:
    of_table: dict[Expected, list[Key]] = {each: [] for each in FILES.values()}
    for expected, rows in files[release].values():
        of_table[expected] += rows
    with EmbeddedServer(home).database().connect(Role.WORKER) as connection:
        for expected, rows in of_table.items():
            with subtests.test(table=expected.table):
                query = sql.SQL("SELECT {} FROM store.{} JOIN store.release USING (release_id) WHERE name = %s").format(
                    sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in expected.stored),
                    sql.Identifier(expected.table),
                )
                held = Counter(connection.execute(query, [f"sim_{release}"]).fetchall())
                assert held == Counter(set(rows))
                loaded = sum(total["rows_loaded"] for total in statuses[release]["totals"] if total["product"] == expected.product)
                assert loaded == held.total()


@pytest.mark.parametrize("release", RELEASES)
def test_the_only_rows_rejected_are_further_spectra_of_one_star(
    release: str, files: dict[str, Any], statuses: dict[str, Any], kiel: Kiel
) -> None:
    rows = [key for expected, keys_ in files[release].values() if expected.product == "apogee_spectrum" for key in keys_]
    further = Counter(rows) - Counter(set(rows))
    rejects = kiel("ingest", "rejects", "--release", f"sim_{release}")["rejects"]
    assert Counter((row["record"],) for row in rejects) == further
    assert {row["reason"] for row in rejects} <= {"duplicate_row"}
    assert all("apogee_spectra_" in row["file"] and "apogee_spectra_" in row["winner"] for row in rejects)


def test_the_mock_dr4_leaves_dr3_as_it_was(statuses: dict[str, Any], kiel: Kiel) -> None:
    assert statuses["dr3"] == statuses["dr3 before"]
    for release in RELEASES:
        found = kiel("ingest", "verify", "--release", f"sim_{release}", "--strict")
        assert (found["differences"], found["gone"]) == ([], [])
        assert found["rows"] == sum(file["rows_loaded"] or 0 for file in statuses[release]["files"])


def test_every_survey_row_is_linked_to_the_star_whose_identifier_or_position_it_carries(
    sky: dict[str, Path], files: dict[str, Any], statuses: dict[str, Any], home: Path, kiel: Kiel, subtests: pytest.Subtests
) -> None:
    """Some rows carry a neighbour's, as in the surveys themselves: survey_truth.parquet tells whose."""
    truth = pq.read_table(sky["dr3"] / "survey_truth.parquet").to_pylist()
    told = kiel("ingest", "link", "--release", "sim_dr3")
    surveys = {each["survey"]: each for each in told["surveys"]}
    assert set(surveys) == set(LINKED)
    assert told["two_mass"]["rows"] == sum(
        len(keys_) for expected, keys_ in files["dr3"].values() if expected.product == "tmass_best_neighbour"
    )
    for name in LINKED:
        with subtests.test(survey=name), EmbeddedServer(home).database().connect(Role.WORKER) as connection:
            (rows,) = [keys_ for expected, keys_ in files["dr3"].values() if expected.product == name]
            named = [row["carried_source_id"] or row["true_source_id"] for row in truth if row["survey"] == name]
            found = surveys[name]
            assert found["rows"] == len(rows) == sum(found["by_method"].values())
            linked = dict(connection.execute("SELECT survey_id, source_id FROM store.survey_link WHERE survey = %s", [name]).fetchall())
            assert found["linked"] == len(rows) == len(linked)
            assert linked == {key: source for (key,), source in zip(rows, named, strict=True)}


def test_the_cuts_of_every_paper_count_rows_of_their_survey(files: dict[str, Any], statuses: dict[str, Any], kiel: Kiel) -> None:
    rows = {expected.product: len(keys_) for expected, keys_ in files["dr3"].values()}
    candidates = {
        "forward": rows["lamost"], "uncertain_nn": rows["apogee"], "rvs_cnn": rows["apogee"], "aspgap": rows["apogee"] + rows["galah"],
        "scatter_vae": rows["apogee"],
    }  # fmt: skip
    papers = {each["paper"]: each for each in kiel("ingest", "cuts", "--release", "sim_dr3")["papers"]}
    assert {name: paper["candidates"] for name, paper in papers.items()} == candidates
    for name, paper in papers.items():
        left = [cut["left"] for cut in paper["cuts"]]
        assert left == sorted(left, reverse=True), name
        assert paper["chosen"] + paper["undecided"] == left[-1], name
        assert paper["undecided"] == 0 and not any(cut["unavailable"] for cut in paper["cuts"]), name
    assert papers["forward"]["chosen"] > 0 and papers["scatter_vae"]["chosen"] > 0
