"""2MASS: what stands in the catalogue is what the files hold, whichever way a header names it."""

from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from psycopg import sql
from psycopg.rows import dict_row

from catalog.database import Database, Role
from ingest.linking.two_mass import join_two_mass
from ingest.load import add_paths
from ingest.products.reddening import REDDENING_ROWS
from ingest.products.reference_label import REFERENCE_LABELS
from ingest.products.two_mass import BEST_NEIGHBOUR_ROWS, JOIN_ROWS, PSC_ROWS, TWO_MASS_PRODUCTS, TWO_MASS_ROWS
from ingest.products.unwise import UNWISE_PRODUCTS
from ingest.reader import format_of, open_table
from ingest.registry import product_of
from ingest.source_file import SourceFile

GOOD = 4295806720
BANDS = ("j_m", "j_msigcom", "h_m", "h_msigcom", "ks_m", "ks_msigcom")
APPENDIX = (
    "random_index source_id ra dec designation tm_ra tm_dec j_m j_msigcom h_m h_msigcom ks_m ks_msigcom ph_qual gaia_tmass_angular_distance"
)

HEADERS = {
    "the archive's join, as ZGR23 ask for it": (APPENDIX, TWO_MASS_ROWS),
    "the same, reordered, with k_m and k_msigcom": (
        "k_m ph_qual source_id my_note j_m h_m k_msigcom j_msigcom h_msigcom designation", TWO_MASS_ROWS),
    "a cross-match of CDS": ("cluster gaiaedr3 plx 2mass raj2000 dej2000 jmag hmag kmag e_jmag e_hmag e_kmag qfl angdist", TWO_MASS_ROWS),
    "best neighbours": (
        "source_id original_ext_source_id angular_distance xm_flag clean_tmass_psc_xsc_oid number_of_neighbours number_of_mates",
        BEST_NEIGHBOUR_ROWS),
    "the join": ("clean_tmass_psc_xsc_oid original_psc_source_id original_xsc_source_id", JOIN_ROWS),
    "the archive's copy of the catalogue": (f"tmass_oid designation ra dec {' '.join(BANDS)} ph_qual ext_key j_date", PSC_ROWS),
    "IRSA's table": ("ra decl err_maj err_min err_ang designation j_m j_cmsig j_msigcom h_m h_msigcom k_m k_msigcom ph_qual ext_key", PSC_ROWS),
    "GALAH, which carries 2MASS": ("star_id sobject_id dr3_source_id teff logg fe_h j_m h_m ks_m ph_qual_tmass", REFERENCE_LABELS),
    "labels with 2MASS and Gaia beside them": ("radeg dedeg teff logg [fe/h] dr3name source plx gmag 2mass jmag hmag kmag qfl angdist", REFERENCE_LABELS),
    "Gaia's photometry with 2MASS, without an identifier": ("radeg dedeg plx gmag 2mass jmag kmag qfl", None),
    "magnitudes without quality": ("source_id j_m h_m ks_m", None),
    "allwise neighbours": ("source_id original_ext_source_id angular_distance allwise_oid", None),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_told_by_its_columns(name: str) -> None:
    columns, product = HEADERS[name]
    found = product_of([dict.fromkeys(columns.split(), "")])
    assert (found and found[0]) is product


def load(database: Database, *paths: Path) -> Any:
    return add_paths(database, "gaia_dr3", paths, work=True)


def stored(database: Database, table: str, key: str) -> dict[Any, dict[str, Any]]:
    with database.connect(Role.WORKER) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("store", table))).fetchall()
    return {row[key]: row for row in rows}


def test_a_real_cross_match_stands_as_its_file_has_it(database: Database, real_data: Path) -> None:
    path = real_data / "labels" / "ocCastroGinard_tmass.fits.gz"
    (file,) = load(database, path).files
    assert (file.product, file.state, file.rows_in, file.rows_loaded, file.rows_rejected) == ("two_mass", "loaded", 24440, 24440, 0)
    found = stored(database, "two_mass", "source_id")
    table = Table.read(path)
    pairs = {
        "designation": "2MASS", "tm_ra": "RAJ2000", "tm_dec": "DEJ2000", "j_m": "Jmag", "j_msigcom": "e_Jmag", "h_m": "Hmag",
        "h_msigcom": "e_Hmag", "ks_m": "Kmag", "ks_msigcom": "e_Kmag", "ph_qual": "Qfl", "angular_distance": "angDist",
    }  # fmt: skip
    ids = np.asarray(table["GaiaEDR3"]).tolist()
    assert set(found) == set(ids)
    for ours, theirs in pairs.items():
        column = table[theirs]
        values = (
            np.asarray(column.astype(str)) if column.dtype.kind == "S" else column.astype(np.float32 if ours[:3] != "tm_" else np.float64)
        )
        expected = [None if masked else value for value, masked in zip(values.tolist(), np.ma.getmaskarray(column), strict=True)]
        got = [found[source_id][ours] for source_id in ids]
        if column.dtype.kind != "S":
            got = [None if value is None else values.dtype.type(value).item() for value in got]
        assert got == expected, ours
    assert sum(row["j_msigcom"] is None for row in found.values()) == 724
    join_two_mass(database, "gaia_dr3")
    with database.connect(Role.TAP_READER) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT source_id) FROM gaiadr3.two_mass").fetchone() == (24440, 24440)


