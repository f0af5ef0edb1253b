"""Dust: grows along each line of sight, lies in the plane, and is shared by neighbours on the sky."""

import numpy as np
import pytest
from scipy.integrate import quad

from ingest.sky import dust
from ingest.sky.draws import Draws
from ingest.sky.dust import DustMap
from ingest.sky.galaxy import R_SUN, cylinder_radius, galactocentric

SKY = DustMap.drawn(Draws(1))


@pytest.mark.parametrize("longitude", [0.0, 60.0, 180.0])
@pytest.mark.parametrize("latitude", [0.0, -1.0, 5.0, 40.0, -90.0])
@pytest.mark.parametrize("distance", [0.05, 1.0, 7.0, 30.0])
def test_the_layer_is_the_integral_of_its_density(longitude: float, latitude: float, distance: float) -> None:
    l, b = np.radians([longitude]), np.radians([latitude])  # noqa: E741

    def density(s: float) -> float:
        x = galactocentric(np.array([s]), l, b)
        return float((dust.PER_KPC * np.exp(-np.abs(x[2]) / dust.HEIGHT - (cylinder_radius(x) - R_SUN) / dust.LENGTH))[0])

    expected = quad(density, 0.0, distance, limit=400, points=[min(R_SUN, distance)])[0]
    assert dust.layer(np.array([distance]), l, b) == pytest.approx([expected], rel=0.03)


def test_reddening_never_falls_along_a_line_of_sight() -> None:
    distance = np.geomspace(0.01, 20.0, 200)
    for longitude, latitude in [(0.1, 0.02), (3.0, -0.5), (5.0, 1.4), (1.0, 0.0)]:
        ebv = SKY.ebv(distance, np.full(200, longitude), np.full(200, latitude))
        assert (np.diff(ebv) > -1e-3 * ebv[1:]).all()
        assert ebv[0] > 0


def test_neighbours_share_their_dust_and_cells_scatter_log_normally() -> None:
    rng = np.random.default_rng(2)
    n = 40_000
    longitude, latitude = rng.uniform(0, 2 * np.pi, n), np.arcsin(rng.uniform(-1, 1, n))
    distance = np.full(n, 2.0)
    patch = np.log(SKY.ebv(distance, longitude, latitude) / dust.layer(distance, longitude, latitude))
    assert patch.std() == pytest.approx(np.hypot(0.45, 0.12), rel=0.08)
    beside = np.log(SKY.ebv(distance, longitude, latitude + 1e-6) / dust.layer(distance, longitude, latitude + 1e-6))
    assert (np.abs(beside - patch) < 1e-9).mean() > 0.999
    away = np.log(SKY.ebv(distance, longitude, -latitude) / dust.layer(distance, longitude, -latitude))
    assert abs(np.corrcoef(patch, away)[0, 1]) < 0.15


def test_another_seed_has_other_dust() -> None:
    assert (DustMap.drawn(Draws(1)).large == SKY.large).all()
    assert abs(np.corrcoef(DustMap.drawn(Draws(2)).large, SKY.large)[0, 1]) < 0.15
