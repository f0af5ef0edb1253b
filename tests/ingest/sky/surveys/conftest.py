"""A small sky for the surveys: stars drawn flat over labels and magnitudes, so that every cut and flag has some on both sides."""

from collections.abc import Callable

import healpy as hp
import numpy as np
import pytest

from ingest.sky.labels import StellarLabels
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.two_mass import TwoMass, draw_two_mass

Sky = Callable[[int, int], SurveyInput]


def _sky(n: int, seed: int) -> SurveyInput:
    random = np.random.default_rng(seed)
    giant = random.random(n) < 0.6
    labels = StellarLabels(
        np.where(giant, random.uniform(3900, 5300, n), random.uniform(4500, 9200, n)),
        np.where(giant, random.uniform(0.5, 3.4, n), random.uniform(3.8, 4.8, n)),
        random.uniform(-2.2, 0.4, n), random.normal(0.1, 0.08, n), random.normal(0, 0.1, n), random.normal(0.1, 0.1, n),
    )  # fmt: skip
    ra, dec = random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))
    pixel = hp.ang2pix(4096, ra, dec, nest=True, lonlat=True).astype(np.int64)
    g, colour, distance = random.uniform(8.5, 18.6, n), random.uniform(0.5, 1.6, n), random.uniform(0.1, 6.0, n)
    j = g - 0.7 * colour
    ks = j - 0.3 - 0.4 * colour
    missing = random.random((n, 5)) < 0.02
    wrong = np.flatnonzero(random.random(n) < 0.005)
    counterpart = np.arange(n)
    counterpart[wrong] = wrong[::-1]
    kind = np.where(random.random(n) < 0.02, random.integers(1, 5, n), 0).astype(np.int8)
    return SurveyInput(
        (pixel << 35) | ((1 + np.arange(n, dtype=np.int64)) << 7), ra, dec, labels, random.gamma(1.0, 0.2, n), distance, 1 / distance,
        np.full(n, 0.03), random.normal(0, 20, n), random.normal(0, 20, n), random.normal(0, 50, n), g, g + 0.4 * colour, g - 0.6 * colour,
        j, ks + 0.15, ks, ks - 0.05, ks - 0.06, kind, missing, counterpart,
    )  # fmt: skip


@pytest.fixture(scope="session")
def sky() -> Sky:
    """Makes n stars of a seed."""
    return _sky


@pytest.fixture(scope="session")
def stars() -> SurveyInput:
    """12,000 stars."""
    return _sky(12_000, 3)


@pytest.fixture(scope="session")
def two_mass(stars: SurveyInput) -> TwoMass:
    """2MASS of the stars."""
    return draw_two_mass(stars, np.random.default_rng(11))


@pytest.fixture(scope="session")
def scatter_is_stated() -> Callable[[np.ndarray, np.ndarray], None]:
    """Fails unless differences over their stated errors have mean 0 and standard deviation 1, to four standard errors and float32 rounding."""

    def check(difference: np.ndarray, error: np.ndarray) -> None:
        pull = np.asarray(difference, np.float64) / np.asarray(error, np.float64)
        pull = pull[np.isfinite(pull)]
        assert len(pull) > 200
        assert abs(pull.mean()) < 4 / np.sqrt(len(pull)) + 0.005
        assert abs(pull.std() - 1) < 4 / np.sqrt(2 * len(pull)) + 0.01

    return check
