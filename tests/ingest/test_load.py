"""Files into tables: whole or not at all, once, in any order, by any number of loaders, whatever is killed."""

import gzip
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.database import Database, Role
from catalog.errors import TransientError, UsageError
from catalog.healpix import MAX_PADDING, cone_ranges, pixel_offset
from catalog.version import ROOT
from ingest.audit import audit
from ingest.load import Step, add_paths, load_pending
from ingest.registry import PRODUCTS

DR3 = "gaia_dr3"
GOOD = 4295806720
Holdings = Callable[[Database], dict[str, list[tuple[Any, ...]]]]


def load(database: Database, *paths: Path, **how: Any) -> Any:
    return add_paths(database, DR3, paths, work=True, **how)


def consistent(found: dict[str, list[tuple[Any, ...]]]) -> bool:
    """Every row that was read stands in the catalogue or in the rejects, and a duplicate's winner is the file that holds the source."""
    held = Counter(row[-1] for row in (*found["spectra"], *found["sources"], *found["others"]))
    rejected = Counter(row[0] for row in found["rejects"])
    product = {row[0]: row[1] for row in found["files"]}
    holder = {("xp_continuous", row[0]): row[-1] for row in found["spectra"]} | {
        ("gaia_source", row[0]): row[-1] for row in found["sources"]
    }
    by_source = {each.table.name: each.name for each in PRODUCTS if each.key == ("source_id",)}
    holder |= {(by_source[row[0]], int(row[1])): row[-1] for row in found["others"] if row[0] in by_source}
    for sha256, _, state, _, rows_in, rows_loaded, rows_rejected in found["files"]:
        if state == "loaded":
            assert (rows_loaded, rows_rejected) == (held[sha256], rejected[sha256])
            assert rows_in == rows_loaded + rows_rejected
        else:
            assert held[sha256] == rejected[sha256] == 0
    for sha256, _, source_id, reason, _, winner in found["rejects"]:
        assert winner == (holder[product[sha256], source_id] if reason == "duplicate_source" else None)
    return True


# --- bad input ----------------------------------------------------------------------------------------------------------------


def _gzip_truncated(archive: Any, path: Path) -> None:
    archive.csv(path.with_suffix(".gz"), [archive.spectrum(GOOD + 128 * i) for i in range(30)])
    content = path.with_suffix(".gz").read_bytes()
    path.with_suffix(".gz").unlink()
    path.write_bytes(content[:-20])


def _cut(archive: Any, path: Path, write: str) -> None:
    getattr(archive, write)(path, [archive.spectrum(GOOD + 128 * i) for i in range(5)])
    path.write_bytes(path.read_bytes()[:-4000])


