"""Tracks: known stars, order along x, smoothness in age and metallicity, the mass function."""

import numpy as np
import pytest

from ingest.sky.isochrones import (
    AGE_RANGE,
    LOWEST_MASS,
    MH_RANGE,
    PHASES,
    current_mass,
    mass_function,
    mass_function_weights,
    phase,
    stages,
    track,
)

AGES = np.array([0.4, 0.8, 1.3, 1.6, 2.5, 4.57, 8.0, 12.5])
METALLICITIES = np.array([-2.18, -1.5, -0.7, -0.2, 0.0, 0.42])


def all_isochrones() -> tuple[np.ndarray, np.ndarray]:
    age, mh = np.meshgrid(AGES, METALLICITIES, indexing="ij")
    return age.reshape(-1, 1), mh.reshape(-1, 1)


def test_a_star_of_one_solar_mass_and_age_is_the_sun() -> None:
    """Born with Z = 0.01774 in these models, of which 0.0152 is left at the surface today (Bressan et al. 2012, section 3)."""
    x = np.linspace(0, 1, 20001)
    found = track(4.57, np.log10(0.01774 / 0.0152), x)
    i = np.argmin(np.abs(found.mass - 1.0))
    assert found.teff[i] == pytest.approx(5772, rel=0.01)
    assert found.logg[i] == pytest.approx(4.438, abs=0.03)
    assert found.logl[i] == pytest.approx(0.0, abs=0.03)


def test_the_red_clump_of_the_discs_lies_where_it_is_known_to_lie() -> None:
    """Girardi 2016, ARA&A 54, 95: teff 4500 to 5300 K, logg 2.3 to 2.7 for ages of a few Gyr and metallicities near the Sun's."""
    weights = mass_function_weights(np.array([4.0]), np.array([-0.1]))[0]
    clump = phase(stages()[:-1]) == PHASES.index("core helium burning")
    middle = stages()[:-1] + np.diff(stages()) / 2
    found = track(4.0, -0.1, middle[clump])
    assert 4500 < np.average(found.teff, weights=weights[clump]) < 5000
    assert 2.2 < np.average(found.logg, weights=weights[clump]) < 2.7
    assert 1.55 < np.average(found.logl, weights=weights[clump]) < 1.85


def test_mass_grows_with_the_stage_from_the_lowest() -> None:
    age, mh = all_isochrones()
    mass = track(age, mh, np.linspace(0, 1, 700)).mass
    assert mass[:, 0] == pytest.approx(LOWEST_MASS, rel=1e-3)
    assert (np.diff(mass, axis=1) > 0).all()


def test_younger_and_metal_richer_populations_turn_off_at_higher_mass() -> None:
    last = track(np.linspace(*AGE_RANGE, 40), 0.0, np.ones(40)).mass
    assert (np.diff(last) < 0).all()
    assert track(8.0, 0.3, 1.0).mass > track(8.0, -1.5, 1.0).mass


def test_gravity_goes_with_mass_luminosity_and_temperature_of_today() -> None:
    age, mh = all_isochrones()
    x = np.linspace(0, 1, 50)
    found = track(age, mh, x)
    radius = np.sqrt(10**found.logl) * (5772 / found.teff) ** 2
    assert found.logg == pytest.approx(4.438 + np.log10(current_mass(age, mh, x) / radius**2), abs=1e-9)


def test_winds_take_mass_from_old_red_giants_and_from_no_dwarf() -> None:
    old_giant = current_mass(12.0, -0.5, 0.99) / track(12.0, -0.5, 0.99).mass
    assert 0.85 < old_giant < 0.97
    age, mh = all_isochrones()
    dwarfs = np.linspace(0, 0.3, 20)
    assert current_mass(age, mh, dwarfs) / track(age, mh, dwarfs).mass == pytest.approx(1.0, abs=0.002)


def test_stages_are_phases_in_their_order() -> None:
    numbers = phase(np.linspace(0, 1, 1000))
    assert numbers[0] == 0
    assert numbers[-1] == len(PHASES) - 1
    assert set(np.diff(numbers)) == {0, 1}
    giants = track(np.array([[2.0], [10.0]]), np.array([[-1.0], [0.0]]), np.linspace(0, 1, 300))
    red = np.broadcast_to(phase(np.linspace(0, 1, 300)), giants.logg.shape) == PHASES.index("red giant branch")
    assert giants.logg[red].max() < 4.0
    assert giants.logg[red].min() < 1.5


def test_neighbouring_ages_and_metallicities_give_neighbouring_stars() -> None:
    """Also between the ages and metallicities of the excerpt, and over the change from quiet helium burning to the flash."""
    x = np.linspace(0, 1, 120)
    age = np.geomspace(*AGE_RANGE, 200)[:, None, None]
    mh = np.linspace(*MH_RANGE, 40)[None, :, None]
    found = track(age, mh, x)
    assert np.abs(np.diff(np.log(found.teff), axis=0)).max() < 0.05
    assert np.abs(np.diff(np.log(found.teff), axis=1)).max() < 0.10
    assert np.abs(np.diff(found.logg, axis=0)).max() < 0.25
    assert found.teff.min() > 2300
    assert found.teff.max() < 16000


def test_ages_and_metallicities_outside_count_as_those_at_the_end() -> None:
    for inside, outside in (((AGE_RANGE[1], 0.0), (13.5, 0.0)), ((5.0, MH_RANGE[0]), (5.0, -3.0)), ((5.0, MH_RANGE[1]), (5.0, 0.6))):
        assert track(*inside, 0.7) == track(*outside, 0.7)


@pytest.mark.parametrize(
    ("age", "mh", "x"), [(np.nan, 0.0, 0.5), (5.0, np.inf, 0.5), (5.0, 0.0, 1.1), (5.0, 0.0, -0.1), (5.0, 0.0, np.nan)]
)
def test_what_is_no_stage_or_not_finite_is_refused(age: float, mh: float, x: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        track(age, mh, x)


def test_a_star_has_the_same_bits_whatever_stands_beside_it() -> None:
    rng = np.random.default_rng(1)
    age, mh, x = rng.uniform(0.5, 12, 100), rng.uniform(-2, 0.4, 100), rng.random(100)
    together, alone = track(age, mh, x), track(age[41], mh[41], x[41])
    assert [values[41] for values in together] == list(alone)


def test_the_mass_function_has_chabriers_slope_and_no_step_at_one_solar_mass() -> None:
    assert mass_function(np.array([4.0]))[0] / mass_function(np.array([2.0]))[0] == pytest.approx(2**-2.3)
    assert mass_function(np.array([0.999999])) == pytest.approx(mass_function(np.array([1.000001])), rel=1e-4)
    mass = np.geomspace(0.05, 1, 200)
    assert mass[np.argmax(mass_function(mass) * mass)] == pytest.approx(0.079, rel=0.03)  # the peak per decade of mass


def test_weights_say_how_many_stars_live_in_each_phase() -> None:
    """Against the integral of the mass function over the whole range of masses; red giants are a percent of all stars."""
    age, mh = np.array([2.0, 10.0]), np.array([0.0, -1.0])
    weights = mass_function_weights(age, mh)
    for i in range(2):
        mass = np.geomspace(LOWEST_MASS, track(age[i], mh[i], 1.0).mass, 20000)
        whole = np.sum(mass_function((mass[1:] + mass[:-1]) / 2) * np.diff(mass))
        assert weights[i].sum() == pytest.approx(whole, rel=0.01)
        giants = weights[i][phase(stages()[:-1]) == 2].sum() / weights[i].sum()
        assert 0.0005 < giants < 0.02
