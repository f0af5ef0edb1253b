"""Tables of surveys: nulls as the column says, files that astropy reads back, and that are whole or not there."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from catalog.errors import DataError
from ingest.sky.surveys.survey_table import SurveyColumn, complete_or_absent, table_hdu, table_of, write_delimited, write_fits

COLUMNS = (
    SurveyColumn("source_id", "i8"), SurveyColumn("teff", "f4", "K"), SurveyColumn("bad99", "f4", "mag", null=99.0),
    SurveyColumn("minus", "i4", null=-9999), SurveyColumn("declared", "i8", null=-(2**63), declared=True), SurveyColumn("name", "S8"),
    SurveyColumn("[Fe/H]", "f8", "log(cm.s**-2)"), SurveyColumn("flag", "b1"),
)  # fmt: skip
LARGE = 6_917_528_997_577_384_321


def rows() -> dict[str, np.ndarray]:
    return {
        "source_id": np.array([LARGE, LARGE + 1]), "teff": np.array([5000.5, np.nan]), "bad99": np.array([np.nan, 12.5]),
        "minus": np.ma.MaskedArray([7, 0], [False, True]), "declared": np.ma.MaskedArray([0, 5], [True, False]),
        "name": np.array(['a "b",c', ""]), "[Fe/H]": np.array([-0.1, 1e-300]), "flag": np.array([True, False]),
    }  # fmt: skip


def test_nulls_are_those_of_the_columns_and_missing_columns_are_null() -> None:
    table = table_of(COLUMNS, 2, rows())
    assert np.isnan(table["teff"][1]) and table["bad99"][0] == 99 and table["minus"][1] == -9999 and table["declared"][0] == -(2**63)
    empty = table_of((*COLUMNS, SurveyColumn("vector", "f4", null=0.0, shape=(2,))), 3, {})
    assert empty["bad99"].tolist() == [99.0] * 3 and empty["name"].tolist() == [b""] * 3 and empty["vector"].shape == (3, 2)


def test_a_name_that_is_no_column_is_refused() -> None:
    with pytest.raises(DataError, match="tefff"):
        table_of(COLUMNS, 1, {"tefff": np.ones(1)})


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="9 characters"):
        table_of(COLUMNS, 1, {"name": np.array(["ninechars"])})


@pytest.mark.parametrize("name", ["t.fits", "t.fits.gz"])
def test_astropy_reads_fits_back(tmp_path: Path, name: str) -> None:
    table = table_of((*COLUMNS, SurveyColumn("text", "S3", shape=(2,)), SurveyColumn("matrix", "f8", shape=(2, 3))), 2, {
        **rows(), "text": np.array([["ab", "c"], ["", "def"]]), "matrix": np.arange(12.0).reshape(2, 2, 3),
    })  # fmt: skip
    write_fits(tmp_path / name, table_hdu(table))
    with fits.open(tmp_path / name) as hdus:
        data, columns = hdus[1].data, hdus[1].columns
        assert hdus[0].data is None and "DATE" not in hdus[1].header
        assert data["source_id"].tolist() == [LARGE, LARGE + 1] and data["minus"].tolist() == [7, -9999]
        assert columns["declared"].null == -(2**63) and columns["minus"].null is None
        assert columns["teff"].unit == "K" and columns["[Fe/H]"].unit == "log(cm.s**-2)" and columns["[Fe/H]"].format == "D"
        assert data["text"].tolist() == [["ab", "c"], ["", "def"]] and data["matrix"][1, 1].tolist() == [9.0, 10.0, 11.0]
        assert data["flag"].tolist() == [True, False]


@pytest.mark.parametrize(("delimiter", "null"), [(",", "null"), ("\t", "\\N"), (",", "")])
def test_text_spells_nulls_and_keeps_every_digit(tmp_path: Path, delimiter: str, null: str) -> None:
    write_delimited(tmp_path / "t.gz", table_of(COLUMNS, 2, rows()), delimiter=delimiter, null=null)
    lines = gzip.decompress((tmp_path / "t.gz").read_bytes()).decode().splitlines()
    assert lines[0].split(delimiter) == [column.name for column in COLUMNS]
    assert lines[2].split(delimiter) == [str(LARGE + 1), null, "12.5", "-9999", "5", null, "1e-300", "false"]
    (tmp_path / "t").write_text("\n".join(lines))
    back = Table.read(tmp_path / "t", format="ascii.basic", delimiter=delimiter, fill_values=[(null, "0")])
    assert back["source_id"].tolist() == [LARGE, LARGE + 1] and back["name"][0] == 'a "b",c' and np.ma.is_masked(back["declared"][0])


def test_archive_text_is_quoted(tmp_path: Path) -> None:
    write_delimited(tmp_path / "t.csv", table_of((SurveyColumn("designation", "S4"),), 1, {"designation": np.array(["ab"])}), quoted=True)
    assert (tmp_path / "t.csv").read_text() == 'designation\n"ab"\n'


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_file_is_complete_or_absent(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError), complete_or_absent(tmp_path / name) as file:
        file.write(b"half")
        raise RuntimeError("the power went")
    assert not (tmp_path / name).exists()
    with complete_or_absent(tmp_path / name) as file:
        file.write(b"whole")
    content = (tmp_path / name).read_bytes()
    assert (gzip.decompress(content) if name.endswith("gz") else content) == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_empty_survey_is_a_file_with_columns_and_no_rows(tmp_path: Path) -> None:
    empty = table_of(COLUMNS, 0, {})
    write_fits(tmp_path / "e.fits", table_hdu(empty))
    write_delimited(tmp_path / "e.csv", empty)
    assert len(fits.getdata(tmp_path / "e.fits")) == 0 and len((tmp_path / "e.csv").read_text().splitlines()) == 1
