"""Any table of stars with labels becomes a named set: which spellings are understood, what names a row, and what each real table becomes."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from catalog.database import Database, Role
from catalog.errors import DataError
from catalog.releases import KNOWN_RELEASES
from ingest.load import add_paths
from ingest.product import CheckedRows, FileContext, Product
from ingest.products.reference_label import REFERENCE_LABELS, set_name_of
from ingest.reader import open_table
from ingest.registry import product_of
from ingest.sky.survey_files import SURVEY_TRUTH
from ingest.sky.truth import COLUMNS as TRUTH_COLUMNS
from ingest.source_file import SourceFile

Check = Callable[[Path, Product], CheckedRows]
ID = 2128527242906021504


def text(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = [",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)]
    path.write_text("\n".join([*lines, ""]))
    return path


def of(rows: CheckedRows, *columns: str, row: int = 0) -> dict[str, Any]:
    assert len(rows.rejects) == 0, (rows.rejects.reason, rows.rejects.detail)
    return {column: None if rows.rows.null(column)[row] else rows.rows[column][row] for column in columns}


def single(value: float) -> np.float32:
    return np.float32(value)


LABELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain names": ({"teff": 5000, "logg": 2.5, "feh": -0.5}, {"teff": 5000, "logg": 2.5, "feh": -0.5}),
    "capitals": ({"Teff": 5000, "LOGG": 2.5, "MH": -0.5}, {"teff": 5000, "logg": 2.5, "mh": -0.5}),
    "brackets": ({"[Fe/H]": -0.5, "e_[Fe/H]": 0.25, "[alpha/M]": 0.125}, {"feh": -0.5, "e_feh": 0.25, "alpha_m": 0.125}),
    "VizieR's underscores": ({"__Fe_H_": -0.5, "e__Fe_H_": 0.25}, {"feh": -0.5, "e_feh": 0.25}),
    "APOGEE's names": ({"FE_H": -0.5, "FE_H_ERR": 0.25, "C_FE": 0.5, "N_FE": 0.25}, {"feh": -0.5, "e_feh": 0.25, "c_fe": 0.5, "n_fe": 0.25}),
    "errors by sigma": ({"logg_seis": 2.5, "sigma_logg_seis": 0.125}, {"logg": 2.5, "e_logg": 0.125}),
    "Guiglion's errors": ({"mh": 0.5, "emh": 0.25, "alpham": 0.125}, {"mh": 0.5, "e_mh": 0.25, "alpha_m": 0.125}),
    "AspGap's names": ({"teff_xp": 5000, "moh_xp": -0.5, "aom_xp": 0.25, "e_teff_xp": 50}, {"teff": 5000, "mh": -0.5, "alpha_m": 0.25, "e_teff": 50}),
    "StarHorse": (
        {"teff16": 4900, "teff50": 5000, "teff84": 5200, "met16": -0.5, "met50": -0.25, "met84": 0.0, "dist16": 1, "dist50": 1.5, "dist84": 2, "av50": 0.5},
        {"teff": 5000, "e_teff": 150, "mh": -0.25, "e_mh": 0.25, "distance": 1500, "e_distance": 500, "extinction": 0.5, "e_extinction": None},
    ),
    "an error itself before percentiles": ({"teff50": 5000, "e_teff50": 80, "teff16": 1, "teff84": 9}, {"teff": 5000, "e_teff": 80}),
    "-9999 and 99.99": ({"teff": -9999, "logg": 99.99, "feh": -9999.99}, {"teff": None, "logg": None, "feh": None}),
    "a distance of 99.99 pc": ({"distance": 99.99}, {"distance": single(99.99)}),
    "a cluster alone": ({"Cluster": "NGC 2682"}, {"cluster": "NGC 2682", "teff": None}),
    "a member of a stream": ({"member_of": "GD-1"}, {"cluster": "GD-1"}),
    "[alpha/Fe] is not [alpha/M]": ({"teff": 5000, "alpha_fe": 0.3}, {"alpha_m": None}),
}  # fmt: skip


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_understood_in_many_spellings(name: str, tmp_path: Path, checked: Check) -> None:
    given, expected = LABELS[name]
    assert of(checked(text(tmp_path / "set.csv", [{"source_id": ID, **given}]), REFERENCE_LABELS), *expected) == expected


IDENTIFIERS: dict[str, tuple[dict[str, Any], int | None, str | None, str]] = {
    "source_id: the release's own": ({"source_id": ID}, ID, "dr3", str(ID)),
    "sourceid": ({"sourceid": ID}, ID, "dr3", str(ID)),
    "dr3_source_id": ({"dr3_source_id": ID}, ID, "dr3", str(ID)),
    "gdr3_source_id": ({"gdr3_source_id": ID}, ID, "dr3", str(ID)),
    "GaiaEDR3": ({"GaiaEDR3": ID}, ID, "dr3", str(ID)),
    "dr2_source_id": ({"dr2_source_id": ID}, ID, "dr2", str(ID)),
    "of two, the release's": ({"dr2_source_id": 7, "gaia_dr3_source_id": ID}, ID, "dr3", str(ID)),
    "of two, the one that is there": ({"dr3_source_id": "", "dr2_source_id": ID}, ID, "dr2", str(ID)),
    "gaia_source_id: of an unknown release": ({"gaia_source_id": ID}, ID, None, str(ID)),
    "gaia_source_id beside its epoch": ({"gaia_source_id": ID, "ref_epoch": 2015.5}, ID, "dr2", str(ID)),
    "source_id beside the epoch of DR2": ({"source_id": ID, "ref_epoch": 2015.5}, ID, "dr2", str(ID)),
    "source_id beside the epoch of DR4": ({"source_id": ID, "ref_epoch": 2017.5}, ID, "dr4", str(ID)),
    "Source beside its designation": ({"Source": ID, "DR3Name": f"Gaia DR3 {ID}"}, ID, "dr3", str(ID)),
    "a designation of DR2": ({"source_id": ID, "designation": f"Gaia DR2 {ID}"}, ID, "dr2", str(ID)),
    "an APOGEE_ID": ({"APOGEE_ID": "2M19390065+4654069"}, None, None, "2M19390065+4654069"),
    "a 2MASS designation": ({"2MASS": "19390065+4654069"}, None, None, "19390065+4654069"),
    "GALAH's number before Gaia's": ({"sobject_id": 131216002601003, "source_id": ID}, ID, "dr3", "131216002601003"),
    "a star in a cluster": ({"source_id": ID, "cluster": "M 67"}, ID, "dr3", f"{ID}/M 67"),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_stars_are_named_in_many_ways(name: str, tmp_path: Path, checked: Check) -> None:
    given, source, system, key = IDENTIFIERS[name]
    rows = checked(text(tmp_path / "set.csv", [{**given, "teff": 5000}]), REFERENCE_LABELS)
    expected = {"given_source_id": source, "id_system": system, "survey_id": key}
    assert of(rows, *expected) == expected


@pytest.mark.parametrize(
    ("given", "designation"),
    [
        ({"apogee_id": "2M19390065+4654069"}, "19390065+4654069"), ({"apogee_id": "AP19390065+4654069"}, None),
        ({"tmass_id": "2M19390065-4654069"}, "19390065-4654069"), ({"2mass": "2MASS J19390065-4654069"}, "19390065-4654069"),
        ({"2mass": "J19390065-4654069", "apogee_id": "2M00000002+7417074"}, "19390065-4654069"),
    ],
)  # fmt: skip
def test_2mass_designations_have_one_form(given: dict[str, str], designation: str | None, tmp_path: Path, checked: Check) -> None:
    rows = checked(text(tmp_path / "set.csv", [{**given, "teff": 5000}]), REFERENCE_LABELS)
    assert of(rows, "tmass_id") == {"tmass_id": designation}


@pytest.mark.parametrize(
    ("file", "given", "name"),
    [
        ("/sets/occam_member-DR17.fits.gz", None, "occam_member-DR17"), ("/sets/GBS2.1_in_GALAH.fits", None, "GBS2.1_in_GALAH"),
        ("/sets/all.zip!APOKASC3.csv", None, "APOKASC3"), ("/sets/a.csv", "apokasc", "apokasc"), ("/sets/.csv", None, ".csv"),
    ],
)  # fmt: skip
def test_a_set_is_named_by_the_operator_or_the_file(file: str, given: str | None, name: str) -> None:
    assert set_name_of(FileContext(KNOWN_RELEASES["gaia_dr3"], file, set_name=given)) == name


def table(path: Path, unit: str) -> Path:
    made = Table({"source_id": np.array([ID]), "teff": np.array([5.0]), "dist": np.array([1.0])})
    made["teff"].unit, made["dist"].unit = unit, "pc"
    made.write(path, format={"fits": "fits", "vot": "votable", "ecsv": "ascii.ecsv"}[path.suffix[1:]])
    return path


@pytest.mark.parametrize("form", ["fits", "vot", "ecsv"])
def test_labels_in_another_unit_are_refused(form: str, tmp_path: Path, checked: Check) -> None:
    with pytest.raises(DataError, match="teff in 'kK', reference_label takes K; convert"):
        checked(table(tmp_path / f"set.{form}", "kK"), REFERENCE_LABELS)
    assert len(checked(table(tmp_path / f"other.{form}", "K"), REFERENCE_LABELS).rows) == 1


NOT_SETS = {
    "stars without labels": ["source_id", "ra", "dec", "radial_velocity"],
    "labels without stars": ["rave_obs_id", "teff", "logg", "mh"],
    "a spectrum": ["source_id", "flux", "teff"],
    "samples of one star": ["source_id", "teff1", "logg1", "azero", "mh", "distancepc", "log_pos", "log_lik"],
    "the truth of a simulated sky": [column.name for column in TRUTH_COLUMNS],
}


@pytest.mark.parametrize("name", NOT_SETS)
def test_what_is_no_set(name: str) -> None:
    assert not REFERENCE_LABELS.recognises(NOT_SETS[name])


def test_the_truth_of_survey_rows_is_not_read(survey_sky: Path) -> None:
    with open_table(SourceFile(survey_sky.parent / SURVEY_TRUTH)) as reader:
        assert product_of(reader.tables) is None


def test_a_row_is_kept_whole(tmp_path: Path, database: Database) -> None:
    path = text(
        tmp_path / "apokasc.csv",
        [
            {"source_id": ID, "teff": "5000.50", "KIC": "007", "numax": 1e3, "note": '"one, ""two"""', "empty": "", "flag": "00010000"},
            {"source_id": 0, "teff": 5000, "KIC": 8, "numax": "", "note": "", "empty": "", "flag": ""},
        ],
    )
    (file,) = add_paths(database, "gaia_dr3", [path], set_name="seismic", work=True).files
    assert (file.product, file.rows_loaded, file.rows_rejected) == ("reference_label", 1, 1)
    with database.connect(Role.TAP_READER) as connection:
        held = connection.execute("SELECT set_name, teff, native, native::text FROM surveys.reference_label").fetchall()
    assert held[0][:2] == ("seismic", 5000.5)
    # Numbers keep their digits, and texts with leading zeros stay texts.
    assert held[0][2] == {"source_id": ID, "teff": 5000.5, "kic": "007", "numax": 1000.0, "note": 'one, "two"', "flag": "00010000"}
    assert '"teff": 5000.50' in held[0][3]


