"""A single spectrum's identifier: in the rows, else in the header, else in the archive's own file name, and nowhere else."""

import re
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.io.votable import from_table, tree
from astropy.table import Table

from catalog.schema.column import ColumnType
from ingest.file_table import Field
from ingest.reader import blocks_of, open_table
from ingest.source_file import SourceFile

STAR = 5937083312263887616
OTHER = 6917528997577384321
LINES = Table({"wavelength": [336.0, 338.0], "flux": [1e-17, 2e-17], "flux_error": [1e-18, 1e-18]})
FIELDS = (Field("source_id", ColumnType.BIGINT), Field("flux", ColumnType.DOUBLE, is_array=True))


def csv_text(table: Table) -> str:
    return "\n".join([",".join(table.colnames), *(",".join(map(str, row)) for row in table), ""])


def ecsv(path: Path, meta: dict[str, object], table: Table = LINES) -> None:
    lines = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    for name in table.colnames:
        lines += ["-", f"  name: {name}", "  datatype: float64"]
    lines += ["meta:", *(f"  {name}: {value}" for name, value in meta.items())]
    path.write_text("".join(f"# {line}\n" for line in lines) + csv_text(table))


def fits_table(path: Path, meta: dict[str, object]) -> None:
    hdu = fits.BinTableHDU(LINES)
    for name, value in meta.items():
        hdu.header[name.replace("_", "")[:8].upper()] = str(value)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)


def vot(path: Path, meta: dict[str, object]) -> None:
    document = from_table(LINES)
    (table,) = document.iter_tables()
    for name, value in meta.items():
        table.params.append(tree.Param(document, name=name, datatype="long", value=str(value)))
    document.to_xml(str(path))


WRITERS = {"ecsv": ecsv, "fits": fits_table, "votable": vot}
ARCHIVE_NAME = f"XP_SAMPLED-Gaia DR3 {OTHER}.xml"
CASES: dict[str, tuple[dict[str, object], str, int | None]] = {
    "the header states it": ({"source_id": STAR}, "file", STAR),
    "the header goes before the name": ({"source_id": STAR}, ARCHIVE_NAME, STAR),
    "the archive's name of a file": ({}, ARCHIVE_NAME, OTHER),
    "the archive's name with underscores": ({}, f"RVS-Gaia_DR3_{OTHER}.csv", OTHER),
    "another number in the header": ({"solution_id": 1}, "file", None),
    "any other name": ({}, f"star_{OTHER}.csv", None),
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", CASES)
def test_the_identifier_of_a_single_spectrum_is_found_and_never_guessed(name: str, form: str, tmp_path: Path) -> None:
    meta, file_name, expected = CASES[name]
    WRITERS[form](tmp_path / file_name, meta)
    source = SourceFile(tmp_path / file_name)
    with open_table(source) as reader:
        told = reader.tables[0].get("source_id")
        blocks = list(blocks_of(source, reader, [0], FIELDS))
    assert (told is not None) == (expected is not None)
    if expected is None:
        assert all("source_id" not in block for block in blocks)
    else:
        assert re.match(f"{expected}, (stated once for all rows|by the file's name)", told or "")
        assert [value for block in blocks for value in block.values(FIELDS[0]).tolist()] == [expected] * 2


@pytest.mark.parametrize("stated", ["XP", "-5", "1.5", "''"])
def test_what_is_no_whole_number_is_no_identifier(stated: str, tmp_path: Path) -> None:
    ecsv(tmp_path / "file", {"source_id": stated})
    with open_table(SourceFile(tmp_path / "file")) as reader:
        assert "source_id" not in reader.tables[0]


def test_a_column_of_the_rows_goes_before_the_header_and_the_name(tmp_path: Path) -> None:
    table = LINES.copy()
    table["source_id"] = [OTHER, OTHER]
    ecsv(tmp_path / ARCHIVE_NAME, {"source_id": STAR}, table)
    source = SourceFile(tmp_path / ARCHIVE_NAME)
    with open_table(source) as reader:
        (block,) = blocks_of(source, reader, [0], FIELDS)
    assert block.values(FIELDS[0]).tolist() == [OTHER, OTHER]