def test_no_other_real_file_is_photometry_or_reddening(real_data: Path) -> None:
    taken = {}
    for path in sorted((real_data / "labels").iterdir()):
        if format_of(SourceFile(path).head()) is not None:
            with open_table(SourceFile(path)) as reader:
                found = product_of(reader.tables)
            taken[path.name] = found[0].name if found else None
    ours = {product.name for product in (*TWO_MASS_PRODUCTS, *UNWISE_PRODUCTS, REDDENING_ROWS)}
    assert len(taken) > 6
    assert {name: product for name, product in taken.items() if product in ours} == {"ocCastroGinard_tmass.fits.gz": "two_mass"}


NULLS = ["", "null", "NULL", "nan", "\\N", "99", "99.99", "99.999", "-9999", "-9999.0", "-9999.99"]


def test_every_spelling_of_a_missing_magnitude_is_null_and_letters_stay(database: Database, tmp_path: Path) -> None:
    lines = ["source_id,ph_qual,k_m,k_msigcom,j_m,j_msigcom,remark"]
    lines += [f"{GOOD + 128 * i},XUA,{null},{null},15.25,0.03,x" for i, null in enumerate(NULLS)]
    (tmp_path / "file.csv").write_text("\n".join(lines) + "\n")
    (file,) = load(database, tmp_path).files
    assert (file.state, file.rows_loaded, file.rows_rejected) == ("loaded", len(NULLS), 0)
    rows = stored(database, "two_mass", "source_id").values()
    assert {(row["ks_m"], row["ks_msigcom"], row["h_m"], row["j_m"], row["ph_qual"]) for row in rows} == {(None, None, None, 15.25, "XUA")}
    with database.connect(Role.WORKER) as connection:
        header = connection.execute("SELECT header FROM store.ingest_file").fetchone()
    assert header is not None
    assert header[0]["unknown_columns"] == ["remark"]
    assert {"designation", "h_m", "h_msigcom"} <= set(header[0]["missing_columns"])


BAD_ROWS = {
    "a word for a magnitude": ("j_m", "bright", "unparsable"),
    "an infinite magnitude": ("h_m", "inf", "not_finite"),
    "a magnitude beyond float32": ("h_m", "1e39", "unparsable"),
    "an infinite error": ("k_msigcom", "-inf", "not_finite"),
    "a negative error": ("j_msigcom", "-0.02", "error_not_positive"),
    "an error of zero": ("j_msigcom", "0.0", "error_not_positive"),
    "no identifier": ("source_id", "null", "missing_source_id"),
    "an identifier that went through a float": ("source_id", "4.295806848e9", "unparsable"),
    "an identifier off the sky": ("source_id", str(2**63 - 1), "source_id_off_the_sky"),
    "an identifier twice": ("source_id", str(GOOD), "duplicate_source"),
}


def test_a_bad_row_is_rejected_by_name_and_its_neighbours_load(database: Database, tmp_path: Path) -> None:
    names = ["source_id", "ph_qual", "k_m", "k_msigcom", "j_m", "j_msigcom", "h_m"]
    good = dict(zip(names, ["", "AAA", "12.5", "0.02", "13", "0.02", "12.75"], strict=True))
    rows = [good | {"source_id": str(GOOD)}]
    for number, (field, value, _) in enumerate(BAD_ROWS.values(), 1):
        rows.append(good | {"source_id": str(GOOD + 128 * number), field: value})
    rows.append(good | {"source_id": str(GOOD + 128 * 99)})
    (tmp_path / "file.csv").write_text("\n".join([",".join(names), *(",".join(row.values()) for row in rows)]) + "\n")
    (file,) = load(database, tmp_path).files
    assert (file.state, file.rows_in, file.rows_loaded) == ("loaded", len(BAD_ROWS) + 2, 2)
    assert set(stored(database, "two_mass", "source_id")) == {GOOD, GOOD + 128 * 99}
    with database.connect(Role.WORKER) as connection:
        rejects = connection.execute("SELECT row_number, reason, detail FROM store.ingest_reject ORDER BY row_number").fetchall()
    assert [row[:2] for row in rejects] == [(number, reason) for number, (_, _, reason) in enumerate(BAD_ROWS.values(), 2)]
    assert all(row[2] for row in rejects)


def test_a_magnitude_in_another_unit_is_refused(database: Database, tmp_path: Path) -> None:
    columns = [fits.Column("source_id", "K", array=[GOOD]), fits.Column("ph_qual", "3A", array=["AAA"])]
    columns += [fits.Column(f"{band}_m", "E", unit=unit, array=[12.0]) for band, unit in (("j", "mJy"), ("ks", "mag"))]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "file.fits")
    (file,) = load(database, tmp_path).files
    assert file.state == "failed"
    assert "j_m in 'mJy', two_mass takes mag" in file.reason


def test_irsas_names_load_as_the_archives(database: Database, tmp_path: Path) -> None:
    header = "ra,decl,designation,j_m,j_cmsig,j_msigcom,h_m,h_msigcom,k_m,k_cmsig,k_msigcom,ph_qual,ext_key,jdate"
    (tmp_path / "psc.csv").write_text(f"{header}\n10.5,-20.25,00420000-2015000,12,0.01,0.02,11,0.02,10.5,0.01,0.03,AAU,\\N,2451010.5\n")
    (file,) = load(database, tmp_path).files
    assert (file.product, file.rows_loaded) == ("tmass_psc", 1)
    row = stored(database, "tmass_psc", "designation")["00420000-2015000"]
    assert (row["dec"], row["ks_m"], row["ext_key"], row["j_date"], row["ph_qual"]) == (-20.25, 10.5, None, 2451010.5, "AAU")
    assert row["position_key"] >> 35 == hp.ang2pix(4096, 10.5, -20.25, nest=True, lonlat=True)
    assert np.float32(row["ks_msigcom"]) == np.float32(0.03)