def test_two_sets_of_one_table_stand_side_by_side_and_doubles_of_a_star_are_told(tmp_path: Path, database: Database) -> None:
    star = {"source_id": ID, "teff": 5000, "logg": ""}
    add_paths(database, "gaia_dr3", [text(tmp_path / "one.csv", [star, star | {"logg": 2.5}])], work=True)
    add_paths(database, "gaia_dr3", [text(tmp_path / "two.csv", [star])], work=True)
    with database.connect(Role.WORKER) as connection:
        held = connection.execute("SELECT set_name, survey_id, logg, row_number FROM store.reference_label ORDER BY 1").fetchall()
        rejects = connection.execute("SELECT row_number, reason, record FROM store.ingest_reject").fetchall()
    assert held == [("one", str(ID), 2.5, 2), ("two", str(ID), None, 1)]
    assert rejects == [(1, "duplicate_row", f"one/{ID}")]


# --- real tables: what each becomes, and why ----------------------------------------------------------------------------------

NO_LABEL, NO_STAR = "it has no label", "nothing in it names a star"
REAL: dict[str, tuple[str | None, str]] = {
    "labels/occam_member-DR17.fits.gz": ("reference_label", "clusters and [Fe/H] by APOGEE_ID; no Gaia identifier: linked by name"),
    "labels/apogee_dr17_feh_for_rvs_stars24.csv": ("reference_label", "[Fe/H] by source_id"),
    "labels/omegacen_gaiadr3.fits.gz": ("reference_label", "labels by Source and DR3Name"),
    "labels/ocCastroGinard_tmass.fits.gz": ("reference_label", "clusters by GaiaEDR3, unless a reader of 2MASS takes it"),
    "labels/GBS2.1_in_GALAH.fits": ("reference_label", "benchmark labels by GALAH's sobject_id"),
    "labels/GALAH_sobject_GBS_extended.fits": (
        None,
        f"{NO_LABEL}, but first guesses, and rows of Gaia DR2 (teff_val) among the photometry",
    ),
    "labels/guiglion2020_rave_apogee_labels.csv.gz": (None, f"{NO_STAR}: RAVE_OBS_ID is of a survey that has no table here"),
    "labels/guiglion2020_rave_photometry.csv.gz": (None, f"{NO_STAR}, and {NO_LABEL}"),
    "labels/trans_parent1028.fits.gz": (None, f"{NO_LABEL}, but parallaxes"),
    "labels/calspec_gaia_matching.csv": (None, f"{NO_LABEL}, but spectral types"),
    "rvs/elbadry2018_singles_metrics.csv": (None, f"{NO_LABEL}, but how well a model fits"),
}


