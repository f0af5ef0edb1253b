"""unWISE in each of its forms gives the same rows; bad ones are rejected by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from psycopg.rows import dict_row

from catalog.database import Database, Role
from ingest.load import add_paths
from ingest.products.unwise import UNWISE_BAND_ROWS, UNWISE_ROWS
from ingest.registry import product_of

HEADERS = {
    "vectors": ("x y flux dx dy dflux qf unwise_detid primary12 ra dec primary unwise_objid coadd_id", UNWISE_ROWS),
    "split columns": ("unwise_objid ra dec flux_w1 flux_w2 dflux_w1 dflux_w2 qf_w1 qf_w2", UNWISE_ROWS),
    "one band": ("x y flux dflux qf ra dec coadd_id band unwise_detid primary flags_unwise flags_info", UNWISE_BAND_ROWS),
    "an identifier without a flux": ("unwise_objid ra dec", None),
    "a spectrum": ("source_id ra dec flux flux_error", None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_told_by_its_columns(name: str) -> None:
    columns, product = HEADERS[name]
    found = product_of([dict.fromkeys(columns.split(), "")])
    assert (found and found[0]) is product


def load(database: Database, path: Path) -> Any:
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    return file


def rows(database: Database) -> list[dict[str, Any]]:
    with database.connect(Role.WORKER) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM store.unwise ORDER BY survey_id").fetchall()


def rejects(database: Database) -> list[tuple[Any, ...]]:
    with database.connect(Role.WORKER) as connection:
        return connection.execute("SELECT row_number, record, reason, detail FROM store.ingest_reject ORDER BY row_number").fetchall()


FLUX = [[100.0, 50.0], [0.0, 25.0], [7.5, 0.0]]
DFLUX = [[1.0, 0.5], [0.0, 0.25], [0.75, 0.0]]
FLAGS = [[0, 3], [0, 1], [1 << 20, 0]]
IDS = ["0000p000o0000001", "0000p000o0000002", "0000p000o0000003"]
RA, DEC = [10.0, 20.0, 359.999], [-45.0, 0.0, 89.5]


def vectors(path: Path) -> None:
    columns = [fits.Column("dflux", "2E", array=np.array(DFLUX)), fits.Column("flux", "2E", array=np.array(FLUX))]
    columns += [fits.Column("ra", "D", array=RA), fits.Column("dec", "D", array=DEC), fits.Column("unwise_objid", "16A", array=IDS)]
    columns += [fits.Column("flags_unwise", "2J", array=np.array(FLAGS)), fits.Column("primary", "J", array=[1, 1, 0])]
    columns += [fits.Column("unwise_detid", "40A", dim="(20,2)", array=np.array([["a", "b"]] * 3))]
    fits.BinTableHDU.from_columns(columns).writeto(path)


def lists(path: Path) -> None:
    table = {"unwise_objid": IDS, "ra": RA, "dec": DEC, "primary": [1, 1, 0], "flux": FLUX, "dflux": DFLUX, "flags_unwise": FLAGS}
    pq.write_table(pa.table(table), path)


def split(path: Path) -> None:
    lines = ["flux_w2,remark,unwise_objid,dec,ra,flux_w1,dflux_w1,dflux_w2,flags_unwise_w1,flags_unwise_w2,primary"]
    lines += [
        f"{f[1]},x,{name},{dec},{ra},{f[0]},{e[0]},{e[1]},{flag[0]},{flag[1]},{primary}"
        for name, ra, dec, f, e, flag, primary in zip(IDS, RA, DEC, FLUX, DFLUX, FLAGS, [1, 1, 0], strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("write", [vectors, lists, split])
def test_vectors_and_split_columns_give_the_same_rows_with_a_flux_of_0_as_null(database: Database, tmp_path: Path, write: Any) -> None:
    write(tmp_path / "file")
    file = load(database, tmp_path / "file")
    assert (file.product, file.state, file.rows_loaded, file.rows_rejected) == ("unwise", "loaded", 3, 0)
    found = rows(database)
    names = (
        "survey_id",
        "ra",
        "dec",
        "is_primary",
        "w1_flux",
        "w1_dflux",
        "w1_flags_unwise",
        "w2_flux",
        "w2_dflux",
        "w2_flags_unwise",
        "w1_qf",
    )
    assert [tuple(row[name] for name in names) for row in found] == [
        (IDS[0], 10.0, -45.0, 1, 100.0, 1.0, 0, 50.0, 0.5, 3, None),
        (IDS[1], 20.0, 0.0, 1, None, None, None, 25.0, 0.25, 1, None),
        (IDS[2], 359.999, 89.5, 0, 7.5, 0.75, 1 << 20, None, None, None, None),
    ]


@pytest.mark.parametrize("with_band", [True, False])
def test_a_file_of_one_band_fills_that_band_by_detection(database: Database, tmp_path: Path, with_band: bool) -> None:
    columns = [
        fits.Column(name, "E", array=values) for name, values in (("flux", [9.0, 4.0]), ("dflux", [0.5, 0.25]), ("fracflux", [1.0, 0.5]))
    ]
    columns += [fits.Column("ra", "D", array=[10.0, 20.0]), fits.Column("dec", "D", array=[-45.0, 0.0])]
    columns += [
        fits.Column("unwise_detid", "20A", array=["0000p000w2o0000001", "0000p000w2o0000002"]),
        fits.Column("primary", "J", array=[1, 0]),
    ]
    columns += [fits.Column("band", "J", array=[2, 2])] if with_band else []
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "file.fits")
    file = load(database, tmp_path / "file.fits")
    assert (file.product, file.state, file.rows_loaded) == ("unwise_band", "loaded", 2)
    names = ("survey_id", "w1_flux", "w1_primary", "w2_flux", "w2_dflux", "w2_fracflux", "w2_primary", "is_primary")
    assert [tuple(row[name] for name in names) for row in rows(database)] == [
        ("0000p000w2o0000001", None, None, 9.0, 0.5, 1.0, 1, 1), ("0000p000w2o0000002", None, None, 4.0, 0.25, 0.5, 0, 0),
    ]  # fmt: skip


def test_a_detection_whose_band_nothing_tells_is_rejected(database: Database, tmp_path: Path) -> None:
    lines = ["unwise_detid,ra,dec,flux,dflux,band", "0000p000w1o1,1,2,3,0.5,", "0000p000o2,1,2,3,0.5,", "0000p000o3,1,2,3,0.5,3"]
    (tmp_path / "file.csv").write_text("\n".join(lines) + "\n")
    assert load(database, tmp_path / "file.csv").rows_loaded == 1
    assert [row[:3] for row in rejects(database)] == [(2, "0000p000o2", "unknown_band"), (3, "0000p000o3", "unknown_band")]


BAD_ROWS = {
    "no identifier": ({"unwise_objid": ""}, "missing_survey_id"),
    "no right ascension": ({"ra": "\\N"}, "missing_ra"),
    "no declination": ({"dec": "null"}, "missing_dec"),
    "a declination beyond the pole": ({"dec": "90.5"}, "position_out_of_range"),
    "an infinite flux": ({"flux": '"(inf,1)"'}, "not_finite"),
    "a flux beyond float32": ({"flux": '"(1,1e39)"'}, "not_finite"),
    "an error of zero beside a flux": ({"dflux": '"(0,1)"'}, "error_not_positive"),
    "a negative error": ({"dflux": '"(1,-1)"'}, "error_not_positive"),
    "an infinite error": ({"dflux": '"(1,inf)"'}, "not_finite"),
    "one number for two bands": ({"flux": "5"}, "wrong_number_of_flux"),
    "three numbers for two bands": ({"qf": '"(1,1,1)"'}, "wrong_number_of_qf"),
    "flags that are no integer": ({"flags_unwise": '"(1.5,0)"'}, "unparsable"),
    "flags beyond 32 bits": ({"flags_unwise": '"(0,4294967296)"'}, "unparsable"),
    "a word among the fluxes": ({"flux": '"(1,faint)"'}, "unparsable"),
    "an object twice": ({"unwise_objid": "good 1"}, "duplicate_row"),
}


def test_a_bad_row_is_rejected_by_name_and_its_neighbours_load(database: Database, tmp_path: Path) -> None:
    good = {
        "unwise_objid": "",
        "ra": "10",
        "dec": "20",
        "flux": '"(10,5)"',
        "dflux": '"(1,1)"',
        "qf": '"(1,nan)"',
        "flags_unwise": '"(0,0)"',
    }
    table = [good | {"unwise_objid": "good 1"}]
    table += [good | {"unwise_objid": f"bad {number}"} | change for number, (change, _) in enumerate(BAD_ROWS.values(), 2)]
    table += [good | {"unwise_objid": "good 2"}]
    (tmp_path / "file.csv").write_text("\n".join([",".join(good), *(",".join(row.values()) for row in table)]) + "\n")
    file = load(database, tmp_path / "file.csv")
    assert (file.state, file.rows_in, file.rows_loaded) == ("loaded", len(table), 2)
    assert [row["survey_id"] for row in rows(database)] == ["good 1", "good 2"]
    found = rejects(database)
    assert [(row[0], row[2]) for row in found] == [(number, reason) for number, (_, reason) in enumerate(BAD_ROWS.values(), 2)]
    assert all(row[3] for row in found)


@pytest.mark.parametrize("missing", ["ra", "dec"])
def test_a_file_without_positions_is_refused_by_name(database: Database, tmp_path: Path, missing: str) -> None:
    header = "unwise_objid,ra,dec,flux_w1".replace(f",{missing}", "")
    (tmp_path / "file.csv").write_text(header + "\nx,1,2\n")
    file = load(database, tmp_path / "file.csv")
    assert file.state == "failed" and f"has no column {missing}" in file.reason