BAD_FILES = {
    "a truncated gzip": (_gzip_truncated, "failed", "truncated"),
    "a truncated FITS": (lambda a, p: _cut(a, p, "fits"), "failed", "truncated"),
    "a truncated Parquet": (lambda a, p: _cut(a, p, "parquet"), "failed", "damaged or truncated"),
    "a truncated VOTable": (lambda a, p: _cut(a, p, "votable"), "failed", "damaged or truncated"),
    "a truncated CSV": (lambda a, p: _cut(a, p, "csv"), "failed", "truncated"),
    "a truncated zip": (lambda a, p: p.write_bytes(b"PK\x03\x04" + bytes(200)), "failed", "zip archive"),
    "spectra without source_id": (lambda a, p: p.write_text('bp_coefficients\n"(1, 2)"\n'.replace("\n", ",x\n")), "failed", "source_id"),
    "a column named twice": (lambda a, p: p.write_text("source_id,ra,dec,ra\n1,2,3,4\n"), "failed", "more than once"),
    "binary junk": (lambda a, p: p.write_bytes(random.Random(1).randbytes(5000)), "not_a_product", "binary data"),
    "an empty file": (lambda a, p: p.write_bytes(b""), "not_a_product", "empty"),
    "a README": (lambda a, p: p.write_text("Files of a survey\n"), "not_a_product", "text that begins"),
    "a letter of one line": (lambda a, p: p.write_text("Dear reader, no table here"), "not_a_product", "dear reader, no table"),
    "a header cut short": (lambda a, p: p.write_text("source_id,ra,dec"), "failed", "inside its header"),
    "a last number cut short": (lambda a, p: p.write_text("source_id,ra,dec\n4295806720,45,0.00"), "failed", "no line end"),
    "a table of something else": (lambda a, p: p.write_text("name,mag\nVega,0.03\n"), "not_a_product", "name, mag"),
    "gaia_source without dec": (lambda a, p: p.write_text("source_id,ra,parallax\n1,2,3\n"), "not_a_product", "source_id, ra, parallax"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_leaves_no_row_and_costs_no_other_file(
    name: str, archive: Any, database: Database, holdings: Holdings, tmp_path: Path
) -> None:
    make, state, reason = BAD_FILES[name]
    make(archive, tmp_path / "1 bad")
    archive.csv(tmp_path / "2 good", [archive.spectrum(GOOD)])
    summary = load(database, tmp_path)
    bad, good = summary.files
    assert (bad.state, good.state) == (state, "loaded")
    assert re.search(reason, bad.reason)
    found = holdings(database)
    assert [row[0] for row in found["spectra"]] == [GOOD]
    assert consistent(found)
    assert load_pending(database, DR3).files == ()  # nothing waits: what failed is not tried again unasked


def test_a_zip_whose_members_have_longer_names_than_a_folder_may_hold(archive: Any, database: Database, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("x" * 300 + ".csv", archive.text([archive.source(GOOD)]))
    archive.csv(tmp_path / "b.csv", [archive.source(GOOD + 128)])
    assert [file.state for file in load(database, tmp_path).files] == ["loaded", "loaded"]
    assert audit(database, DR3, strict=True).differences == ()


def test_a_file_that_the_system_cannot_read_is_told_and_costs_no_other(archive: Any, database: Database, tmp_path: Path) -> None:
    unreadable = Path("/proc/self/mem")
    if not unreadable.is_file():
        pytest.skip("needs a file whose reading ends in an I/O error, such as Linux's /proc/self/mem")
    summary = load(database, unreadable, archive.csv(tmp_path / "file.csv", [archive.source(GOOD)]))
    assert [file.state for file in summary.files] == ["loaded"]
    (told,) = summary.unreadable
    assert "/proc/self/mem cannot be read" in told


def test_a_name_that_no_text_can_hold_is_told_and_costs_no_other(archive: Any, database: Database, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"stars\xe9.csv")).write_text("a,b\n")
    archive.csv(tmp_path / "file.csv", [archive.source(GOOD)])
    summary = load(database, tmp_path)
    assert [file.state for file in summary.files] == ["loaded"]
    (told,) = summary.unreadable
    assert "stars\\udce9.csv is not UTF-8" in told


def test_a_file_with_only_a_header_is_loaded_with_no_rows(archive: Any, database: Database, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text(",".join(archive.columns) + "\n")
    (file,) = load(database, tmp_path).files
    assert (file.state, file.rows_in, file.rows_loaded) == ("loaded", 0, 0)


@pytest.mark.parametrize(("names", "state"), [(("a", "b\0c"), "not_a_product"), (("source_id", "ra", "dec", "b\0c"), "loaded")])
def test_a_header_with_a_character_that_no_database_holds_is_no_trouble(
    names: tuple[str, ...], state: str, database: Database, tmp_path: Path
) -> None:
    pq.write_table(pa.table({name: [GOOD if name == "source_id" else 0.005] for name in names}), tmp_path / "file.parquet")
    (file,) = load(database, tmp_path).files
    assert (file.state, file.reason and "b\ufffdc" in file.reason) == (state, True if state == "not_a_product" else None)


def test_a_damaged_byte_costs_its_row_alone(archive: Any, database: Database, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "file.csv", [archive.source(GOOD), archive.source(GOOD + 128), archive.source(GOOD + 256)])
    path.write_bytes(path.read_bytes().replace(b"%d,45.0" % (GOOD + 128), b"%d,4\x15.0" % (GOOD + 128)))
    (file,) = load(database, path).files
    assert (file.state, file.rows_loaded, file.rows_rejected) == ("loaded", 2, 1)


def test_extra_and_reordered_columns_and_rows_of_other_lengths(
    archive: Any, database: Database, holdings: Holdings, tmp_path: Path
) -> None:
    rows = [archive.spectrum(GOOD, "err") | {"note": "a, b"}, archive.spectrum(GOOD + 128, "err")]
    text = archive.text(rows, columns=["note", *reversed(archive.columns)])
    (tmp_path / "file.csv").write_text(text + "1,2,3\n")
    (file,) = load(database, tmp_path).files
    assert (file.rows_in, file.rows_loaded, file.rows_rejected) == (3, 2, 1)
    assert [row[1:4] for row in holdings(database)["rejects"]] == [(3, None, "wrong_field_count")]


def test_an_unknown_release_and_a_wrong_path_are_refused_before_anything_is_written(
    database: Database, archive: Any, tmp_path: Path, holdings: Holdings
) -> None:
    archive.csv(tmp_path / "file.csv", [archive.source(GOOD)])
    with pytest.raises(UsageError, match="gaia_dr9"):
        add_paths(database, "gaia_dr9", [tmp_path])
    with pytest.raises(UsageError, match="no file or folder"):
        add_paths(database, DR3, [tmp_path, tmp_path / "nothing"])
    assert holdings(database)["files"] == []


# --- adding again -------------------------------------------------------------------------------------------------------------


def test_adding_twice_changes_nothing(archive: Any, database: Database, holdings: Holdings, tmp_path: Path) -> None:
    archive.csv(tmp_path / "a.csv", [archive.spectrum(GOOD), archive.spectrum(GOOD)])
    archive.csv(tmp_path / "b.csv", [archive.source(GOOD)])
    first = load(database, tmp_path)
    before = holdings(database)
    shutil.copy(tmp_path / "a.csv", tmp_path / "the same under another name")
    again = load(database, tmp_path, retry=True)
    assert (first.added, again.added) == (2, 0)
    assert holdings(database) == before
    assert again.rows_loaded == 2


def test_a_failed_file_is_tried_again_on_request_alone(archive: Any, database: Database, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.spectrum(GOOD)])
    add_paths(database, DR3, [path])
    moved = path.rename(tmp_path / "b.csv")
    (gone,) = load_pending(database, DR3).files
    assert gone.state == "failed"
    assert "not there any more" in gone.reason
    (known,) = load(database, moved).files
    assert known.state == "failed"
    (retried,) = load(database, moved, retry=True).files
    assert (retried.state, retried.rows_loaded, retried.name) == ("loaded", 1, str(moved))


def test_a_planned_file_that_moved_is_found_under_its_new_name(archive: Any, database: Database, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.spectrum(GOOD)])
    add_paths(database, DR3, [path])
    (file,) = load(database, path.rename(tmp_path / "b.csv")).files
    assert file.state == "loaded"


def test_a_file_that_changed_after_it_was_added_fails(archive: Any, database: Database, holdings: Holdings, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.source(GOOD)])
    add_paths(database, DR3, [path])
    archive.csv(path, [archive.source(GOOD + 128)])
    (file,) = load_pending(database, DR3).files
    assert file.state == "failed"
    assert "changed" in file.reason
    assert holdings(database)["sources"] == []


