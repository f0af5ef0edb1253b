"""Sampled spectra in lines: each is one row, on the table's wavelengths, and what is wrong with a line costs its own spectrum only."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.releases import KNOWN_RELEASES
from ingest.file_table import FileTable
from ingest.product import CheckedRows, FileContext, Product
from ingest.products.rvs_mean import GRID as RVS_GRID
from ingest.products.xp_sampled import GRID, XP_SAMPLED
from ingest.reader import blocks_of, open_table
from ingest.registry import product_of
from ingest.source_file import SourceFile
from ingest.spectrum_lines import gathered, rows_between

DR3 = KNOWN_RELEASES["gaia_dr3"]
STARS = (5937083312263887616, 4295806720, 6917528997577384321)
WAVELENGTHS = 336.0 + 2.0 * np.arange(343)

Line = dict[str, Any]


def flux_of(star: int) -> np.ndarray:
    return np.float32(1e-17) * np.random.default_rng(star).uniform(1, 9, 343).astype(np.float32)


def lines_of(star: int) -> list[Line]:
    flux = flux_of(star)
    return [
        {"source_id": star, "solution_id": 7, "wavelength": float(at), "flux": float(one), "flux_error": float(one) / 8}
        for at, one in zip(WAVELENGTHS, flux, strict=True)
    ]


def as_csv(path: Path, lines: list[Line]) -> Path:
    rows = [
        ",".join("" if value is None else repr(value) if not isinstance(value, str) else value for value in line.values()) for line in lines
    ]
    path.write_text("\n".join([",".join(lines[0]), *rows, ""]))
    return path


def checked(path: Path) -> tuple[list[CheckedRows], Product]:
    with open_table(SourceFile(path)) as reader:
        found = product_of(reader.tables)
        assert found is not None
        product, tables = found
        blocks = product.rows(blocks_of(SourceFile(path), reader, tables, product.fields))
        return [product.check(block, FileContext(DR3, path.name)) for block in blocks], product


def summary(path: Path) -> tuple[dict[int, tuple[int, int]], list[tuple[int, str, str]]]:
    """Source -> first line and bad pixels of each spectrum; line, reason and detail of each reject."""
    blocks, _ = checked(path)
    good = {
        int(source): (int(line), int(bad))
        for rows in (block.rows for block in blocks)
        for source, line, bad in zip(rows["source_id"], rows["row_number"], rows["n_bad"], strict=True)
    }
    bad = [
        (int(line), str(reason), str(detail))
        for rejects in (block.rejects for block in blocks)
        for line, reason, detail in zip(rejects.row_number, rejects.reason, rejects.detail, strict=True)
    ]
    return good, bad


def test_lines_and_lists_give_the_same_spectra(tmp_path: Path) -> None:
    lines = [line for star in STARS for line in lines_of(star)]
    as_csv(tmp_path / "lines.csv", lines)
    Table(rows=lines).write(tmp_path / "lines.fits")
    pq.write_table(
        pa.table(
            {
                "source_id": list(STARS), "solution_id": [7] * 3, "wavelength": [WAVELENGTHS.tolist()] * 3,
                "flux": [flux_of(star).astype(float).tolist() for star in STARS],
                "flux_error": [(flux_of(star).astype(float) / 8).tolist() for star in STARS],
            }
        ),
        tmp_path / "lists.parquet",
    )  # fmt: skip
    for name, first_lines in (("lines.csv", [1, 344, 687]), ("lines.fits", [1, 344, 687]), ("lists.parquet", [1, 2, 3])):
        blocks, product = checked(tmp_path / name)
        assert product is XP_SAMPLED
        rows = {int(source): (flux, int(line)) for block in blocks for source, flux, line in
                zip(block.rows["source_id"], block.rows["flux"], block.rows["row_number"], strict=True)}  # fmt: skip
        assert not sum(len(block.rejects) for block in blocks)
        assert [line for _, line in rows.values()] == first_lines
        for star in STARS:
            assert np.array_equal(rows[star][0], flux_of(star)), (name, star)


def drop(*pixels: int) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [line for at, line in enumerate(lines) if at not in pixels]


def change(pixel: int, **values: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [line | (values if at == pixel else {}) for at, line in enumerate(lines)]


TAKEN: dict[str, tuple[Callable[[list[Line]], list[Line]], int]] = {
    "all lines": (lambda lines: lines, 0),
    "lines in another order": (lambda lines: lines[:1] + lines[:0:-1], 0),
    "a line that is missing": (drop(100), 1),
    "the first and the last line missing": (drop(0, 342), 2),
    "a null flux": (change(5, flux=None), 1),
    "a flux that is nan": (change(5, flux="NaN"), 1),
    "a null error": (change(5, flux_error=None), 1),
    "a null of both": (change(5, flux=None, flux_error="null"), 1),
    "a negative flux": (change(5, flux=-1e-18), 0),
    "a wavelength as float32 rounds it": (change(5, wavelength="346.00003"), 0),
    "all but one line missing": (drop(*range(342)), 342),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_spectrum_with_missing_pixels_is_taken_and_they_are_counted(name: str, tmp_path: Path) -> None:
    alter, n_bad = TAKEN[name]
    path = as_csv(tmp_path / "file", [*lines_of(STARS[0]), *alter(lines_of(STARS[1])), *lines_of(STARS[2])])
    good, bad = summary(path)
    assert bad == []
    assert {star: count for star, (_, count) in good.items()} == {STARS[0]: 0, STARS[1]: n_bad, STARS[2]: 0}
    assert good[STARS[1]][0] == 344


REJECTED: dict[str, tuple[Callable[[list[Line]], list[Line]], str, str]] = {
    "a wavelength between two pixels": (change(5, wavelength=347.0), "lines_off_the_grid", "wavelength 347 is none of 336 to 1020 nm by 2"),
    "a wavelength beyond the end": (change(342, wavelength=1022.0), "lines_off_the_grid", "wavelength 1022 is none"),
    "wavelengths in Angstrom": (
        lambda lines: [line | {"wavelength": line["wavelength"] * 10} for line in lines],
        "lines_off_the_grid",
        "3360",
    ),
    "a wavelength that is missing": (change(5, wavelength=None), "lines_off_the_grid", "nan"),
    "a wavelength that is infinite": (change(5, wavelength="inf"), "lines_off_the_grid", "inf"),
    "a wavelength that comes twice": (change(6, wavelength=346.0), "lines_off_the_grid", "wavelength 346 comes twice"),
    "lines that do not agree": (change(6, solution_id=8), "lines_off_the_grid", "line 350 has another solution_id"),
    "a word for a flux": (change(6, flux="bright"), "unparsable", "flux: line 350: 'bright' is no number"),
    "a word for a wavelength": (change(6, wavelength="red"), "unparsable", "wavelength: line 350: 'red' is no number"),
    "no flux at all": (lambda lines: [line | {"flux": None} for line in lines], "no_flux", "none of the 343"),
    "an infinite flux": (change(6, flux="inf"), "flux_not_finite", "flux[6] is inf"),
    "a flux beyond float32": (change(6, flux=1e39), "flux_not_finite", "flux[6] is 1e+39"),
    "an error of zero": (change(6, flux_error=0.0), "flux_error_not_positive", "flux_error[6] is 0.0"),
    "a negative error": (change(6, flux_error=-1e-18), "flux_error_not_positive", "flux_error[6] is -1e-18"),
    "an infinite error": (change(6, flux_error="inf"), "flux_error_not_positive", "flux_error[6] is inf"),
    "no identifier": (lambda lines: [line | {"source_id": None} for line in lines], "missing_source_id", "null"),
    "an identifier of zero": (lambda lines: [line | {"source_id": 0} for line in lines], "source_id_not_positive", "0"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_bad_spectrum_is_one_reject_and_its_neighbours_load(name: str, tmp_path: Path) -> None:
    alter, reason, detail = REJECTED[name]
    path = as_csv(tmp_path / "file", [*lines_of(STARS[0]), *alter(lines_of(STARS[1])), *lines_of(STARS[2])])
    good, bad = summary(path)
    assert good == {STARS[0]: (1, 0), STARS[2]: (687, 0)}
    assert [each[:2] for each in bad] == [(344, reason)]
    assert detail in bad[0][2]


def test_a_line_that_cannot_be_told_apart_is_a_reject_of_its_own_and_its_pixel_is_missing(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "file", [line for star in STARS for line in lines_of(star)])
    lines = path.read_text().splitlines()
    lines[350] += ",1,2"
    path.write_text("\n".join([*lines, ""]))
    good, bad = summary(path)
    assert good == {STARS[0]: (1, 0), STARS[1]: (344, 1), STARS[2]: (687, 0)}
    assert [each[:2] for each in bad] == [(350, "wrong_field_count")]


def test_a_source_that_comes_again_begins_another_spectrum(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "file", [*lines_of(STARS[0]), *lines_of(STARS[0])[:200], *lines_of(STARS[1])])
    blocks, _ = checked(path)
    rows = [row for block in blocks for row in zip(block.rows["source_id"].tolist(), block.rows["n_bad"].tolist(), strict=True)]
    assert rows == [(STARS[0], 0), (STARS[0], 143), (STARS[1], 0)]


def test_lists_of_another_length_than_their_wavelengths_are_rejected(tmp_path: Path) -> None:
    lists = [WAVELENGTHS.tolist()] * 2
    flux = flux_of(1).tolist()
    pq.write_table(
        pa.table({"source_id": list(STARS[:2]), "wavelength": lists, "flux": [flux, flux[:-1]], "flux_error": [flux, flux]}), tmp_path / "x"
    )
    good, bad = summary(tmp_path / "x")
    assert list(good) == [STARS[0]]
    assert bad == [(2, "lines_off_the_grid", "342 of flux for 343 wavelengths")]


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 3 * 343), max_size=6))
def test_where_blocks_end_changes_nothing(cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = as_csv(tmp_path_factory.mktemp("lines") / "file", [line for star in STARS for line in drop(star % 7)(lines_of(star))])
    with open_table(SourceFile(path)) as reader:
        (whole,) = blocks_of(SourceFile(path), reader, [0], XP_SAMPLED.fields)
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    blocks = [rows_between(whole, first, end) for first, end in pairwise(edges)]
    assert contents(gathered(iter(blocks), GRID)) == contents(gathered(iter([whole]), GRID))


def contents(blocks: Any) -> list[tuple[Any, ...]]:
    def rows(block: FileTable) -> list[tuple[Any, ...]]:
        flux = block.ragged("flux").matrix(343)
        return [(int(line), int(source), one.tobytes()) for line, source, one in
                zip(block.row_number, block.columns["source_id"].values, flux, strict=True)]  # fmt: skip

    return [row for block in blocks for row in rows(block)]


@pytest.mark.parametrize(("grid", "last", "pixels"), [(GRID, 1020.0, 343), (RVS_GRID, 870.0, 2401)])
def test_the_grids_are_those_of_the_archive_also_in_single_precision(grid: Any, last: float, pixels: int) -> None:
    wavelength = np.linspace(grid.first, last, pixels)
    for values in (wavelength, np.round(wavelength, 2), wavelength.astype(np.float32).astype(np.float64)):
        pixel, on = grid.pixels(values)
        assert on.all()
        assert pixel.tolist() == list(range(pixels))
