"""Every kind of bad input through the command itself: good rows load, bad rows become rejects with file, row and reason, the exit code tells.

One catalogue takes the files of all cases one after the other, each case with sources of its own and with good rows or a good file beside the bad.
"""

import gzip
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import healpy as hp
import pytest
from psycopg import sql

from catalog.database import Database, Role
from catalog.settings import settings
from catalog.spectra import SpectrumFlag
from catalog.version import ROOT
from ingest.registry import PRODUCTS
from kiel_main import main

N = 55
PAIRS = N * (N - 1) // 2
STEP = 1 << 35
"""From a source to one in the next level-12 pixel."""

Row = dict[str, str]
Id = Callable[[int], int]
"""The sources of a case, by number."""


def spectrum(source_id: int, **cells: str) -> Row:
    """A row of XP coefficients in some 40 kB; its correlation matrices are positive definite."""
    row = {"source_id": str(source_id)}
    for band in ("bp", "rp"):
        row |= {
            f"{band}_n_parameters": str(N),
            f"{band}_coefficients": numbers(N),
            f"{band}_coefficient_errors": numbers(N),
            f"{band}_coefficient_correlations": numbers(PAIRS),
        }
    return row | cells


def numbers(n: int, **others: str) -> str:
    """A list of small numbers, those at the named places (``at3="nan"``) as given."""
    cells = ["0.0100000001234"] * n
    for place, text in others.items():
        cells[int(place.removeprefix("at"))] = text
    return f"[{','.join(cells)}]"


def source(source_id: int, **cells: str) -> Row:
    """A row of gaia_source in the middle of its pixel."""
    ra, dec = hp.pix2ang(1 << 12, source_id >> 35, nest=True, lonlat=True)
    return {"source_id": str(source_id), "ra": f"{ra:.9f}", "dec": f"{dec:.9f}", "ref_epoch": "2016.0", "parallax": "1.25"} | cells


def star(source_id: int, **cells: str) -> Row:
    """A row of 2MASS photometry."""
    magnitudes = {"j_m": "12.1", "j_msigcom": "0.02", "h_m": "11.8", "h_msigcom": "0.02", "ks_m": "11.7", "ks_msigcom": "0.02"}
    return {"source_id": str(source_id), **magnitudes, "ph_qual": "AAA"} | cells


def lines(rows: list[Row]) -> list[str]:
    """The header and the rows as CSV, cells with a comma within quotes."""
    cells = [list(rows[0]), *([row[name] for name in rows[0]] for row in rows)]
    return [",".join(f'"{cell}"' if "," in cell else cell for cell in line) for line in cells]


def write(path: Path, rows: list[Row]) -> Path:
    """The rows as a CSV file, compressed where its name says so."""
    return write_text(path, "\n".join(lines(rows)) + "\n")


def write_text(path: Path, text: str | bytes) -> Path:
    """A file, compressed where its name says so."""
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


