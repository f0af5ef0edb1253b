"""Gaia's tables in the catalogue: public names, positions, the fuller of two spectra, links between releases, a second release beside the first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import healpy as hp
import numpy as np
import pytest

from catalog.database import Database, Role
from catalog.healpix import cone_ranges
from catalog.releases import KNOWN_RELEASES, add_release
from ingest.load import add_paths
from ingest.product import FileContext
from ingest.products.astrophysical_parameters import ASTROPHYSICAL_PARAMETERS_ROWS
from ingest.products.gaia_source import GAIA_SOURCE_ROWS
from ingest.products.neighbourhood import DR2_NEIGHBOURHOOD, DR3_NEIGHBOURHOOD
from ingest.products.reference_label import REFERENCE_LABELS
from ingest.reader import blocks_of, open_table
from ingest.registry import product_of
from ingest.sky.make import SkySettings, make_sky
from ingest.source_file import SourceFile

GOOD = 4295806720
Holdings = Callable[[Database], dict[str, list[tuple[Any, ...]]]]


def rvs(source_id: int, n_bad: int = 0, **others: Any) -> dict[str, Any]:
    flux = np.random.default_rng(source_id).uniform(0.2, 1.1, 2401).astype(np.float32)
    flux[:n_bad] = np.nan
    return {
        "source_id": source_id, "solution_id": 5, "flux": flux.tolist(), "flux_error": [0.01] * 2401, "combined_transits": 9,
        "combined_ccds": 27, "deblended_ccds": 0,
    } | others  # fmt: skip


def rows(database: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with database.connect(Role.TAP_READER) as connection:
        return connection.execute(query, values).fetchall()


# --- spectra ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_spectra_of_a_source_the_one_with_more_good_pixels_stays(
    first: int, archive: Any, database: Database, tmp_path: Path
) -> None:
    paths = [
        archive.csv(tmp_path / "few.csv", [rvs(GOOD, 12), rvs(GOOD + 128, 0)]),
        archive.csv(tmp_path / "many.csv", [rvs(GOOD, 3), rvs(GOOD, 40), rvs(GOOD + 128, 5)]),
    ]
    for path in (paths[first], paths[1 - first]):
        add_paths(database, "gaia_dr3", [path], work=True)
    assert rows(database, "SELECT source_id, n_bad FROM gaiadr3.rvs_mean_spectrum ORDER BY 1") == [(GOOD, 3), (GOOD + 128, 0)]
    with database.connect(Role.WORKER) as connection:
        detail = connection.execute("SELECT j.row_number, j.reason, j.detail FROM store.ingest_reject j ORDER BY detail").fetchall()
    assert detail == [
        (2, "duplicate_source", "2361 of 2401 pixels are good"),
        (1, "duplicate_source", "2389 of 2401 pixels are good"),
        (3, "duplicate_source", "2396 of 2401 pixels are good"),
    ]


FORMS = ("csv", "ecsv", "fits", "votable", "parquet", "hdf5")


@pytest.mark.parametrize("form", FORMS)
def test_rvs_spectra_of_every_format_are_the_same(form: str, archive: Any, database: Database, tmp_path: Path) -> None:
    made = [rvs(GOOD, 7), rvs(GOOD + 128, 0), rvs(GOOD + 256, 2401)]
    if form in ("csv", "ecsv"):
        made = [row | {"flux": ["NaN" if value != value else value for value in row["flux"]]} for row in made]
    (file,) = add_paths(database, "gaia_dr3", [getattr(archive, form)(tmp_path / "file", made)], work=True).files
    assert (file.product, file.rows_in, file.rows_loaded, file.rows_rejected) == ("rvs_mean", 3, 2, 1)
    found = rows(database, "SELECT source_id, flux, flux_error, n_bad, deblended_ccds FROM gaiadr3.rvs_mean_spectrum ORDER BY 1")
    assert [(row[0], *row[3:]) for row in found] == [(GOOD, 7, 0), (GOOD + 128, 0, 0)]
    for row in found:
        expected = np.array(rvs(row[0], 7 if row[0] == GOOD else 0)["flux"], np.float32)
        assert np.array_equal(np.frombuffer(row[1], ">f4"), expected, equal_nan=True)


BAD = {
    "2400 pixels": ({"flux": [1.0] * 2400}, "wrong_number_of_flux"),
    "2400 errors": ({"flux_error": [0.1] * 2400}, "wrong_number_of_flux_error"),
    "no flux": ({"flux": None}, "no_flux"),
    "an infinite flux": ({"flux": ["inf"] + [1.0] * 2400}, "flux_not_finite"),
    "an error of zero": ({"flux_error": [0] + [0.1] * 2400}, "flux_error_not_positive"),
    "a word among the fluxes": ({"flux": ["x"] + [1.0] * 2400}, "unparsable"),
    "a count beyond its type": ({"combined_ccds": 99_999}, "unparsable"),
    "an identifier off the sky": ({"source_id": 2**63 - 1}, "source_id_off_the_sky"),
}


def test_bad_spectra_are_rejected_by_name_and_good_ones_load(archive: Any, database: Database, tmp_path: Path) -> None:
    made = [rvs(GOOD + 128 * number) | change for number, (change, _) in enumerate(BAD.values(), 1)]
    without_errors = {name: value for name, value in rvs(GOOD).items() if name != "flux_error"} | {"flux_error": None}
    (file,) = add_paths(database, "gaia_dr3", [archive.csv(tmp_path / "file.csv", [without_errors, *made])], work=True).files
    assert (file.rows_in, file.rows_loaded) == (len(BAD) + 1, 1)
    with database.connect(Role.WORKER) as connection:
        reasons = connection.execute("SELECT row_number, reason FROM store.ingest_reject ORDER BY row_number").fetchall()
        kept = connection.execute("SELECT source_id, flux_error, n_bad FROM store.rvs_spectrum").fetchall()
    assert reasons == [(number, reason) for number, (_, reason) in enumerate(BAD.values(), 2)]
    assert kept == [(GOOD, None, 2401)]


def test_spectra_and_parameters_are_found_in_cones_by_the_position_of_their_source(
    archive: Any, database: Database, tmp_path: Path
) -> None:
    parameters = [{"source_id": GOOD + 128 * i, "teff_gspphot": 5000.5 + i, "mh_gspspec": -0.25} for i in range(3)]
    archive.csv(tmp_path / "a.csv", [rvs(GOOD), rvs(GOOD + 128)])
    archive.csv(tmp_path / "b.csv", parameters)
    archive.csv(tmp_path / "c.csv", [archive.source(GOOD, 45.0045, 0.02), archive.source(GOOD + 256, 45.0046, 0.02)])
    flux = [1e-17] * 343
    archive.csv(tmp_path / "d.csv", [{"source_id": GOOD, "solution_id": 5, "flux": flux, "flux_error": flux}])
    add_paths(database, "gaia_dr3", [tmp_path], work=True)
    (first, last), *_ = cone_ranges(45.0045, 0.02, 0.001, 0.1)
    for view, expected in (("rvs_mean_spectrum", [GOOD]), ("xp_sampled_mean_spectrum", [GOOD]),
                           ("astrophysical_parameters", [GOOD, GOOD + 256])):  # fmt: skip
        query = f"SELECT source_id, ra, dec FROM gaiadr3.{view} WHERE source_id BETWEEN %s AND %s AND ra > 45.004 ORDER BY 1"
        found = rows(database, query, first, last)
        assert [row[0] for row in found] == expected, view
        assert found[0][1:] == (45.0045, 0.02)
    missing = rows(database, "SELECT ra, teff_gspphot, mh_gspspec FROM gaiadr3.astrophysical_parameters WHERE source_id = %s", GOOD + 128)
    assert missing == [(None, 5001.5, -0.25)]


# --- headers ------------------------------------------------------------------------------------------------------------------

HEADERS = {
    "parameters": (["source_id", "solution_id", "teff_gspphot", "spectraltype_esphs"], ASTROPHYSICAL_PARAMETERS_ROWS),
    "parameters, reordered, with a note": (["logg_gspspec", "flags_gspspec", "my_note", "source_id"], ASTROPHYSICAL_PARAMETERS_ROWS),
    "parameters beside positions are gaia_source": (["source_id", "ra", "dec", "teff_gspphot"], GAIA_SOURCE_ROWS),
    "labels of a survey with one parameter": (["source_id", "teff", "logg", "fe_h", "teff_gspphot"], REFERENCE_LABELS),
    "neighbours of DR2": (["angular_distance", "dr3_source_id", "dr2_source_id", "note"], DR2_NEIGHBOURHOOD),
    "neighbours of DR3": (["dr3_source_id", "dr4_source_id"], DR3_NEIGHBOURHOOD),
    "a survey with identifiers of both releases": (
        ["star_id", "dr2_source_id", "dr3_source_id", "ra", "dec", "teff", "logg"],
        REFERENCE_LABELS,
    ),
    "a survey with identifiers of one release": (["dr3_source_id", "teff"], REFERENCE_LABELS),
    "gaia_source with the spellings of DR4": (["source_id", "ra", "dec", "astrometric_params"], GAIA_SOURCE_ROWS),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_product_is_told_by_its_columns(name: str) -> None:
    columns, product = HEADERS[name]
    found = product_of([dict.fromkeys(columns, "")])
    assert (found and found[0]) is product


def table_of(product: str) -> dict[str, tuple[str, str]]:
    """Column -> unit and value of a small row of each product."""
    lists = {length: '"[' + ",".join(["0.5"] * length) + ']"' for length in (343, 2401)}
    return {
        "rvs_mean": {"source_id": ("", str(GOOD)), "flux": ("", lists[2401]), "flux_error": ("", lists[2401]), "combined_transits": ("", "9")},
        "xp_sampled": {
            "source_id": ("", str(GOOD)), "solution_id": ("", "5"), "flux": ("W.m**-2.nm**-1", lists[343]),
            "flux_error": ("W.m**-2.nm**-1", lists[343]),
        },
        "astrophysical_parameters": {"source_id": ("", str(GOOD)), "teff_gspphot": ("K", "5000.0"), "distance_gspphot": ("pc", "100.0")},
        "dr2_neighbourhood": {"dr2_source_id": ("", "5"), "dr3_source_id": ("", str(GOOD)), "angular_distance": ("mas", "1.5")},
        "gaia_source": {"source_id": ("", str(GOOD)), "ra": ("deg", "45.0046"), "dec": ("deg", "0.02"), "parallax": ("mas", "1.5")},
    }[product]  # fmt: skip


def write_ecsv(path: Path, names: list[str], table: dict[str, tuple[str, str]]) -> Path:
    lines = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    for name in names:
        unit, _ = table[name]
        lines += ["-", f"  name: {name}", "  datatype: string", *([f"  unit: {unit}"] if unit else [])]
    rows = [",".join(names), ",".join(table[name][1] for name in names), ""]
    path.write_text("".join(f"# {line}\n" for line in lines) + "\n".join(rows))
    return path


ANOTHER_UNIT = {"rvs_mean": ("wavelength", "Angstrom"), "xp_sampled": ("flux", "erg.s**-1.cm**-2.nm**-1"), "astrophysical_parameters": ("distance_gspphot", "kpc"),
                "dr2_neighbourhood": ("angular_distance", "arcsec"), "gaia_source": ("parallax", "arcsec")}  # fmt: skip
WITHOUT = {"rvs_mean": "source_id", "xp_sampled": "source_id", "astrophysical_parameters": "source_id", "dr2_neighbourhood": "dr3_source_id",
           "gaia_source": "dec"}  # fmt: skip


@pytest.mark.parametrize("product", WITHOUT)
def test_columns_in_another_order_and_unknown_ones_are_taken_and_told(product: str, database: Database, tmp_path: Path) -> None:
    table = table_of(product) | {"my_note": ("", '"seen twice"')}
    (file,) = add_paths(database, "gaia_dr3", [write_ecsv(tmp_path / "file", list(table)[::-1], table)], work=True).files
    assert (file.product, file.state, file.rows_loaded) == (product, "loaded", 1)
    with database.connect(Role.WORKER) as connection:
        header = connection.execute("SELECT header->'unknown_columns', header->'missing_columns' FROM store.ingest_file").fetchone()
    assert header is not None
    assert header[0] == ["my_note"]
    assert not set(table).intersection(header[1])


@pytest.mark.parametrize("product", WITHOUT)
def test_a_column_that_comes_twice_refuses_the_file(product: str, database: Database, tmp_path: Path) -> None:
    table = table_of(product)
    twice = list(table)[-1]
    (file,) = add_paths(database, "gaia_dr3", [write_ecsv(tmp_path / "file", [*table, twice], table)], work=True).files
    assert (file.product, file.state) == (product, "failed")
    assert f"names {twice} more than once" in (file.reason or "")


@pytest.mark.parametrize("product", WITHOUT)
def test_a_unit_of_another_kind_refuses_the_file(product: str, database: Database, tmp_path: Path) -> None:
    name, unit = ANOTHER_UNIT[product]
    table = table_of(product)
    table[name] = (unit, table.get(name, ("", "0.5"))[1])
    (file,) = add_paths(database, "gaia_dr3", [write_ecsv(tmp_path / "file", list(table), table)], work=True).files
    assert file.state == "failed"
    assert f"gives {name} in '{unit}'" in (file.reason or "")


@pytest.mark.parametrize("product", WITHOUT)
def test_a_missing_identifier_or_position_is_told(product: str, database: Database, tmp_path: Path) -> None:
    names = [name for name in table_of(product) if name != WITHOUT[product]]
    table = table_of(product) | {"wavelength": ("nm", "336.0")}
    names += ["wavelength"] if product == "xp_sampled" else []
    (file,) = add_paths(database, "gaia_dr3", [write_ecsv(tmp_path / "file", names, table)], work=True).files
    assert file.rows_loaded is None
    if file.state == "failed":
        assert f"the header is one of {product} but has no column {WITHOUT[product]}" in (file.reason or "")
    else:
        assert file.state == "not_a_product"
        assert ", ".join(names) in (file.reason or "")


@pytest.mark.parametrize("spelling", ["True", "true", "t", "1", '"True"', "TRUE"])
def test_every_spelling_of_a_boolean_and_of_null_is_understood_in_gaia_source(spelling: str, tmp_path: Path) -> None:
    nulls = ("", "null", "NULL", "nan", "NaN", "\\N")
    names = ("source_id", "ra", "dec", "in_qso_candidates", "in_galaxy_candidates", "astrometric_params", "astrometric_excess_noise")
    lines = [f"{GOOD + 128 * i},45,0.5,{spelling},{null},31,{null}" for i, null in enumerate(nulls)]
    (tmp_path / "file").write_text("\n".join([",".join(names), *lines, ""]))
    with open_table(SourceFile(tmp_path / "file")) as reader:
        header = GAIA_SOURCE_ROWS.compare(reader.tables[0], reader.units[0])
        (block,) = blocks_of(SourceFile(tmp_path / "file"), reader, [0], GAIA_SOURCE_ROWS.fields)
    checked = GAIA_SOURCE_ROWS.check(block, FileContext(KNOWN_RELEASES["gaia_dr3"], "file"))
    assert header["unknown_columns"] == []
    assert {"phot_bp_rp_excess_factor", "phot_bp_n_obs"} <= set(header["missing_columns"])
    assert checked.rows["in_qso_candidates"].tolist() == [True] * 6
    assert checked.rows["astrometric_params_solved"].tolist() == [31] * 6
    for name in ("in_galaxy_candidates", "astrometric_excess_noise", "phot_bp_rp_excess_factor"):
        assert checked.rows.null(name).all(), name


APPENDIX_A = """random_index source_id ref_epoch ra ra_error dec dec_error parallax parallax_error pmra pmra_error pmdec pmdec_error ruwe
    astrometric_excess_noise phot_g_mean_mag phot_g_mean_flux phot_g_mean_flux_error phot_bp_mean_mag phot_bp_mean_flux phot_rp_mean_flux_error
    phot_rp_mean_mag phot_rp_mean_flux phot_bp_mean_flux_error has_xp_continuous phot_bp_n_obs phot_rp_n_obs phot_bp_rp_excess_factor
    visibility_periods_used"""
CUTS = """parallax_over_error ruwe phot_bp_rp_excess_factor rvs_spec_sig_to_noise phot_g_mean_flux_over_error phot_bp_mean_flux_over_error
    phot_rp_mean_flux_over_error in_qso_candidates in_galaxy_candidates phot_variable_flag non_single_star bp_rp phot_g_mean_mag
    nu_eff_used_in_astrometry pseudocolour ecl_lat astrometric_params_solved"""


def test_every_column_of_the_papers_queries_and_cuts_is_public(database: Database) -> None:
    """Zhang, Green & Rix 2023, appendix A; cuts of Fallows & Sanders 2024, Guiglion et al. 2024, Laroche & Speagle 2024."""
    columns = ", ".join(dict.fromkeys((APPENDIX_A + " " + CUTS).split()))
    assert rows(database, f"SELECT {columns} FROM gaiadr3.gaia_source") == []


# --- links between releases ---------------------------------------------------------------------------------------------------


def pair(dr2: Any, dr3: Any, **others: Any) -> dict[str, Any]:
    return {"dr2_source_id": dr2, "dr3_source_id": dr3, "angular_distance": 12.5, "magnitude_difference": -0.01,
            "proper_motion_propagation": True} | others  # fmt: skip


def test_neighbours_are_many_to_many_and_found_both_ways(archive: Any, database: Database, tmp_path: Path) -> None:
    made = [
        pair(100, GOOD), pair(100, GOOD + 128, proper_motion_propagation="false"), pair(101, GOOD), pair(102, 102, angular_distance=None),
        pair(100, GOOD, angular_distance=None), pair(None, GOOD), pair(103, None), pair(-1, GOOD), pair(104, 2**63 - 1), pair(105, "x"),
    ]  # fmt: skip
    (file,) = add_paths(database, "gaia_dr3", [archive.csv(tmp_path / "pairs.csv", made)], work=True).files
    assert (file.product, file.rows_in, file.rows_loaded) == ("dr2_neighbourhood", 10, 4)
    found = rows(database, "SELECT * FROM gaiadr3.dr2_neighbourhood ORDER BY 1, 2")
    assert [row[:2] for row in found] == [(100, GOOD), (100, GOOD + 128), (101, GOOD), (102, 102)]
    assert [row[4] for row in found] == [True, False, True, True]
    assert found[0][2] == 12.5
    with database.connect(Role.WORKER) as connection:
        reasons = connection.execute("SELECT row_number, reason, record FROM store.ingest_reject ORDER BY 1").fetchall()
        connection.execute("SET LOCAL enable_seqscan = off")
        plans = [
            "".join(line for (line,) in connection.execute(f"EXPLAIN SELECT * FROM gaiadr3.dr2_neighbourhood WHERE {name} = 5").fetchall())  # type: ignore[arg-type]
            for name in ("dr2_source_id", "dr3_source_id")
        ]
    assert [reason[:2] for reason in reasons] == [
        (5, "duplicate_row"), (6, "missing_from_source_id"), (7, "missing_source_id"), (8, "from_source_id_off_the_sky"),
        (9, "source_id_off_the_sky"), (10, "unparsable"),
    ]  # fmt: skip
    assert reasons[0][2] == f"dr2/100/{GOOD}"
    assert all("Index Cond" in plan for plan in plans), plans


def test_neighbours_of_another_numbering_than_the_releases_are_refused(archive: Any, database: Database, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "pairs.csv", [{"dr3_source_id": 5, "dr4_source_id": 6}])
    (file,) = add_paths(database, "gaia_dr3", [path], work=True).files
    assert (file.product, file.state) == ("dr3_neighbourhood", "failed")
    assert "links the numbers of dr3 to those of dr4, and gaia_dr3 numbers its sources as dr3" in (file.reason or "")


# --- HDF5 ---------------------------------------------------------------------------------------------------------------------


def test_an_hdf5_mirror_loads_with_its_fill_values_as_nulls_and_integers_as_booleans(database: Database, tmp_path: Path) -> None:
    n = 70_000  # more than a block
    source_id = GOOD + 128 * np.arange(n, dtype=np.int64)
    with h5py.File(tmp_path / "GaiaSource.h5", "w") as file:
        file["source_id"] = source_id
        file["ra"], file["dec"] = hp.pix2ang(4096, source_id >> 35, nest=True, lonlat=True)
        file["parallax"] = np.where(np.arange(n) == 1, np.finfo(np.float64).min, 1.5)
        file["ruwe"] = np.where(np.arange(n) == 1, np.float32(np.nan), np.float32(1.25))
        file["visibility_periods_used"] = np.where(np.arange(n) == 1, np.int16(-32768), np.int16(20))
        file["astrometric_params_solved"] = np.where(np.arange(n) == 1, np.int8(127), np.int8(31))
        file["non_single_star"] = np.where(np.arange(n) == 1, np.uint8(255), np.uint8(0))
        file["has_rvs"] = np.choose(np.minimum(np.arange(n), 3), [np.int8(1), np.int8(-128), np.int8(2), np.int8(0)])
        file["phot_variable_flag"] = np.where(np.arange(n) == 1, b"", b"VARIABLE")
        file["parallax"].attrs["unit"] = "mas"
        file["some_dataset_of_another_length"] = np.zeros(5)
    (file,) = add_paths(database, "gaia_dr3", [tmp_path / "GaiaSource.h5"], work=True).files
    assert (file.product, file.state, file.rows_in, file.rows_rejected) == ("gaia_source", "loaded", n, 1)
    found = rows(
        database,
        "SELECT parallax, ruwe, visibility_periods_used, astrometric_params_solved, non_single_star, has_rvs, phot_variable_flag"
        " FROM gaiadr3.gaia_source WHERE source_id < %s OR source_id = %s ORDER BY source_id", GOOD + 5 * 128, GOOD + 128 * (n - 1),
    )  # fmt: skip
    full = (1.5, 1.25, 20, 31, 0, False, "VARIABLE")
    assert found == [(*full[:5], True, "VARIABLE"), (None,) * 7, full, full, full]
    with database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT row_number, detail FROM store.ingest_reject").fetchall() == [(3, "has_rvs: 2 is no boolean")]


BAD_HDF5 = {
    "a column of another length": (lambda file: file.create_dataset("parallax", data=np.zeros(2)), "failed", "not of one length"),
    "a unit of another kind": (
        lambda file: file.create_dataset("parallax", data=np.zeros(3)).attrs.update(unit="arcsec"),
        "failed",
        "arcsec",
    ),
    "a matrix for a number": (lambda file: file.create_dataset("parallax", data=np.zeros((3, 2))), "failed", "one value a row"),
    "a column that is not read": (lambda file: file.create_dataset("extra", data=np.zeros((3, 2, 2))), "loaded", ""),
    "no positions": (lambda file: file.pop("ra"), "not_a_product", "source_id, dec|dec, source_id"),
    "a link that leads out of the file": (lambda file: file.__setitem__("parallax", h5py.ExternalLink("/etc/passwd", "/x")), "loaded", ""),
}


@pytest.mark.parametrize("name", BAD_HDF5)
def test_what_is_wrong_with_an_hdf5_file_is_told(name: str, database: Database, tmp_path: Path) -> None:
    alter, state, reason = BAD_HDF5[name]
    with h5py.File(tmp_path / "file", "w") as file:
        file["source_id"], file["ra"], file["dec"] = GOOD + 128 * np.arange(3), np.full(3, 45.0), np.full(3, 0.5)
        alter(file)
    (found,) = add_paths(database, "gaia_dr3", [tmp_path / "file"], work=True).files
    assert found.state == state
    assert any(part in (found.reason or "") for part in reason.split("|"))


# --- a second release ---------------------------------------------------------------------------------------------------------


def test_the_mock_dr4_loads_beside_dr3_and_leaves_it_as_it_was(database: Database, holdings: Holdings, tmp_path: Path) -> None:
    make_sky(SkySettings(stars=60, seed=11), tmp_path / "dr3", workers=1)
    make_sky(SkySettings(stars=60, seed=11, release="dr4"), tmp_path / "dr4", workers=1)
    tables = ("gaia_source", "xp_continuous_mean_spectrum", "rvs_mean_spectrum")
    for release in ("sim_dr3", "sim_dr4"):
        add_release(database, release)
    add_paths(database, "sim_dr3", [tmp_path / "dr3" / name for name in tables], work=True)
    before = content_of(database, 101)
    assert before["gaia_source"][0] > 40
    summary = add_paths(
        database, "sim_dr4", [*(tmp_path / "dr4" / name for name in tables), tmp_path / "dr4" / "dr3_neighbourhood"], work=True
    )
    loaded = [file for file in summary.files if file.state == "loaded"]
    assert {file.product for file in loaded} == {"gaia_source", "xp_continuous", "rvs_mean", "dr3_neighbourhood"}
    assert len(loaded) == len(summary.files)
    assert sum(file.rows_rejected or 0 for file in loaded) == 0
    assert content_of(database, 101) == before
    after = content_of(database, 102)
    for product, table in (("gaia_source", "gaia_source"), ("xp_continuous", "xp_spectrum"), ("rvs_mean", "rvs_spectrum"),
                           ("dr3_neighbourhood", "id_map")):  # fmt: skip
        assert after[table][0] == sum(file.rows_in or 0 for file in loaded if file.product == product) > 0, product
    (header,) = {str(row[0]) for row in ledger(database, "gaia_source", "missing_columns")}
    assert "phot_bp_rp_excess_factor" in header
    assert "astrometric_params_solved" not in header
    with database.connect(Role.TAP_READER) as connection:
        (lengths,) = connection.execute(
            "SELECT DISTINCT length(bp_coefficients) / 4, length(rp_coefficients) / 4 FROM gaiasim_dr4.xp_continuous_mean_spectrum"
            " WHERE bp_coefficients IS NOT NULL"
        ).fetchall()
        (source,) = connection.execute(
            "SELECT DISTINCT ref_epoch, astrometric_params_solved, phot_bp_rp_excess_factor FROM gaiasim_dr4.gaia_source"
        ).fetchall()
        linked = connection.execute(
            "SELECT count(*) FROM gaiasim_dr4.dr3_neighbourhood AS n JOIN gaiasim_dr3.gaia_source AS a ON a.source_id = n.dr3_source_id"
            " JOIN gaiasim_dr4.gaia_source AS b ON b.source_id = n.dr4_source_id"
        ).fetchone()
    assert lengths == (51, 55)
    assert source == (2017.5, 31, None)
    assert linked is not None and linked[0] > 40


def ledger(database: Database, product: str, key: str) -> list[tuple[Any, ...]]:
    with database.connect(Role.WORKER) as connection:
        query = "SELECT header->>%s FROM store.ingest_file WHERE product = %s AND release_id = 102"
        return connection.execute(query, (key, product)).fetchall()


def content_of(database: Database, release_id: int) -> dict[str, tuple[int, str]]:
    """Rows and digest of all columns in key order of each table of a release."""
    tables = {"gaia_source": "source_id", "xp_spectrum": "source_id", "rvs_spectrum": "source_id", "xp_sampled_spectrum": "source_id",
              "astrophysical_parameters": "source_id", "id_map": "from_source_id, source_id", "displaced_source": "source_id"}  # fmt: skip
    with database.connect(Role.WORKER) as connection:
        return {
            table: connection.execute(
                f"SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY {key})), '') FROM store.{table} AS t WHERE release_id = %s",  # type: ignore[arg-type]
                (release_id,),
            ).fetchone()  # type: ignore[misc]
            for table, key in tables.items()
        }