# --- duplicates ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def overlapping(archive: Any, tmp_path: Path) -> list[Path]:
    """Files that share sources at several levels of fullness, with ties between files and within them, and bad rows among them."""
    folder = tmp_path / "overlapping"
    folder.mkdir()
    ids = [GOOD + 128 * i for i in range(6)]
    one_band = archive.spectrum(ids[3], "full", ("rp",))
    bad = archive.spectrum(ids[4]) | {"bp_n_parameters": 54}
    return [
        archive.csv(folder / "a.csv", [archive.spectrum(i, "coef") for i in ids]),
        archive.csv(folder / "b.csv.gz", [archive.spectrum(ids[0], "err"), archive.spectrum(ids[1], "full"), archive.spectrum(ids[0], "err", seed=1)]),
        archive.fits(folder / "c.fits", [archive.spectrum(ids[0], "err", seed=2), archive.spectrum(ids[2], "full", seed=2)]),
        archive.parquet(folder / "d.parquet", [archive.spectrum(ids[1], "full", seed=3), one_band, archive.spectrum(ids[2], "coef"), bad]),
        archive.csv(folder / "e.csv", [one_band, archive.spectrum(ids[3], "err"), bad, archive.spectrum(ids[5], "coef", seed=4)]),
        archive.csv(folder / "f.csv", [archive.source(i, ra=44.997, dec=0.006) for i in ids[:3]]),
        archive.csv(folder / "g.csv", [archive.source(ids[0], teff_gspphot=5000.0), archive.source(ids[1], ra=44.998, dec=0.006, parallax=None)]),
        archive.csv(folder / "h.csv", [archive.source(ids[2], ra=120.0, dec=0.006)]),
    ]  # fmt: skip


