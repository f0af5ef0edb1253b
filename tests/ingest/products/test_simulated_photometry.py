"""The photometry and reddening of a simulated sky: every row and value of its files, read independently, stands in the catalogue."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits
from psycopg import sql
from psycopg.rows import dict_row

from catalog.database import Database, Role
from catalog.releases import add_release
from ingest.linking.two_mass import join_two_mass
from ingest.load import add_paths
from ingest.sky.labels import StellarLabels
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.reddening import draw_reddening, write_reddening
from ingest.sky.surveys.two_mass import draw_two_mass, write_two_mass
from ingest.sky.surveys.unwise import draw_unwise, write_unwise

N = 4000
RELEASE_ID = 101
OURS = {"release_id", "file_id", "row_number", "position_key"}


def simulated_stars() -> SurveyInput:
    random = np.random.default_rng(8)
    labels = StellarLabels(*(random.normal(value, 0.1, N) for value in (5000.0, 3.0, -0.3, 0.1, 0.0, 0.0)))
    ra, dec = random.uniform(0, 360, N), np.degrees(np.arcsin(random.uniform(-1, 1, N)))
    pixel = hp.ang2pix(4096, ra, dec, nest=True, lonlat=True).astype(np.int64)
    g = random.uniform(9, 18.5, N)
    distance = random.uniform(0.1, 6.0, N)
    return SurveyInput(
        (pixel << 35) | ((1 + np.arange(N, dtype=np.int64)) << 7), ra, dec, labels, random.gamma(1.0, 0.2, N), distance, 1 / distance,
        np.full(N, 0.03), random.normal(0, 20, N), random.normal(0, 20, N), random.normal(0, 50, N), g, g + 0.4, g - 0.6,
        g - 1.2, g - 1.6, g - 1.8, g - 1.85, g - 1.86, np.zeros(N, np.int8), random.random((N, 5)) < 0.02, np.arange(N),
    )  # fmt: skip


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sky")
    (folder / "sky.json").write_text("{}")
    stars, surveys = simulated_stars(), folder / "surveys"
    write_two_mass(surveys, draw_two_mass(stars, np.random.default_rng(1)))
    write_unwise(surveys, draw_unwise(stars, np.full(N, np.nan), np.random.default_rng(2)))
    write_reddening(surveys, draw_reddening(stars, np.random.default_rng(3)))
    return surveys


@pytest.fixture
def simulated(database: Database) -> Iterator[Database]:
    add_release(database, "sim_dr3")
    yield database


def load(database: Database, *paths: Path) -> Any:
    return add_paths(database, "sim_dr3", paths, work=True)


def stored(database: Database, table: str, key: str) -> dict[Any, dict[str, Any]]:
    with database.connect(Role.WORKER) as connection, connection.cursor(row_factory=dict_row) as cursor:
        query = sql.SQL("SELECT * FROM {} WHERE release_id = %s").format(sql.Identifier("store", table))
        return {row[key]: row for row in cursor.execute(query, (RELEASE_ID,)).fetchall()}


def text_rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


def same(ours: Any, cell: str) -> bool:
    """Whether a stored value is the text of a file's cell, float32 or exact."""
    if cell == "null":
        return ours is None
    if isinstance(ours, str):
        return ours == cell
    return ours is not None and (ours == int(cell) if isinstance(ours, int) else np.float32(ours) == np.float32(cell))


CSV_FILES = {
    "tmasspscxscBestNeighbour0001.csv.gz": ("tmass_best_neighbour", "source_id"),
    "tmasspscxscJoin0001.csv.gz": ("tmass_join", "clean_tmass_psc_xsc_oid"),
    "tmass_original_valid.csv.gz": ("tmass_psc", "designation"),
}


def test_2mass_stands_as_its_three_files_have_it_and_joins_to_each_source(simulated: Database, sky: Path) -> None:
    by_name = {Path(file.name).name: file for file in load(simulated, sky).files}
    for name, (table, key) in CSV_FILES.items():
        rows = text_rows(sky / name)
        file = by_name[name]
        assert (file.product, file.state, file.rows_in, file.rows_loaded) == (table, "loaded", len(rows), len(rows))
        found = stored(simulated, table, key)
        assert len(found) == len(rows) > 0.9 * N
        for row in rows:
            ours = found[int(row[key]) if key != "designation" else row[key]]
            assert set(ours) - OURS == set(row)
            assert all(same(ours[column], cell) for column, cell in row.items()), (row, ours)
            assert all(ours[column] == float(row[column]) for column in ("ra", "dec") if column in row)
    photometry = {row["designation"]: row for row in text_rows(sky / "tmass_original_valid.csv.gz")}
    join = {row["clean_tmass_psc_xsc_oid"]: row["original_psc_source_id"] for row in text_rows(sky / "tmasspscxscJoin0001.csv.gz")}
    neighbours = text_rows(sky / "tmasspscxscBestNeighbour0001.csv.gz")
    join_two_mass(simulated, "sim_dr3")
    with simulated.connect(Role.TAP_READER) as connection, connection.cursor(row_factory=dict_row) as cursor:
        view = {row["source_id"]: row for row in cursor.execute("SELECT * FROM gaiasim_dr3.two_mass").fetchall()}
    assert set(view) == {int(row["source_id"]) for row in neighbours}
    for neighbour in neighbours:
        expected, ours = photometry[join[neighbour["clean_tmass_psc_xsc_oid"]]], view[int(neighbour["source_id"])]
        for column in ("designation", "j_m", "j_msigcom", "h_m", "h_msigcom", "ks_m", "ks_msigcom", "ph_qual", "ext_key"):
            assert same(ours[column], expected[column]), (column, ours)
        assert same(ours["angular_distance"], neighbour["angular_distance"]) and same(ours["number_of_mates"], neighbour["number_of_mates"])
    assert any("U" in row["ph_qual"] for row in view.values()) and any(row["ext_key"] is not None for row in view.values())


