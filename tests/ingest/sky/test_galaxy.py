"""The Galaxy's components: positions drawn from the sightline tables have the densities they were made from."""

import numpy as np
import pytest
from scipy.integrate import quad

from ingest.sky import galaxy
from ingest.sky.galaxy import DISC_SCALES, FEH_RANGE, FIELD, R_SUN, Population


def drawn(population: Population, farthest: float, n: int = 200_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    distance, longitude, latitude = galaxy.sightlines(population).draw(np.full(n, farthest), np.random.default_rng(1))
    return distance, longitude, latitude


@pytest.mark.parametrize("population", [Population.THIN, Population.THICK])
@pytest.mark.parametrize("farthest", [1.0, 4.0])
def test_scale_height_and_length_come_back_from_the_drawn_positions(population: Population, farthest: float) -> None:
    length, thickness = DISC_SCALES[population]
    distance, longitude, latitude = drawn(population, farthest)
    assert distance.max() <= farthest
    # weights that undo the volume's shape: within a column about the Sun the density falls as exp(-|z|/hz)
    x = galaxy.galactocentric(distance, longitude, latitude)
    height = np.abs(x[2])
    across = distance * np.cos(latitude)
    column = (across < 0.4 * farthest) & (height < 0.9 * farthest)
    top = 0.9 * farthest
    expected = thickness - top / np.expm1(top / thickness)  # mean of an exponential that ends at top
    assert height[column].mean() == pytest.approx(expected, rel=0.04)
    # along the radius, in a box about the Sun
    box = (np.abs(x[1]) < 0.5 * farthest) & (np.abs(x[0] + R_SUN) < 0.5 * farthest) & (height < 0.5 * farthest)
    inwards = -(galaxy.cylinder_radius(x[:, box]) - R_SUN)
    counts, edges = np.histogram(inwards, np.linspace(-0.4, 0.4, 9) * farthest)
    slope = np.polyfit((edges[1:] + edges[:-1]) / 2, np.log(counts), 1, w=np.sqrt(counts))[0]
    assert slope == pytest.approx(1 / length, rel=0.15, abs=0.06)


@pytest.mark.parametrize("population", FIELD)
def test_numbers_within_a_distance_follow_the_density_along_a_sightline(population: Population) -> None:
    distance, _, latitude = drawn(population, 3.0)
    polar = np.sin(latitude) > 0.98

    def shell(d: float) -> float:
        x = galaxy.galactocentric(np.array([d]), np.array([0.0]), np.array([np.pi / 2 - 0.1]))
        return float(galaxy.density(population, galaxy.cylinder_radius(x), x[2])[0] * d**2)

    near, all_of_it = quad(shell, 0.005, 1.0)[0], quad(shell, 0.005, 3.0)[0]
    share = (distance[polar] < 1.0).mean()
    assert share == pytest.approx(near / all_of_it, abs=4 * np.sqrt(0.25 / polar.sum()) + 0.01)


@pytest.mark.parametrize("population", FIELD)
def test_ages_and_metallicities_are_those_of_the_component(population: Population) -> None:
    rng = np.random.default_rng(2)
    age, feh = galaxy.draw_age(population, 20_000, rng), galaxy.draw_feh(population, 20_000, rng)
    assert 0.5 <= age.min() <= age.max() <= 12.6
    expected = {
        Population.THIN: (5.75, -0.08),
        Population.THICK: (9.5, -0.38),
        Population.HALO: (11.5, -1.45),
        Population.ACCRETED: (11.0, -1.25),
    }
    assert (np.mean(age), np.mean(feh)) == pytest.approx(expected[population], abs=0.12)
    moved = galaxy.move_feh(population, feh + 0.5, np.full(20_000, 5.0))
    assert FEH_RANGE[0] <= moved.min() <= moved.max() <= FEH_RANGE[1]


def test_the_thin_disc_grows_metal_poor_outwards_and_no_other_component_does() -> None:
    feh, radius = np.full(3, -0.3), np.array([6.2, 8.2, 10.2])
    assert np.diff(galaxy.move_feh(Population.THIN, feh, radius)) == pytest.approx([-0.11, -0.11])
    assert np.diff(galaxy.move_feh(Population.THICK, feh, radius)) == pytest.approx([0.0, 0.0])
