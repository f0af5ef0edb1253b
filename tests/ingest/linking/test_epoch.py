"""Where sources stand at other epochs: as astropy moves them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Distance, SkyCoord
from astropy.time import Time

from ingest.linking.epoch import at_epoch, separation

N = 400


def _stars(seed: int) -> dict[str, np.ndarray]:
    """Stars all over the sky, the poles and the meridian of ra 0 among them, with proper motions up to that of Barnard's star."""
    random = np.random.default_rng(seed)
    ra, dec = random.uniform(0, 360, N), np.degrees(np.arcsin(random.uniform(-1, 1, N)))
    ra[:6], dec[:6] = [0.0, 359.99999, 1e-6, 120.0, 10.0, 200.0], [0.0, 10.0, -30.0, 89.999, -89.9999, 89.99]
    speed, angle = 10.0 ** random.uniform(0, np.log10(10_393.0), N), random.uniform(0, 2 * np.pi, N)
    return {
        "ra": ra, "dec": dec, "pmra": speed * np.sin(angle), "pmdec": speed * np.cos(angle), "parallax": speed / 19.0 + 0.1,
        "radial_velocity": random.normal(0, 100, N),
    }  # fmt: skip


@pytest.mark.parametrize("years", [-25.0, -20.0, -0.5, 1.5, 20.0])
@pytest.mark.parametrize("velocity", [True, False], ids=["with radial velocity", "without radial velocity"])
def test_a_source_moves_as_in_space_to_less_than_a_milliarcsecond(years: float, velocity: bool) -> None:
    stars = _stars(1)
    radial = stars["radial_velocity"] if velocity else np.zeros(N)
    then = SkyCoord(
        stars["ra"] * u.deg, stars["dec"] * u.deg, Distance(parallax=stars["parallax"] * u.mas), pm_ra_cosdec=stars["pmra"] * u.mas / u.yr,
        pm_dec=stars["pmdec"] * u.mas / u.yr, radial_velocity=radial * u.km / u.s, obstime=Time(2016.0, format="jyear", scale="tcb"),
    ).apply_space_motion(new_obstime=Time(2016.0 + years, format="jyear", scale="tcb"))  # fmt: skip
    ra, dec = at_epoch(**(stars | {"radial_velocity": radial}), years=np.full(N, years))
    assert 1000.0 * separation(ra, dec, then.ra.deg, then.dec.deg).max() < 1.0
    assert ((ra >= 0) & (ra < 360)).all()


def test_without_radial_velocity_the_fastest_stars_miss_by_their_perspective_and_no_more() -> None:
    barnard = {"ra": [269.448], "dec": [4.739], "pmra": [-801.6], "pmdec": [10362.4], "parallax": [546.98]}
    stars = {name: np.array(value) for name, value in barnard.items()}
    known = at_epoch(**stars, radial_velocity=np.array([-110.1]), years=np.array([-16.0]))
    unknown = at_epoch(**stars, radial_velocity=np.array([np.nan]), years=np.array([-16.0]))
    assert 0.1 < separation(*known, *unknown)[0] < 0.25


def test_missing_motions_count_as_none_and_leave_the_position_as_it_was() -> None:
    nan = np.full(2, np.nan)
    ra, dec = at_epoch(np.array([0.1, 359.9]), np.array([-90.0, 12.3]), nan, nan, nan, nan, np.full(2, -16.0))
    np.testing.assert_array_equal(ra, [0.1, 359.9])
    np.testing.assert_array_equal(dec, [-90.0, 12.3])


def test_separations_keep_their_digits_from_a_microarcsecond_to_the_antipode() -> None:
    dec = np.array([10.0, 10.0, -80.0, 0.0])
    other = dec + np.array([1e-9, 1.0 / 3600, 90.0, 0.0])
    np.testing.assert_allclose(
        separation(np.full(4, 5.0), dec, np.array([5.0, 5.0, 5.0, 185.0]), other), [3.6e-6, 1.0, 324000, 648000], rtol=1e-5
    )
