"""Stages along isochrones: drawn by the mass function, and found again by mass."""

import numpy as np
import pytest

from ingest.sky.isochrones import mass_function, track
from ingest.sky.stages import AGES, METALLICITIES, on_the_grid, reach, rough_absolute_g, stage_of_mass, stage_table


@pytest.mark.parametrize(("age", "mh"), [(1.0, 0.05), (5.5, -0.4), (12.6, -1.6)])
def test_drawn_masses_follow_the_mass_function(age: float, mh: float) -> None:
    n = 50_000
    table = stage_table()
    x, possible = table.draw(np.ones_like(table.number), np.full(n, age), np.full(n, mh), np.random.default_rng(1))
    assert possible.all()
    mass = track(np.full(n, age), np.full(n, mh), x).mass
    edges = np.geomspace(0.13, 0.75, 7)
    found = np.histogram(mass, edges)[0]
    fine = np.geomspace(edges[0], edges[-1], 6001)
    expected = np.array([np.trapezoid(mass_function(part), part) for part in (fine[i * 1000 : i * 1000 + 1001] for i in range(6))])
    assert found / found.sum() == pytest.approx(expected / expected.sum(), rel=0.06)


def test_what_has_no_weight_is_not_drawn() -> None:
    table = stage_table()
    giants = (table.logg < 3.0) * 1.0
    giants[0] = 0.0  # none of the youngest
    age = np.repeat([AGES[0], AGES[6]], 1000)
    x, possible = table.draw(giants, age, np.zeros(2000), np.random.default_rng(2))
    assert (~possible[:1000]).all()
    assert possible[1000:].all()
    assert (track(age[1000:], np.zeros(1000), x[1000:]).logg < 3.1).all()


def test_a_star_is_found_again_by_its_mass() -> None:
    rng = np.random.default_rng(3)
    age, mh, x = rng.uniform(1, 12, 300), rng.uniform(-2, 0.4, 300), rng.uniform(0.05, 0.3, 300)
    again = stage_of_mass(track(age, mh, x).mass, age, mh, np.full(300, 0.5))
    assert again == pytest.approx(x, abs=1e-5)


def test_a_star_is_looked_for_as_far_as_it_could_be_seen() -> None:
    assert reach(np.array([4.8 - 5.0]), 4.6) == pytest.approx([0.1])  # 10 mag of distance modulus is 1 kpc; 5 mag 0.1 kpc
    sun = track(np.array([4.6]), np.array([0.0]), stage_of_mass(np.ones(1), np.array([4.6]), np.zeros(1), np.array([0.5])))
    assert rough_absolute_g(sun.teff, sun.logl) == pytest.approx([4.67], abs=0.15)


def test_the_table_covers_the_components_ages_and_metallicities() -> None:
    assert (AGES[0], AGES[-1]) == (0.5, 12.6)
    assert METALLICITIES[0] <= -2.2 <= 0.4 <= METALLICITIES[-1]
    assert list(on_the_grid(np.array([3500.0, 5000.0, 9600.0, 4000.0]), np.array([4.0, 4.0, 4.0, 0.1]))) == [False, True, False, False]
