"""Reddening by source under any of its names; a value without an error, or an error that is none, is rejected by name."""

from pathlib import Path
from typing import Any

import pytest

from catalog.database import Database, Role
from ingest.load import add_paths
from ingest.products.reddening import REDDENING_ROWS
from ingest.products.reference_label import REFERENCE_LABELS
from ingest.registry import product_of

GOOD = 4295806720

HEADERS = {
    "our own names": ("source_id reddening_map reddening reddening_error", REDDENING_ROWS),
    "those of the simulated sky": ("source_id reddening reddening_err reddening_map", REDDENING_ROWS),
    "mean and standard deviation": ("map source_id reddening_mean reddening_std remark", REDDENING_ROWS),
    "of Bayestar": ("source_id bayestar_mean bayestar_std", REDDENING_ROWS),
    "as E(B-V)": ("source_id ebv ebv_err", REDDENING_ROWS),
    "a mean without an error": ("source_id reddening", None),
    "labels with a reddening": ("source_id teff logg ebv ebv_err", REFERENCE_LABELS),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_told_by_its_columns(name: str) -> None:
    columns, product = HEADERS[name]
    found = product_of([dict.fromkeys(columns.split(), "")])
    assert (found and found[0]) is product


def load(database: Database, path: Path) -> Any:
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    return file


@pytest.mark.parametrize("null", ["", "null", "nan", "\\N", "-9999", "99.99"])
def test_a_source_outside_the_map_has_nulls_in_any_spelling(database: Database, tmp_path: Path, null: str) -> None:
    (tmp_path / "file.csv").write_text(f"reddening_std,source_id,reddening_mean\n{null},{GOOD},{null}\n0.05,{GOOD + 128},0.25\n")
    assert load(database, tmp_path / "file.csv").rows_loaded == 2
    with database.connect(Role.TAP_READER) as connection:
        found = connection.execute("SELECT * FROM gaiadr3.reddening ORDER BY source_id").fetchall()
    assert found == [(GOOD, None, None, None), (GOOD + 128, None, 0.25, pytest.approx(0.05))]


BAD_ROWS = {
    "a word for the mean": (",much,0.1", "unparsable"),
    "an infinite mean": (",inf,0.1", "not_finite"),
    "an infinite error": (",0.1,inf", "not_finite"),
    "a negative error": (",0.1,-0.1", "error_not_positive"),
    "an error of zero": (",0.1,0", "error_not_positive"),
    "a mean without an error": (",0.1,null", "value_without_error"),
    "an error without a mean": (",null,0.1", "error_without_value"),
}


def test_a_bad_row_is_rejected_by_name_and_its_neighbours_load(database: Database, tmp_path: Path) -> None:
    lines = ["source_id,reddening,reddening_err", f"{GOOD},-0.01,0.03"]
    lines += [f"{GOOD + 128 * number}{rest}" for number, (rest, _) in enumerate(BAD_ROWS.values(), 1)]
    lines += [f"{GOOD + 12800},0.5,0.06"]
    (tmp_path / "file.csv").write_text("\n".join(lines) + "\n")
    assert load(database, tmp_path / "file.csv").rows_loaded == 2
    with database.connect(Role.WORKER) as connection:
        rejects = connection.execute("SELECT row_number, reason FROM store.ingest_reject ORDER BY row_number").fetchall()
        kept = connection.execute("SELECT source_id, reddening FROM store.reddening ORDER BY source_id").fetchall()
    assert rejects == [(number, reason) for number, (_, reason) in enumerate(BAD_ROWS.values(), 2)]
    assert kept == [(GOOD, pytest.approx(-0.01)), (GOOD + 12800, 0.5)]