@pytest.mark.parametrize("name", REAL)
def test_what_a_real_table_is(name: str, real_data: Path) -> None:
    product, why = REAL[name]
    with open_table(SourceFile(real_data / name)) as reader:
        assert REFERENCE_LABELS.recognises(reader.tables[0]) == (product == "reference_label"), why


def _load(database: Database, path: Path, rows: int) -> list[tuple[Any, ...]]:
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    assert (file.product, file.rows_in, file.rows_loaded, file.rows_rejected) == ("reference_label", rows, rows, 0)
    with database.connect(Role.WORKER) as connection:
        return connection.execute(
            "SELECT survey_id, given_source_id, id_system, apogee_id, tmass_id, sobject_id, teff, logg, feh, e_feh, cluster, ra, native "
            "FROM store.reference_label ORDER BY row_number"
        ).fetchall()


def _close(held: Any, native: Any) -> bool:
    missing = native is None or np.ma.is_masked(native) or np.isnan(float(native)) or float(native) < -900
    return held is None if missing else held == pytest.approx(float(native), rel=1e-6)


def test_occam_members_are_loaded_by_apogee_id_and_cluster(real_data: Path, database: Database) -> None:
    native = Table.read(real_data / "labels/occam_member-DR17.fits.gz")
    held = _load(database, real_data / "labels/occam_member-DR17.fits.gz", 26_699)
    for row, star in zip(held, native, strict=True):
        name, cluster = str(star["APOGEE_ID"]).strip(), str(star["CLUSTER"]).strip()
        assert (row[0], row[3], row[10]) == (f"{name}/{cluster}", name, cluster)
        assert _close(row[8], star["FE_H"]) and _close(row[9], star["FE_H_ERR"])
    assert len({row[3] for row in held}) == 25_096
    assert sum(row[8] is not None for row in held) == 22_580
    assert held[0][12]["pm_prob"] == native["PM_PROB"][0]


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")  # read here: names with brackets
def test_omega_centauris_giants_are_loaded_with_their_gaia_rows(real_data: Path, database: Database) -> None:
    with fits.open(real_data / "labels/omegacen_gaiadr3.fits.gz") as hdus:
        native = hdus[1].data.copy()
    held = _load(database, real_data / "labels/omegacen_gaiadr3.fits.gz", 180)
    for row, star in zip(held, native, strict=True):
        assert (row[1], row[2], row[0]) == (star["Source"], "dr3", str(star["Source"]))
        assert (
            _close(row[6], star["Teff"])
            and _close(row[7], star["logg"])
            and _close(row[8], star["[Fe/H]"])
            and _close(row[11], star["RAJ2000"])
        )
        assert row[4] in (None, star["2MASS"].strip())
        assert row[12]["[na/fe]"] == pytest.approx(float(star["[Na/Fe]"])) or np.isnan(star["[Na/Fe]"])