def test_unwise_stands_as_its_vectors_have_it_and_flux_0_is_null(simulated: Database, sky: Path) -> None:
    (file,) = load(simulated, sky / "unwise_simulated.cat.fits").files
    data = fits.getdata(sky / "unwise_simulated.cat.fits")
    assert (file.product, file.rows_in, file.rows_loaded, file.rows_rejected) == ("unwise", len(data), len(data), 0)
    found = stored(simulated, "unwise", "survey_id")
    order = [found[name] for name in data["unwise_objid"]]
    assert len(found) == len(data) > 0.9 * N
    assert [row["ra"] for row in order] == data["ra"].tolist() and [row["dec"] for row in order] == data["dec"].tolist()
    assert [row["coadd_id"] for row in order] == data["coadd_id"].tolist() and [row["is_primary"] for row in order] == data[
        "primary"
    ].tolist()
    assert [row["position_key"] >> 35 for row in order] == hp.ang2pix(4096, data["ra"], data["dec"], nest=True, lonlat=True).tolist()
    for number, band in enumerate(("w1", "w2")):
        none = data["flux"][:, number] == 0
        assert 0 < none.sum() < len(data) / 2
        for ours, theirs in {
            name: name for name in ("flux", "dflux", "qf", "fracflux", "rchi2", "nm", "flags_unwise", "flags_info")
        }.items() | {("primary", "primary12")}:
            expected = [None if missing else value for missing, value in zip(none, data[theirs][:, number].tolist(), strict=True)]
            got = [value if not isinstance(value := row[f"{band}_{ours}"], float) else float(np.float32(value)) for row in order]
            assert got == expected, (band, ours)
    with simulated.connect(Role.TAP_READER) as connection:
        view = dict(connection.execute("SELECT survey_id, w1_mag FROM surveys_sim_dr3.unwise").fetchall())
        errors = dict(connection.execute("SELECT survey_id, w1_mag_error FROM surveys_sim_dr3.unwise").fetchall())
    for name, flux, error in zip(data["unwise_objid"], data["flux"][:, 0], data["dflux"][:, 0], strict=True):
        if flux > 0:
            assert view[name] == pytest.approx(22.5 - 2.5 * np.log10(flux), abs=1e-5)
            assert errors[name] == pytest.approx(1.0857362 * error / flux, rel=1e-5)
        else:
            assert view[name] is None and errors[name] is None


def test_reddening_stands_as_its_file_has_it_with_nulls_outside_the_map(simulated: Database, sky: Path) -> None:
    (file,) = load(simulated, sky / "reddening_bayestar2019.fits").files
    data = fits.getdata(sky / "reddening_bayestar2019.fits")
    assert (file.product, file.rows_in, file.rows_loaded, file.rows_rejected) == ("reddening", N, N, 0)
    found = stored(simulated, "reddening", "source_id")
    outside = np.isnan(data["reddening"])
    assert 0.15 * N < outside.sum() < 0.35 * N
    order = [found[source_id] for source_id in data["source_id"].tolist()]
    assert [row["reddening_map"] for row in order] == [None if out else "bayestar2019" for out in outside]
    for ours, theirs in (("reddening", "reddening"), ("reddening_error", "reddening_err")):
        expected = [None if out else value for out, value in zip(outside, data[theirs].tolist(), strict=True)]
        assert [None if row[ours] is None else float(np.float32(row[ours])) for row in order] == expected
    with simulated.connect(Role.TAP_READER) as connection:
        counts = connection.execute("SELECT count(*), count(reddening), count(reddening_error) FROM gaiasim_dr3.reddening").fetchone()
    assert counts == (N, N - outside.sum(), N - outside.sum())


def test_simulated_photometry_is_refused_by_a_real_release(simulated: Database, sky: Path) -> None:
    files = add_paths(simulated, "gaia_dr3", [sky], work=True).files
    assert {file.state for file in files} == {"failed"} and len(files) == 5
    assert all("simulated sky" in (file.reason or "") for file in files)