@dataclass(frozen=True)
class File:
    """What becomes of a file: its state, what its reason says, the numbers of its rows in the table, its rejects (row number, reason, detail)."""

    state: str = "loaded"
    reason: str | None = None
    loaded: tuple[int, ...] = ()
    rejects: tuple[tuple[int, str, str], ...] = ()
    columns: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Column -> its values in the table, in the order of the rows."""
    unknown: tuple[str, ...] = ()
    """Columns of the header that are told as unknown."""


GOOD = File(loaded=(1, 2))


@dataclass(frozen=True)
class Case:
    """Files that ``make`` writes into a folder, what becomes of each by its name, and the exit code."""

    make: Callable[[Path, Id], None]
    files: dict[str, File]
    exit_code: int = 0
    while_loading: Callable[[Path], None] | None = None
    """Done to the folder once a loader has verified the first file and is about to write its rows."""


def beside_a_good_one(make: Callable[[Path, Id], None]) -> Callable[[Path, Id], None]:
    """The files of ``make``, and a good one that comes after them."""

    def both(folder: Path, ids: Id) -> None:
        make(folder, ids)
        write(folder / "good.csv", [spectrum(ids(100)), spectrum(ids(101))])

    return both


def one_file(name: str, rows: Callable[[Id], list[Row]]) -> Callable[[Path, Id], None]:
    """One file of these rows."""

    def make(folder: Path, ids: Id) -> None:
        write(folder / name, rows(ids))

    return make


def truncated(folder: Path, ids: Id) -> None:
    path = write(folder / "bad.csv.gz", [spectrum(ids(row)) for row in range(20)])
    path.write_bytes(path.read_bytes()[:-100])


def wrong_md5(folder: Path, ids: Id) -> None:
    write(folder / "bad.csv", [spectrum(ids(1))])
    good = write(folder / "good.csv", [spectrum(ids(100)), spectrum(ids(101))])
    sums = (hashlib.md5(b"other", usedforsecurity=False).hexdigest(), hashlib.md5(good.read_bytes(), usedforsecurity=False).hexdigest())
    (folder / "_MD5SUM.txt").write_text(f"{sums[0]}  bad.csv\n{sums[1]}  good.csv\n")


def junk_files(folder: Path, ids: Id) -> None:
    junk = random.Random(ids(0)).randbytes(5000)
    write_text(folder / "bad.bin", b"\x8e" + junk)
    write_text(folder / "bad.fits", b"SIMPLE  =                    T" + junk)
    write_text(folder / "bad.parquet", b"PAR1" + junk + b"PAR1")
    write_text(folder / "bad.xml", b'<?xml version="1.0"?><VOTABLE>' + junk)
    write_text(folder / "bad.z", b"\x1f\x8b\x08\x00" + junk)
    write_text(folder / "bad.zip", b"PK\x03\x04" + junk)
    write_text(folder / "bad.h5", b"\x89HDF\r\n\x1a\n" + junk)


def junk_rows(folder: Path, ids: Id) -> None:
    header, first, last = lines([source(ids(1)), source(ids(2))])
    junk = random.Random(5).randbytes(400).translate(None, b'\r\n",')
    write_text(
        folder / "a.csv", b"\n".join([header.encode(), first.encode(), junk, b"\xff" + b"," * 4, last.encode(), b"\xfe,\xff" * 9, b""])
    )


def wrong_units(folder: Path, ids: Id) -> None:
    text = "\n".join(lines([source(ids(1)), source(ids(2))])) + "\n"
    for name, unit in (("bad.ecsv", "rad"), ("good.ecsv", "deg")):
        head = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:", f"# - {{name: ra, unit: {unit}, datatype: float64}}"]
        write_text(folder / name, "\n".join(head) + "\n" + text)


NULLS = ("", "null", "NULL", "nan", "NaN", "\\N")


def in_two_files(folder: Path, ids: Id) -> None:
    write(folder / "a.csv", [spectrum(ids(1), bp_coefficient_correlations=""), spectrum(ids(2))])
    write(folder / "b.csv", [spectrum(ids(1)), spectrum(ids(3))])


def outside_the_range(folder: Path, ids: Id) -> None:
    pixel = ids(0) >> 43
    write(folder / f"XpContinuousMeanSpectrum_{pixel:06d}-{pixel:06d}.csv.gz", [spectrum(ids(0)), spectrum(ids(1000)), spectrum(0)])


def nulls(folder: Path, ids: Id) -> None:
    write(folder / "a.csv", [source(ids(row), parallax=null) for row, null in enumerate(NULLS)])
    no_errors = [{"bp_coefficient_errors": null, "bp_coefficient_correlations": f"[{null}]" if null else ""} for null in NULLS]
    write(folder / "b.csv", [spectrum(ids(row), **cells) for row, cells in enumerate(no_errors)])
    write(folder / "c.csv", [source(ids(10)), *(source(ids(11)) | {"source_id": null} for null in NULLS)])


def malformed_row_of_40_kb(folder: Path, ids: Id) -> None:
    header, first, last = lines([spectrum(ids(1)), spectrum(ids(2))])
    write_text(folder / "a.csv", "\n".join((header, first, "7," * 20_000, last, "")))


def open_quotes(folder: Path, ids: Id) -> None:
    header, *rows = lines([source(ids(row)) for row in range(1, 6)])
    rows[1] = rows[1].replace(",2016", ',"2016')
    rows[3] += '"'
    write_text(folder / "a.csv", "\n".join((header, *rows, "")))


def mixed_line_ends(folder: Path, ids: Id) -> None:
    header, *rows = lines([source(ids(row)) for row in range(1, 7)])
    ends = ("\n", "\r\n", "\r", "\n\n", "\r\n", "\n")
    write_text(folder / "a.csv", header + "\r\n" + "".join(row + end for row, end in zip(rows, ends, strict=True)))


def empty_files(folder: Path, ids: Id) -> None:
    write_text(folder / "a.csv", b"")
    write_text(folder / "b.csv.gz", b"")
    write_text(folder / "c.csv", lines([source(ids(1))])[0] + "\n")


def grow(folder: Path) -> None:
    path = folder / "bad.csv"
    with path.open("a") as stream:
        stream.write(path.read_text().splitlines(keepends=True)[-1])


CASES = {
    "truncated gzip": Case(
        beside_a_good_one(truncated), {"bad.csv.gz": File("failed", r"bad\.csv\.gz is damaged or truncated .*fetch it again"), "good.csv": GOOD}, 1
    ),
    "wrong MD5": Case(
        wrong_md5, {"bad.csv": File("failed", r"bad\.csv has the MD5 sum \w{32}, .*_MD5SUM\.txt says \w{32}"), "good.csv": GOOD}, 1
    ),
    "binary junk, as a file": Case(
        beside_a_good_one(junk_files),
        {
            "bad.bin": File("not_a_product", "binary data that begins"),
            **{f"bad.{ending}": File("failed", "damaged") for ending in ("fits", "parquet", "xml", "z", "zip", "h5")},
            "good.csv": GOOD,
        },
        1,
    ),
    "binary junk, among the rows": Case(
        junk_rows,
        {
            "a.csv": File(
                loaded=(1, 4),
                rejects=(
                    (2, "wrong_field_count", "1 fields in place of 5"),
                    (3, "unparsable", r"source_id: not UTF-8: b'\\xff'"),
                    (5, "wrong_field_count", r"10 fields in place of 5: '\\\\xfe,"),
                ),
            )
        },
    ),
    "a missing required column": Case(
        beside_a_good_one(one_file("bad.csv", lambda ids: [{k: v for k, v in spectrum(ids(1)).items() if k != "source_id"}])),
        {"bad.csv": File("failed", "the header is one of xp_continuous but has no column source_id"), "good.csv": GOOD},
        1,
    ),
    "an extra column": Case(
        one_file("a.csv", lambda ids: [source(ids(1), note="mine"), source(ids(2), note="")]),
        {"a.csv": File(loaded=(1, 2), unknown=("note",), columns={"parallax": (1.25, 1.25)})},
    ),
    "reordered columns": Case(
        one_file("a.csv", lambda ids: [dict(reversed(source(ids(1), parallax="7.5").items())), source(ids(2))]),
        {"a.csv": File(loaded=(1, 2), columns={"parallax": (7.5, 1.25), "ref_epoch": (2016.0, 2016.0)})},
    ),
    "wrong units in the header": Case(
        wrong_units, {"bad.ecsv": File("failed", "the header gives ra in 'rad', gaia_source takes deg"), "good.ecsv": GOOD}, 1
    ),
    "54 coefficients": Case(
        one_file(
            "a.csv",
            lambda ids: [
                spectrum(ids(1)), spectrum(ids(2), bp_n_parameters="54"), spectrum(ids(3), rp_coefficients=numbers(54)),
                spectrum(ids(4), bp_coefficient_errors=numbers(54)), spectrum(ids(5), rp_coefficient_correlations=numbers(54 * 53 // 2)), spectrum(ids(6)),
            ],
        ),
        {
            "a.csv": File(
                loaded=(1, 6),
                rejects=(
                    (2, "wrong_number_of_coefficients", "bp_n_parameters is 54, the release has 55"),
                    (3, "wrong_number_of_coefficients", "rp_coefficients has 54 numbers in place of 55"),
                    (4, "wrong_number_of_errors", "bp_coefficient_errors has 54 numbers in place of 55"),
                    (5, "wrong_number_of_correlations", "rp_coefficient_correlations has 1431 numbers in place of 1485"),
                ),
            )
        },
    ),
    "unparsable numbers, in a list": Case(
        one_file("a.csv", lambda ids: [spectrum(ids(1), bp_coefficients=numbers(N, at3="1.2.3")), spectrum(ids(2)),
                                       spectrum(ids(3), rp_coefficient_correlations=numbers(PAIRS, at0="--"))]),
        {
            "a.csv": File(
                loaded=(2,),
                rejects=((1, "unparsable", "bp_coefficients: '1.2.3' is no number"), (3, "unparsable", "rp_coefficient_correlations: '--' is no number")),
            )
        },
    ),
    "unparsable numbers, alone": Case(
        one_file("a.csv", lambda ids: [source(ids(1), parallax="1,5"), source(ids(2), ra="north"), source(ids(3)) | {"source_id": "0x10"},
                                       source(ids(4), parallax="N/A"), source(ids(5), parallax="1e400"), source(ids(6))]),
        {
            "a.csv": File(
                loaded=(6,),
                rejects=(
                    (1, "unparsable", "parallax: '1,5' is no number"), (2, "unparsable", "ra: 'north' is no number"),
                    (3, "unparsable", "source_id: '0x10' is no integer"), (4, "unparsable", "parallax: 'N/A' is no number"),
                    (5, "unparsable", "parallax: '1e400' does not fit double precision"),
                ),
            )
        },
    ),
    "NaN and infinite errors": Case(
        one_file("a.csv", lambda ids: [spectrum(ids(row), bp_coefficient_errors=numbers(N, at7=seen))
                                       for row, seen in enumerate(("nan", "inf", "-Infinity", "null", "0", "-0.5", "1e39", "0.5"))]),
        {
            "a.csv": File(
                loaded=(8,),
                rejects=tuple(
                    (row, "errors_not_positive", rf"bp_coefficient_errors\[7\] is {seen}$")
                    for row, seen in enumerate(("nan", "inf", "-inf", "nan", r"0\.0", r"-0\.5", "inf"), 1)
                ),
            )
        },
    ),
    "a correlation outside [-1, 1]": Case(
        one_file("a.csv", lambda ids: [spectrum(ids(row), rp_coefficient_correlations=numbers(PAIRS, at2=seen))
                                       for row, seen in enumerate(("1.01", "-1.5", "nan", "inf", "1.0000001", "1"))]),
        {
            "a.csv": File(
                loaded=(5, 6),
                rejects=tuple(
                    (row, "correlations_out_of_range", rf"rp_coefficient_correlations\[2\] is {seen}")
                    for row, seen in enumerate((r"1\.0099", r"-1\.5", "nan", "inf"), 1)
                ),
            )
        },
    ),
    "matrices that are not positive definite": Case(
        one_file("a.csv", lambda ids: [spectrum(ids(1)), spectrum(ids(2), bp_coefficient_correlations=numbers(PAIRS, at0="1", at1="1", at2="-1")),
                                       spectrum(ids(3), rp_coefficient_correlations=numbers(PAIRS, at0="1", at1="1", at2="-1"))]),
        {
            "a.csv": File(
                loaded=(1, 2, 3),
                columns={"flags": (0, int(SpectrumFlag.BP_NOT_POSITIVE_DEFINITE), int(SpectrumFlag.RP_NOT_POSITIVE_DEFINITE))},
            )
        },
    ),
    "a source_id twice within a file": Case(
        one_file("a.csv", lambda ids: [spectrum(ids(1), bp_coefficient_correlations=""), spectrum(ids(2)), spectrum(ids(1)), spectrum(ids(2))]),
        {
            "a.csv": File(
                loaded=(2, 3), rejects=((1, "duplicate_source", "17 of 26 points"), (4, "duplicate_source", "26 of 26 points"))
            )
        },
    ),
    "a source_id in two files": Case(
        in_two_files,
        {"a.csv": File(loaded=(2,), rejects=((1, "duplicate_source", "17 of 26 points"),)), "b.csv": GOOD},
    ),
    "a source_id outside the file's HEALPix range": Case(
        outside_the_range,
        {
            "XpContinuousMeanSpectrum": File(
                loaded=(1,),
                rejects=(
                    (2, "outside_the_files_range", r"source_id \d+ lies in the level-8 pixel \d+, the file's name says"),
                    (3, "source_id_not_positive", "source_id 0"),
                ),
            )
        },
    ),
    "nulls in all spellings": Case(
        nulls,
        {
            "a.csv": File(loaded=(1, 2, 3, 4, 5, 6), columns={"parallax": (None,) * 6}),
            "b.csv": File(loaded=(1, 2, 3, 4, 5, 6), columns={"layout": (0b101011,) * 6}),
            "c.csv": File(loaded=(1,), rejects=tuple((row, "missing_source_id", "source_id is null") for row in range(2, 8))),
        },
    ),
    "-9999 and 99.99": Case(
        one_file("a.csv", lambda ids: [star(ids(1), j_m="99.99", j_msigcom="-9999"), star(ids(2), j_m="-9999.0", j_msigcom="99.990"), star(ids(3)),
                                       star(ids(4), j_m="-9999.99", j_msigcom="99.999"), star(ids(5), j_msigcom="-1")]),
        {
            "a.csv": File(
                loaded=(1, 2, 3, 4),
                columns={"j_m": (None, None, pytest.approx(12.1), None), "j_msigcom": (None, None, pytest.approx(0.02), None)},
                rejects=((5, "error_not_positive", "j_msigcom"),),
            )
        },
    ),
    "quotes that do not close": Case(
        open_quotes,
        {
            "a.csv": File(
                loaded=(1, 3, 5),
                rejects=((2, "wrong_field_count", "a quote is not closed: "), (4, "unparsable", "parallax: '1.25\"' is no number")),
            )
        },
    ),
    "mixed line ends": Case(mixed_line_ends, {"a.csv": File(loaded=(1, 2, 3, 4, 5, 6), columns={"parallax": (1.25,) * 6})}),
    "a row of 40 kB": Case(
        one_file("a.csv", lambda ids: [source(ids(1), parallax="9" * 40_000), source(ids(2)), source(ids(3), ra="x" * 40_000)]),
        {"a.csv": File(loaded=(2,), rejects=((1, "unparsable", "parallax: '99999"), (3, "unparsable", "ra: 'xxxxx")))},
    ),
    "a row of 40 kB that is malformed": Case(
        malformed_row_of_40_kb,
        {"a.csv": File(loaded=(1, 3), rejects=((2, "wrong_field_count", "20001 fields in place of 9: '7,7,7"),))},
    ),
    "an empty file": Case(
        empty_files, {"a.csv": File("not_a_product", "an empty file"), "b.csv.gz": File("not_a_product", "an empty file"), "c.csv": File()}
    ),
    "a file that grows while it is read": Case(
        beside_a_good_one(one_file("bad.csv", lambda ids: [source(ids(1)), source(ids(2))])),
        {"bad.csv": File("failed", "bad.csv changed while it was read; add it again when it is whole"), "good.csv": GOOD},
        1,
        while_loading=grow,
    ),
    "the source without BP": Case(
        one_file("a.csv", lambda ids: [spectrum(5405570973190252288) | {name: "" for name in spectrum(1) if name.startswith("bp_")}, spectrum(ids(1)),
                                       spectrum(ids(2)) | {name: "" for name in spectrum(1) if name != "source_id"}]),
        {
            "a.csv": File(
                loaded=(1, 2), columns={"layout": (0b101010, 0b111111)}, rejects=((3, "nothing_in_either_band", "no coefficients in BP and RP"),)
            )
        },
    ),
}  # fmt: skip


@pytest.fixture
def kiel(
    catalogue: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, Any]]]:
    """Runs a command of ``kiel ingest`` with --json: its exit code and what it tells."""
    monkeypatch.setenv("KIEL_DATABASE_URL", catalogue.url)
    monkeypatch.setenv("KIEL_TAP_DATABASE_URL", catalogue.tap_url)
    monkeypatch.setenv("KIEL_HOME", str(tmp_path / "home"))
    settings.cache_clear()

    def run(*words: str | Path) -> tuple[int, Any]:
        capsys.readouterr()
        code = main(["ingest", *map(str, words), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out)

    yield run
    settings.cache_clear()


def in_table(database: Database, file: dict[str, Any], columns: list[str]) -> list[tuple[Any, ...]]:
    """Row number and the named columns of what a file has in its product's table, in the order of the rows."""
    table = next(product.table.name for product in PRODUCTS if product.name == file["product"])
    query = sql.SQL("SELECT {} FROM store.{} WHERE file_id = {} ORDER BY row_number").format(
        sql.SQL(", ").join(map(sql.Identifier, ["row_number", *columns])), sql.Identifier(table), file["file_id"]
    )
    with database.connect(Role.WORKER) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("name", CASES)
