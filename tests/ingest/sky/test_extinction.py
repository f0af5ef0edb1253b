"""The extinction curve against published values, and what a change of R(V) does."""

import numpy as np
import pytest

from ingest.sky.extinction import extinction_curve, mean_and_slope
from ingest.sky.fitted import stellar_flux_fit
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID


@pytest.mark.parametrize(
    ("wavelength", "rv", "expected"),
    # A(lambda)/A(V) of G23 as the authors' own package dust_extinction 1.7 gives it
    [
        (310.0, 3.1, 1.8148676),
        (325.0, 2.5, 1.9245198),
        (400.0, 3.1, 1.4205380),
        (456.0, 5.0, 1.1674213),
        (588.0, 2.5, 0.9108072),
        (770.0, 3.1, 0.6266927),
        (950.0, 4.0, 0.5050063),
        (1040.0, 3.1, 0.3670354),
        (1240.0, 3.1, 0.2721202),
        (2160.0, 2.5, 0.0713274),
        (3400.0, 3.1, 0.0476287),
        (4600.0, 3.1, 0.0312024),
        (9000.0, 5.0, 0.0686555),
    ],
)
def test_the_curve_is_that_of_its_authors(wavelength: float, rv: float, expected: float) -> None:
    a, b = mean_and_slope(np.array([wavelength]))
    assert a[0] + b[0] * (1 / rv - 1 / 3.1) == pytest.approx(expected, abs=2e-6)


def test_it_is_one_in_v() -> None:
    assert extinction_curve().xp[np.searchsorted(XP_GRID, 550)] == pytest.approx(1.0, abs=0.02)


def test_the_mean_curve_is_what_no_r_v_gives() -> None:
    curve, explicit = extinction_curve(), extinction_curve(3.1)
    assert np.array_equal(curve.xp, explicit.xp)
    assert list(curve.bands) == list(NIR_BANDS)
    assert (np.diff([curve.bands[name] for name in NIR_BANDS]) < 0).all()


def test_it_falls_with_wavelength() -> None:
    assert (np.diff(extinction_curve().xp) < 0).all()


def test_each_star_may_have_its_own_r_v() -> None:
    rv = np.array([2.5, 3.1, 4.5])
    curve = extinction_curve(rv)
    assert curve.xp.shape == (3, 790)
    for i, one in enumerate(rv):
        assert np.array_equal(curve.xp[i], extinction_curve(float(one)).xp)
        assert all(curve.bands[name][i] == extinction_curve(float(one)).bands[name] for name in NIR_BANDS)
    assert (np.diff(curve.xp[:, 0]) < 0).all()  # small grains, small R(V), steep in the blue


@pytest.mark.parametrize("rv", [1.0, 6.0, np.array([3.1, 2.0])])
def test_r_v_outside_the_measured_range_is_refused(rv: float) -> None:
    with pytest.raises(ValueError, match=r"2\.3 to 5\.6"):
        extinction_curve(rv)


@pytest.mark.parametrize("wavelength", [200.0, 20000.0])
def test_wavelengths_outside_the_curve_are_refused(wavelength: float) -> None:
    with pytest.raises(ValueError, match="300 to 10000 nm"):
        mean_and_slope(np.array([wavelength]))


def test_the_bands_lie_where_they_are_known_to_lie() -> None:
    assert stellar_flux_fit().band_wavelengths == pytest.approx([1235, 1645, 2159, 3353, 4603], rel=0.03)