def test_the_fullest_row_of_a_source_stays_and_ties_go_to_the_smallest_sha256(
    archive: Any, any_database: Database, holdings: Holdings, tmp_path: Path
) -> None:
    database = any_database
    one = archive.csv(
        tmp_path / "one.csv", [archive.spectrum(GOOD, "err"), archive.spectrum(GOOD + 128, "full"), archive.spectrum(GOOD, "err", seed=1)]
    )
    two = archive.csv(tmp_path / "two.csv", [archive.spectrum(GOOD, "full", ("rp",)), archive.spectrum(GOOD + 128, "full", seed=1)])
    load(database, one, two)
    found = holdings(database)
    sha = {Path(file.name).name: file.sha256 for file in load(database, one, two).files}
    assert [(row[0], row[2]) for row in found["spectra"]] == [(GOOD, 42), (GOOD + 128, 63)]  # correlations in one band beat errors in two
    assert found["spectra"][0][-1] == sha["two.csv"]
    assert found["spectra"][1][-1] == min(sha.values())
    assert [row[1] for row in found["rejects"] if row[0] == sha["one.csv"] and row[2] == GOOD] == [1, 3]
    assert consistent(found)


def test_the_catalogue_is_the_same_for_every_order_of_files(
    overlapping: list[Path], database: Database, holdings: Holdings, emptied: Callable[[Database], None]
) -> None:
    shuffled = random.Random(20261121)
    load(database, *overlapping)
    expected = holdings(database)
    assert consistent(expected)
    assert Counter(row[3] for row in expected["rejects"])["duplicate_source"] > 8
    for _ in range(8):
        emptied(database)
        order = shuffled.sample(overlapping, len(overlapping))
        cut = shuffled.randrange(len(order))
        load(database, *order[:cut])
        assert consistent(holdings(database))
        load(database, *order[cut:])
        assert holdings(database) == expected, [path.name for path in order]


def test_several_loaders_at_once_load_each_file_once(
    overlapping: list[Path], database: Database, holdings: Holdings, emptied: Callable[[Database], None]
) -> None:
    load(database, *overlapping)
    expected = holdings(database)
    for _ in range(3):
        emptied(database)
        add_paths(database, DR3, overlapping)
        loaded: list[str] = []

        def note(step: Step, loaded: list[str] = loaded) -> None:
            if step.action == "loading":
                loaded.append(step.file.sha256)

        faults: list[BaseException] = []

        def work(note: Callable[[Step], None] = note, faults: list[BaseException] = faults) -> None:
            try:
                assert all(file.state == "loaded" for file in load_pending(database, DR3, report=note).files)
            except BaseException as error:
                faults.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert sorted(loaded) == sorted(row[0] for row in expected["files"])
        assert holdings(database) == expected


# --- positions ----------------------------------------------------------------------------------------------------------------


def test_offsets_from_the_pixel_pad_the_release_and_far_sources_are_listed(
    archive: Any, database: Database, holdings: Holdings, tmp_path: Path
) -> None:
    # Pixel 0 of level 12 has its southern corner at ra 45, dec 0; a step south is a step outside.
    arcsec = 1 / 3600
    rows = [
        archive.source(GOOD, ra=45.0, dec=0.005), archive.source(GOOD + 128, ra=45.0, dec=-4 * arcsec),
        archive.source(GOOD + 256, ra=45.0, dec=-12 * arcsec),
    ]  # fmt: skip
    archive.csv(tmp_path / "a.csv", rows)
    load(database, tmp_path)
    found = holdings(database)
    assert found["offset"][0][0] == pytest.approx(4 * arcsec, abs=0.01 * arcsec)
    assert found["offset"][0][0] <= MAX_PADDING
    assert [source_id for source_id, _ in found["displaced"]] == [GOOD + 256]
    assert found["displaced"][0][1] == pytest.approx(12 * arcsec, abs=0.01 * arcsec)


def test_a_file_with_positions_of_another_frame_fails_and_lists_no_source(
    archive: Any, database: Database, holdings: Holdings, tmp_path: Path
) -> None:
    archive.csv(tmp_path / "a.csv", [archive.source(GOOD + 128 * row, ra=45.0, dec=-10.0 - row) for row in range(30)])
    summary = load(database, tmp_path)
    assert summary.count("failed") == 1
    assert "30 of 30 rows lie more than 10 arcsec outside" in str(summary.failed[0].reason)
    found = holdings(database)
    assert found["displaced"] == [] and found["offset"][0][0] == 0


# --- killed loaders -----------------------------------------------------------------------------------------------------------

_LOADER = """
import sys
from catalog.database import Database
from ingest.load import load_pending
load_pending(Database(sys.argv[1], sys.argv[2]), "gaia_dr3", report=lambda step: print(step.action, flush=True))
"""


