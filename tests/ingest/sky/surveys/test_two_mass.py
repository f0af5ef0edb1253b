"""2MASS: the join of the archive's three tables gives each star its photometry, with grades by error and honest noise."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.two_mass import BANDS, TwoMass, TwoMassOptions, draw_two_mass, write_two_mass

Check = Callable[[np.ndarray, np.ndarray], None]


@pytest.fixture(scope="module")
def tables(two_mass: TwoMass, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    paths = write_two_mass(tmp_path_factory.mktemp("two_mass"), two_mass)
    return {
        path.name.split(".")[0]: Table.read(gzip.decompress(path.read_bytes()).decode(), format="ascii.csv", fill_values=[("null", "0")])
        for path in paths
    }


def test_columns_are_those_of_the_archive(tables: dict[str, Table]) -> None:
    assert {name: table.colnames for name, table in tables.items()} == {
        "tmasspscxscBestNeighbour0001": [
            "source_id",
            "original_ext_source_id",
            "angular_distance",
            "xm_flag",
            "clean_tmass_psc_xsc_oid",
            "number_of_neighbours",
            "number_of_mates",
        ],
        "tmasspscxscJoin0001": ["clean_tmass_psc_xsc_oid", "original_psc_source_id", "original_xsc_source_id"],
        "tmass_original_valid": [
            "tmass_oid",
            "designation",
            "ra",
            "dec",
            "err_maj",
            "err_min",
            "err_ang",
            "j_m",
            "j_msigcom",
            "h_m",
            "h_msigcom",
            "ks_m",
            "ks_msigcom",
            "ph_qual",
            "ext_key",
            "j_date",
        ],
    }


def test_the_three_tables_join_to_each_matched_stars_photometry(tables: dict[str, Table], two_mass: TwoMass, stars: SurveyInput) -> None:
    best, join, photometry = tables.values()
    assert (np.diff(best["source_id"]) > 0).all() and best["source_id"].dtype == np.int64
    psc = dict(zip(join["clean_tmass_psc_xsc_oid"].tolist(), join["original_psc_source_id"].tolist(), strict=True))
    j_m = dict(zip(photometry["designation"].tolist(), np.ma.filled(photometry["j_m"], np.nan).tolist(), strict=True))
    found = dict(zip(best["source_id"].tolist(), [j_m[psc[oid]] for oid in best["clean_tmass_psc_xsc_oid"].tolist()], strict=True))
    matched = two_mass.matched
    assert 0.96 < matched.mean() < 0.99 and set(found) == set(stars.source_id[matched].tolist())
    ours = [found[number] for number in stars.source_id[matched].tolist()]
    assert np.array_equal(ours, two_mass.magnitude["j"][matched], equal_nan=True)


@pytest.mark.parametrize("band", BANDS)
def test_magnitudes_scatter_as_their_errors_say(two_mass: TwoMass, stars: SurveyInput, scatter_is_stated: Check, band: str) -> None:
    right = two_mass.matched & (stars.counterpart == np.arange(len(stars)))
    scatter_is_stated((two_mass.magnitude[band] - getattr(stars, band))[right], two_mass.error[band][right])


@pytest.mark.parametrize("column", [0, 1, 2])
def test_grades_follow_the_errors(two_mass: TwoMass, column: int) -> None:
    band, quality = BANDS[column], two_mass.ph_qual[two_mass.matched]
    grade = np.array([letters[column] for letters in quality.tolist()])
    error, magnitude = two_mass.error[band][two_mass.matched], two_mass.magnitude[band][two_mass.matched]
    assert set(grade.tolist()) == set("ABCDUX")
    assert np.array_equal(grade == "A", error <= 0.10857)
    assert (error[grade == "B"] > 0.10857).all() and (error[grade == "C"] > 0.1551).all() and (error[grade == "D"] > 0.21714).all()
    assert np.isnan(error[(grade == "U") | (grade == "X")]).all() and np.isfinite(magnitude[grade == "U"]).all()
    assert np.array_equal(grade == "X", np.isnan(magnitude))


def test_real_rows_keep_the_same_grades(real_data: Path) -> None:
    table = Table.read(real_data / "labels" / "ocCastroGinard_tmass.fits.gz")
    grade = np.array([str(letters)[0] for letters in table["Qfl"]])
    error = np.ma.filled(table["e_Jmag"], np.nan)
    assert error[grade == "A"].max() < 0.110 and error[grade == "B"].max() < 0.156 and error[grade == "C"].max() < 0.217
    assert np.isnan(error[grade == "U"]).all()


def test_extended_sources_and_wrong_matches_are_there(two_mass: TwoMass, tables: dict[str, Table], stars: SurveyInput) -> None:
    key = tables["tmass_original_valid"]["ext_key"]
    assert 0.002 < 1 - np.mean(np.ma.getmaskarray(key)) < 0.01
    wrong = two_mass.truth.wrong_match
    assert 0.001 < wrong.mean() < 0.006
    best = tables["tmasspscxscBestNeighbour0001"]
    far = np.isin(best["source_id"], stars.source_id[two_mass.truth.identified_as[wrong]])
    assert (
        (best["angular_distance"][far] >= 1).all()
        and (best["angular_distance"][~far] < 0.5).all()
        and (best["number_of_neighbours"][far] == 2).all()
    )


def test_stars_without_a_match_have_nothing(stars: SurveyInput) -> None:
    none = draw_two_mass(stars, np.random.default_rng(1), TwoMassOptions(unmatched=1.0))
    assert not none.matched.any() and len(none.best_neighbour) == len(none.original_valid) == 0 and np.isnan(none.magnitude["j"]).all()
