"""All files of a sky: the same bytes for the same seed, other bytes for another, and nothing that ingest mistakes for a product it knows."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog.database import Database
from ingest.load import add_paths
from ingest.sky.surveys.apogee import ApogeeOptions, draw_apogee, write_apogee
from ingest.sky.surveys.fidelity import draw_fidelity, norm_dg_of, write_fidelity
from ingest.sky.surveys.galah import draw_galah, write_galah
from ingest.sky.surveys.hot_payne import draw_hot_payne, write_hot_payne
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.lamost import draw_lamost, write_lamost
from ingest.sky.surveys.neighbourhood import draw_mock_dr4, write_neighbourhood
from ingest.sky.surveys.reddening import draw_reddening, write_reddening
from ingest.sky.surveys.two_mass import draw_two_mass, write_two_mass
from ingest.sky.surveys.unwise import draw_unwise, write_unwise

Sky = Callable[[int, int], SurveyInput]
FILES = {
    "tmasspscxscBestNeighbour0001.csv.gz": "tmass_best_neighbour", "tmasspscxscJoin0001.csv.gz": "tmass_join", "tmass_original_valid.csv.gz": "tmass_psc",
    "gedr3spur.tsv.gz": "fidelity", "unwise_simulated.cat.fits": "unwise", "reddening_bayestar2019.fits": "reddening",
    "allStar-dr17-synspec_rev1.fits": "apogee", "dr8_v2.0_LRS_stellar.csv.gz": "lamost", "dr8_v2.0_LRS_stellar.fits.gz": "lamost",
    "hot_payne.fits.gz": "hot_payne", "GALAH_DR3_main_allstar_v2.fits": "galah", "Dr3Neighbourhood_000000-786431.csv.gz": "dr3_neighbourhood",
}  # fmt: skip
"""Every file, and the product that ingest takes it for."""


def write_all(folder: Path, stars: SurveyInput, seed: int) -> dict[str, str]:
    """Every file, and its digest."""
    streams = iter(np.random.default_rng(seed).spawn(8))
    two_mass = draw_two_mass(stars, next(streams))
    write_two_mass(folder, two_mass)
    fidelity = draw_fidelity(stars, next(streams))
    write_fidelity(folder, fidelity)
    write_unwise(folder, draw_unwise(stars, norm_dg_of(stars, fidelity), next(streams)))
    write_reddening(folder, draw_reddening(stars, next(streams)))
    write_apogee(folder, draw_apogee(stars, two_mass, next(streams)))
    lamost = draw_lamost(stars, next(streams))
    write_lamost(folder, lamost)
    write_lamost(folder, lamost, as_fits=True)
    write_hot_payne(folder, draw_hot_payne(stars, lamost, next(streams)))
    rest = next(streams)
    write_galah(folder, draw_galah(stars, two_mass, rest))
    write_neighbourhood(folder, draw_mock_dr4(stars, rest))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_seed_gives_the_same_bytes_and_another_seed_others(sky: Sky, tmp_path: Path) -> None:
    first, again, other = (write_all(tmp_path / name, sky(1_500, 1), seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert set(first) == set(FILES) and first == again
    assert all(first[name] != other[name] for name in FILES)


def test_a_share_that_changes_leaves_the_other_rows_as_they_were(sky: Sky) -> None:
    stars = sky(3_000, 2)
    two_mass = draw_two_mass(stars, np.random.default_rng(1))
    few = draw_apogee(stars, two_mass, np.random.default_rng(2), ApogeeOptions(duplicates=0.0))
    more = draw_apogee(stars, two_mass, np.random.default_rng(2), ApogeeOptions(duplicates=0.3))
    teff = dict(zip(few.table["APSTAR_ID"].tolist(), few.table["TEFF"].tolist(), strict=True))
    same = [teff.get(name, np.inf) for name in more.table["APSTAR_ID"].tolist()]
    kept = np.isin(more.table["APSTAR_ID"], few.table["APSTAR_ID"])
    assert kept.sum() == len(few) < len(more) and np.array_equal(
        np.array(same)[kept], more.table["TEFF"][kept].astype(float), equal_nan=True
    )


def test_a_sky_without_stars_gives_files_without_rows(sky: Sky, tmp_path: Path) -> None:
    assert set(write_all(tmp_path, sky(0, 1), 1)) == set(FILES)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_stars_is_enough(sky: Sky, tmp_path: Path, n: int) -> None:
    assert set(write_all(tmp_path, sky(n, 4), 1)) == set(FILES)


def test_ingest_knows_each_of_them_and_refuses_the_neighbours_of_another_release(sky: Sky, tmp_path: Path, database: Database) -> None:
    write_all(tmp_path / "surveys", sky(400, 1), 1)
    summary = add_paths(database, "gaia_dr3", [tmp_path / "surveys"], work=True)
    assert {Path(file.name).name: file.product for file in summary.files} == FILES and summary.unreadable == ()
    assert [file.product for file in summary.failed] == ["dr3_neighbourhood"]
    assert {file.state for file in summary.files} == {"loaded", "failed"}