def test_iron_of_the_rvs_stars_is_loaded_by_source_id(real_data: Path, database: Database) -> None:
    with (real_data / "labels/apogee_dr17_feh_for_rvs_stars24.csv").open(newline="") as lines:
        native = list(csv.DictReader(lines))
    held = _load(database, real_data / "labels/apogee_dr17_feh_for_rvs_stars24.csv", len(native))
    assert [(row[1], row[3]) for row in held] == [(int(star["source_id"]), star["apogee_id"]) for star in native]
    assert all(
        _close(row[8], star["FE_H"] or None) and _close(row[9], star["FE_H_ERR"] or None) for row, star in zip(held, native, strict=True)
    )
    assert sum(row[8] is not None for row in held) > 20


def test_benchmark_stars_are_loaded_by_galahs_number(real_data: Path, database: Database) -> None:
    with fits.open(real_data / "labels/GBS2.1_in_GALAH.fits") as hdus:
        native, null = hdus[1].data.copy(), hdus[1].columns["Teff"].null
    held = _load(database, real_data / "labels/GBS2.1_in_GALAH.fits", 29)
    for row, star in zip(held, native, strict=True):
        assert (row[0], row[5], row[1]) == (str(star["sobject_id"]), star["sobject_id"], None)
        assert (
            _close(row[6], None if star["Teff"] == null else star["Teff"])
            and _close(row[7], star["logg"])
            and _close(row[8], star["__Fe_H_"])
        )


