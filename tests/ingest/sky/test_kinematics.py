"""Velocities: each component its own ellipsoid, and proper motions and radial velocities as astropy computes them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import CartesianDifferential, CartesianRepresentation, Galactic, Galactocentric, SkyCoord

from ingest.sky import kinematics
from ingest.sky.galaxy import FIELD, R_SUN, Z_SUN, Population, galactocentric
from ingest.sky.kinematics import CIRCULAR_VELOCITY, ELLIPSOIDS, Motions


def places(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.uniform(0.05, 12.0, n), rng.uniform(0, 2 * np.pi, n), np.arcsin(rng.uniform(-1, 1, n))


def test_galactic_and_equatorial_coordinates_are_those_of_astropy() -> None:
    _, lon, b = places(500)
    ra, dec = kinematics.galactic_to_equatorial(lon, b)
    expected = SkyCoord(l=lon * u.rad, b=b * u.rad, frame="galactic").icrs
    assert SkyCoord(ra * u.rad, dec * u.rad).separation(expected).arcsec.max() < 1e-6
    again = kinematics.equatorial_to_galactic(ra, dec)
    assert np.abs(np.exp(1j * again[0]) - np.exp(1j * lon)).max() < 1e-9
    assert again[1] == pytest.approx(b)


def test_proper_motions_and_radial_velocities_are_those_of_astropy() -> None:
    distance, lon, b = places(300)
    velocity = np.random.default_rng(2).normal(0, 150, (3, 300))
    ra, dec = kinematics.galactic_to_equatorial(lon, b)
    found = kinematics.seen_from_the_sun(ra, dec, distance, velocity)
    # in the Galactic frame at the Sun, whose axes are parallel to ours
    seen = velocity - kinematics.sun_velocity()[:, None]
    position = CartesianRepresentation(
        distance * np.cos(b) * np.cos(lon), distance * np.cos(b) * np.sin(lon), distance * np.sin(b), unit=u.kpc
    ).with_differentials(CartesianDifferential(seen, unit=u.km / u.s))
    expected = SkyCoord(Galactic(position)).icrs
    assert found.pmra == pytest.approx(expected.pm_ra_cosdec.to_value(u.mas / u.yr), rel=1e-7, abs=1e-9)
    assert found.pmdec == pytest.approx(expected.pm_dec.to_value(u.mas / u.yr), rel=1e-7, abs=1e-9)
    assert found.radial_velocity == pytest.approx(expected.radial_velocity.to_value(u.km / u.s), rel=1e-7, abs=1e-9)
    assert kinematics.galactocentric_velocity(ra, dec, distance, found) == pytest.approx(velocity, abs=1e-8)


def test_the_galactocentric_frame_is_astropys_but_for_the_small_tilt_of_the_plane() -> None:
    distance, lon, b = places(300)
    ra, dec = kinematics.galactic_to_equatorial(lon, b)
    motions = kinematics.seen_from_the_sun(ra, dec, distance, np.zeros((3, 300)))
    stars = SkyCoord(
        ra * u.rad,
        dec * u.rad,
        distance * u.kpc,
        pm_ra_cosdec=motions.pmra * u.mas / u.yr,
        pm_dec=motions.pmdec * u.mas / u.yr,
        radial_velocity=motions.radial_velocity * u.km / u.s,
    )
    frame = Galactocentric(
        galcen_distance=np.hypot(R_SUN, Z_SUN) * u.kpc,
        z_sun=Z_SUN * u.kpc,
        galcen_v_sun=CartesianDifferential(kinematics.sun_velocity(), unit=u.km / u.s),
    )
    expected = stars.transform_to(frame)
    ours = galactocentric(distance, lon, b)
    assert np.abs(expected.cartesian.xyz.to_value(u.kpc) - ours).max() < 0.04  # 12 kpc times 0.14 degrees
    assert np.abs(expected.velocity.d_xyz.to_value(u.km / u.s)).max() < 1.0  # 240 km/s times 0.14 degrees


@pytest.mark.parametrize("population", FIELD)
def test_velocity_ellipsoids_and_drifts_come_back(population: Population) -> None:
    shape = ELLIPSOIDS[population]
    position = np.repeat(np.array([[-R_SUN], [0.0], [0.0]]), 40_000, axis=1)
    velocity = kinematics.draw_velocities(population, position, np.random.default_rng(3))
    assert velocity.std(axis=1) == pytest.approx([shape.radial, shape.azimuthal, shape.vertical], rel=0.02)
    assert velocity.mean(axis=1) == pytest.approx([0.0, CIRCULAR_VELOCITY - shape.drift, 0.0], abs=3.0)


def test_stars_turn_about_the_centre_everywhere_the_same_way() -> None:
    angle = np.repeat(np.linspace(0, 2 * np.pi, 9), 2000)
    position = np.stack([8 * np.cos(angle), 8 * np.sin(angle), np.zeros_like(angle)])
    velocity = kinematics.draw_velocities(Population.THIN, position, np.random.default_rng(4))
    spin = (position[1] * velocity[0] - position[0] * velocity[1]) / 8
    assert spin.reshape(9, -1).mean(axis=1) == pytest.approx(np.full(9, CIRCULAR_VELOCITY - 15), abs=3)


def test_accreted_stars_move_on_radial_orbits_wherever_they_are() -> None:
    position = np.repeat(np.array([[-2.0], [3.0], [6.0]]), 20_000, axis=1)
    velocity = kinematics.draw_velocities(Population.ACCRETED, position, np.random.default_rng(5))
    outward = (velocity * position).sum(axis=0) / 7.0
    tangential = np.sqrt((velocity**2).sum(axis=0) - outward**2)
    anisotropy = 1 - (tangential**2).mean() / (2 * (outward**2).mean())
    assert anisotropy == pytest.approx(1 - (55**2 + 65**2) / (2 * 175**2), abs=0.02)
    assert anisotropy > 0.85


def test_a_star_at_rest_on_the_suns_orbit_mirrors_the_suns_own_motion() -> None:
    zero = np.zeros(1)
    ra, dec = kinematics.galactic_to_equatorial(zero, zero)  # towards the centre
    at_rest = np.array([[0.0], [CIRCULAR_VELOCITY], [0.0]])
    seen = kinematics.seen_from_the_sun(ra, dec, np.ones(1), at_rest)
    assert seen.radial_velocity == pytest.approx([-11.1], abs=1e-6)
    assert isinstance(seen, Motions)
    assert np.hypot(seen.pmra, seen.pmdec) * 4.74047 == pytest.approx([np.hypot(12.24, 7.25)], abs=1e-4)