def loader(database: Database) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _LOADER, database.url, database.tap_url]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_loader_killed_at_any_point_and_started_again_ends_in_the_same_catalogue(
    archive: Any, database: Database, holdings: Holdings, emptied: Callable[[Database], None], tmp_path: Path
) -> None:
    template = [archive.spectrum(GOOD, level) for level in ("full", "err")]
    for number, level in enumerate(("full", "err", "full")):
        rows = [template[level == "err"] | {"source_id": GOOD + 128 * (i + 100 * number)} for i in range(250)]
        archive.csv(tmp_path / f"{number}.csv.gz", rows)
    load(database, tmp_path)
    expected = holdings(database)
    assert consistent(expected)
    assert len(expected["spectra"]) == 450
    emptied(database)
    add_paths(database, DR3, [tmp_path])
    states = Counter()
    for delay in (0.05, 0.3, 0.0):
        process = loader(database)
        assert process.stdout is not None
        if process.stdout.readline() != "loading\n":
            break
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = holdings(database)
        states.update(row[2] for row in found["files"])
        held = Counter(row[-1] for row in found["spectra"])
        assert all(held[row[0]] == 0 for row in found["files"] if row[2] != "loaded")
    assert states["loading"] + states["verified"], "no loader was killed while it was at work"
    assert {file.state for file in load_pending(database, DR3).files} <= {"loaded"}
    assert holdings(database) == expected


def test_two_loading_processes_at_once_end_in_the_same_catalogue(
    overlapping: list[Path], database: Database, holdings: Holdings, emptied: Callable[[Database], None]
) -> None:
    load(database, *overlapping)
    expected = holdings(database)
    emptied(database)
    add_paths(database, DR3, overlapping)
    processes = [loader(database) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(output.count("loading") for output in outputs) == len(overlapping)
    assert holdings(database) == expected


def test_a_database_that_goes_away_is_a_passing_fault_and_the_file_waits(
    archive: Any, database: Database, holdings: Holdings, tmp_path: Path
) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.spectrum(GOOD)])

    def cut_off(step: Step) -> None:
        if step.action == "loading":
            with database.connect(None, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    with pytest.raises(TransientError, match="repeat"):
        load(database, path, report=cut_off)
    assert [row[2] for row in holdings(database)["files"]] == ["planned"]
    (file,) = load_pending(database, DR3).files
    assert (file.state, file.rows_loaded) == ("loaded", 1)


# --- real files ---------------------------------------------------------------------------------------------------------------


def test_the_real_folder_gives_every_real_source_at_its_level(database: Database, holdings: Holdings, real_data: Path) -> None:
    """The whole folder, with everything in it that is no product, against the index of its XP sources."""
    index: dict[int, str] = {}
    for line in gzip.decompress((real_data / "xp_index.csv.gz").read_bytes()).decode().splitlines()[1:]:
        source_id, level, _ = line.split(",", 2)
        index[int(source_id)] = level
    summary = load(database, real_data)
    assert summary.count("failed") == 0
    found = holdings(database)
    assert consistent(found)
    level = {row[0]: "full" if row[2] & 48 else "err" if row[2] & 12 else "coef" for row in found["spectra"]}
    assert level == index
    assert len(level) == 5481
    assert Counter(row[3] for row in found["rejects"] if row[3] != "duplicate_source") == {"epoch_of_another_release": 5, "unparsable": 3}
    assert found["offset"][0][0] * 3600 == pytest.approx(5.5, abs=0.1)  # real sources outside the pixel of their identifier
    products = {Path(file.name).name: file.product for file in summary.files}
    assert products["gaia_source_1457.parquet"] == products["1714556098855O-result.vot"] == "gaia_source"
    assert (products["RVS_Kepler-93.csv.gz"], products["XP_SAMPLED_RAW_dr3int6.fits"]) == ("rvs_mean", "xp_sampled")


def test_every_displaced_real_source_is_found_by_a_one_arcsecond_cone(database: Database, real_data: Path) -> None:
    load(database, real_data / "labels", real_data / "archive_formats")
    with database.connect(Role.WORKER) as connection:
        rows = connection.execute("SELECT source_id, ra, dec FROM store.gaia_source ORDER BY source_id").fetchall()
        (padding,) = connection.execute("SELECT largest_pixel_offset FROM store.release WHERE name = %s", [DR3]).fetchone() or (0.0,)
    source_id, ra, dec = (np.array(column) for column in zip(*rows, strict=True))
    displaced = np.flatnonzero(pixel_offset(source_id, ra, dec) > 0)
    assert len(displaced) >= 8
    for row in displaced:
        ranges = cone_ranges(ra[row], dec[row], 1 / 3600, padding)
        assert any(first <= source_id[row] < last for first, last in ranges)