def test_open_cluster_members_are_a_set_by_edr3s_identifiers(real_data: Path, checked: Check) -> None:
    path = real_data / "labels/ocCastroGinard_tmass.fits.gz"
    with fits.open(path) as hdus:
        native = hdus[1].data[:1000].copy()
    with open_table(SourceFile(path)) as reader:
        block = next(reader.blocks(0, REFERENCE_LABELS.fields_in(reader.tables[0])))
    rows = REFERENCE_LABELS.check(block, FileContext(KNOWN_RELEASES["gaia_dr3"], str(path)))
    assert of(rows, "given_source_id", "id_system", "cluster", "tmass_id", row=7) == {
        "given_source_id": native["GaiaEDR3"][7], "id_system": "dr3", "cluster": native["Cluster"][7].strip(), "tmass_id": native["2MASS"][7].strip()
    }  # fmt: skip
    assert json.loads(rows.rows["native"][7])["seq"] == native["Seq"][7]


def test_real_tables_that_are_no_sets_say_what_they_hold(real_data: Path, database: Database) -> None:
    paths = [real_data / name for name, (product, _) in REAL.items() if product is None]
    summary = add_paths(database, "gaia_dr3", [*paths, real_data / "labels/green2020_labels_phot_10000.h5"], work=True)
    assert all(file.rows_loaded in (None, 0) and file.reason for file in summary.files)
    columns = gzip.decompress((real_data / "labels/guiglion2020_rave_apogee_labels.csv.gz").read_bytes()).split(b",", 1)[0].decode().lower()
    assert any(columns in (file.reason or "") for file in summary.files)
