"""source_id of simulated stars: a padded cone finds every star, a few only because it is padded."""

import healpy as hp
import numpy as np
import pytest

from catalog.healpix import ARCSEC, MAX_PADDING, NSIDE, SHIFT, cone_ranges, pixel_offset
from ingest.sky import identifiers


def sky(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def identified(n: int, **options: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ra, dec = sky(n)
    at = identifiers.displaced(ra, dec, np.random.default_rng(2), **options)  # type: ignore[arg-type]
    return identifiers.source_ids(*at, np.random.default_rng(3)), ra, dec


def inside(source_id: int, ranges: list[tuple[int, int]]) -> bool:
    return any(first <= source_id < last for first, last in ranges)


def test_about_one_star_in_two_hundred_lies_outside_its_pixel_by_up_to_five_and_a_half_arcsec() -> None:
    offset = pixel_offset(*identified(60_000))
    assert (offset > 0).mean() == pytest.approx(0.0045, abs=0.002)  # real: 8 of 1,457 and 78 of 24,440
    assert offset.max() <= 5.5 * ARCSEC + 0.01 * ARCSEC
    assert offset.max() > 4 * ARCSEC


def test_every_star_is_found_by_a_cone_padded_by_the_largest_offset() -> None:
    source_id, ra, dec = identified(60_000)
    offset = pixel_offset(source_id, ra, dec)
    outside = np.flatnonzero(offset > 0)
    assert len(outside) > 100
    for row in outside[:100]:
        assert inside(source_id[row], cone_ranges(ra[row], dec[row], 0.0, offset.max()))


def test_far_displaced_stars_lie_further_than_any_padding() -> None:
    source_id, ra, dec = identified(2000, n_far=50)
    offset = pixel_offset(source_id, ra, dec)
    assert (offset[:50] > MAX_PADDING).all()
    assert (offset[50:] < MAX_PADDING).all()
    assert (offset[:50] < 200 * ARCSEC).all()
    lost = [not inside(source_id[row], cone_ranges(ra[row], dec[row], 0.0, MAX_PADDING)) for row in range(50)]
    assert sum(lost) > 40


def test_without_displacement_every_star_lies_in_its_pixel() -> None:
    assert (pixel_offset(*identified(5000, share=0.0)) == 0).all()


def test_stars_of_a_crowded_pixel_have_names_of_their_own_that_the_archive_could_give() -> None:
    n = 5000
    source_id = identifiers.source_ids(np.full(n, 45.001), np.full(n, 0.02), np.random.default_rng(4))
    assert len(np.unique(source_id)) == n
    assert (source_id >> SHIFT == hp.ang2pix(NSIDE, 45.001, 0.02, nest=True, lonlat=True)).all()
    assert (source_id % 128 == 0).all()
    assert (source_id > 0).all()


def test_numbers_that_collide_are_made_unique_and_the_first_stars_keep_theirs() -> None:
    few, many = (identifiers.source_ids(np.full(n, 10.0), np.full(n, 10.0), np.random.default_rng(5)) for n in (1000, 40_000))
    drawn = 1 + np.random.default_rng(5).integers((1 << 25) - 1, size=40_000)
    assert len(np.unique(drawn)) < 40_000
    assert len(np.unique(many)) == 40_000
    assert (many[:1000] == few).all()


@pytest.mark.parametrize("dec", [-90.0, -89.9999, 0.0, 60.0, 89.9999, 90.0])
def test_positions_move_by_the_offset_asked_for_also_at_the_poles(dec: float) -> None:
    n = 36
    ra, angle = np.full(n, 359.9999), np.linspace(0, 2 * np.pi, n)
    moved = identifiers.moved(ra, np.full(n, dec), np.full(n, 5 * ARCSEC), angle)
    apart = np.degrees(hp.rotator.angdist(np.array([ra, np.full(n, dec)]), np.array(moved), lonlat=True))
    assert apart == pytest.approx(np.full(n, 5 * ARCSEC), rel=1e-4)
    assert ((moved[0] >= 0) & (moved[0] < 360) & (np.abs(moved[1]) <= 90)).all()