def test_good_rows_load_and_bad_ones_are_told(name: str, catalogue: Database, kiel: Any, tmp_path: Path) -> None:
    case = CASES[name]
    folder = tmp_path / "files"
    folder.mkdir()
    first = (1 + list(CASES).index(name)) << 45
    case.make(folder, lambda number: first + number * STEP)
    if case.while_loading is None:
        code, told = kiel("add", folder, "--work")
    else:
        code, told = while_loading(catalogue, kiel, folder, case.while_loading)
    assert code == case.exit_code, told
    assert told["unreadable"] == []
    assert len(told["files"]) == len(case.files)
    rejects = kiel("rejects", "--file", folder)[1]["rejects"]
    for expected_name, expected in case.files.items():
        file = next(each for each in told["files"] if Path(each["name"]).name.startswith(expected_name))
        assert (expected_name, file["state"], file["reason"] is None) == (expected_name, expected.state, expected.reason is None), file[
            "reason"
        ]
        assert expected.reason is None or re.search(expected.reason, file["reason"]), file["reason"]
        found = [(row["row_number"], row["reason"], row["detail"]) for row in rejects if row["file"] == file["name"]]
        assert [row[:2] for row in found] == [row[:2] for row in expected.rejects], found
        assert all(re.search(wanted[2], seen[2]) for wanted, seen in zip(expected.rejects, found, strict=True)), found
        if expected.state != "loaded":
            assert file["rows_loaded"] is file["rows_rejected"] is None
            continue
        assert (file["rows_in"], file["rows_loaded"], file["rows_rejected"]) == (
            len(expected.loaded) + len(expected.rejects), len(expected.loaded), len(expected.rejects),
        )  # fmt: skip
        assert in_table(catalogue, file, list(expected.columns)) == list(zip(expected.loaded, *expected.columns.values(), strict=True))
        assert file["contract"]["unknown_columns"] == list(expected.unknown)
    assert kiel("verify", "--strict", "--no-hash")[0] == 0


def while_loading(database: Database, kiel: Any, folder: Path, act: Callable[[Path], None]) -> tuple[int, Any]:
    """Add and load the folder; ``act`` once the first file is verified and its loader waits for a table that the test holds."""
    ended: list[tuple[int, Any]] = []
    with database.connect(Role.OWNER) as barrier:
        barrier.execute("LOCK TABLE store.gaia_source IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=lambda: ended.append(kiel("add", folder, "--work")))
        thread.start()
        with database.connect(Role.WORKER, autocommit=True) as connection:
            end = time.monotonic() + 60
            while not connection.execute("SELECT 1 FROM store.ingest_file WHERE state = 'loading'").fetchone():
                assert time.monotonic() < end, ended
                time.sleep(0.02)
        act(folder)
    thread.join()
    return ended[0]


def test_a_release_that_does_not_exist_is_wrong_usage_and_nothing_is_written(catalogue: Database, kiel: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [source(7 * STEP)])
    code, told = kiel("add", tmp_path, "--work", "--release", "gaia_dr9")
    assert (code, told["kind"]) == (2, "UsageError")
    assert "gaia_dr9" in told["error"]
    with catalogue.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT name FROM store.ingest_file WHERE starts_with(name, %s)", [str(tmp_path)]).fetchall() == []


def test_the_command_itself_ends_with_the_same_codes(catalogue: Database, tmp_path: Path) -> None:
    """What the cases ask in this process, asked once of processes: exit code, one JSON object on stdout, no traceback."""
    environment = {
        **os.environ,
        "KIEL_DATABASE_URL": catalogue.url,
        "KIEL_TAP_DATABASE_URL": catalogue.tap_url,
        "KIEL_HOME": str(tmp_path / "home"),
    }
    folder = tmp_path / "files"
    folder.mkdir()
    write(folder / "good.csv", [source(900 << 45), source(0)])
    (folder / "bad.csv").write_text("source_id,ra,dec\n1,2")
    for words, code in ((["add", str(folder), "--work"], 1), (["work", "--release", "gaia_dr9"], 2)):
        command = [sys.executable, "-m", "kiel_main", "ingest", *words, "--json"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        json.loads(done.stdout)
