"""Names made of positions agree with real ones; positions move along proper motions; numbers of DR2 are the same for every survey."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from catalog.errors import DataError
from ingest.sky.surveys.designation import at_epoch, gaia_dr2_source_id, shifted, two_mass_name
from ingest.sky.surveys.inputs import SurveyInput, other_star


@pytest.mark.parametrize(
    ("ra", "dec", "name"),
    [
        (0.0, 0.0, "00000000+0000000"),
        (359.99999999, -89.99999999, "23595999-8959599"),
        (15.0 * (13 + 26 / 60 + 47.24 / 3600) + 1e-9, -(47 + 28 / 60 + 46.5 / 3600) - 1e-9, "13264724-4728465"),
        (10.0, -0.00001, "00400000-0000000"),
    ],
)
def test_names_are_cut_off_and_not_rounded(ra: float, dec: float, name: str) -> None:
    assert two_mass_name(np.array([ra]), np.array([dec])).tolist() == [name]


def test_real_names_of_2mass_come_out(real_data: Path) -> None:
    table = Table.read(real_data / "labels" / "ocCastroGinard_tmass.fits.gz")
    names = two_mass_name(np.asarray(table["RAJ2000"]), np.asarray(table["DEJ2000"]))
    # The printed positions are themselves rounded to a microdegree: a few names differ in their last digit.
    assert np.mean(names == np.char.strip(np.asarray(table["2MASS"], "U16"))) > 0.998


def test_positions_move_as_astropy_moves_them(stars: SurveyInput) -> None:
    few = stars.take(np.flatnonzero(np.abs(stars.dec) < 80)[:200])
    ra, dec = at_epoch(few, 2000.0)
    sky = SkyCoord(
        few.ra * u.deg,
        few.dec * u.deg,
        pm_ra_cosdec=few.pmra * u.mas / u.yr,
        pm_dec=few.pmdec * u.mas / u.yr,
        obstime=Time(2016.0, format="jyear"),
    )
    moved = sky.apply_space_motion(Time(2000.0, format="jyear"))
    assert SkyCoord(ra * u.deg, dec * u.deg).separation(moved).max() < 1 * u.mas


def test_right_ascension_stays_below_360() -> None:
    ra, dec = shifted(np.array([359.9999999, 0.0]), np.array([60.0, 89.9999]), np.array([1.0, -1.0]) / 3600, np.array([0.0, 10.0]))
    assert np.all((ra >= 0) & (ra < 360)) and dec.max() <= 90


def test_numbers_of_dr2_stay_in_their_pixel_and_depend_on_nothing_else(stars: SurveyInput) -> None:
    number = gaia_dr2_source_id(stars.source_id)
    assert np.array_equal(number[::-1], gaia_dr2_source_id(stars.source_id[::-1]))
    assert np.array_equal(number >> 35, stars.source_id >> 35) and (number > 0).all()
    assert 0.02 < np.mean(number != stars.source_id) < 0.04


def test_another_star_is_never_the_same() -> None:
    other = other_star(50, np.random.default_rng(1))
    assert (other != np.arange(50)).all() and other.min() >= 0 and other.max() < 50
    assert other_star(0, np.random.default_rng(1)).shape == (0,)


def test_arrays_of_unequal_length_are_refused(stars: SurveyInput) -> None:
    few = stars.take(np.arange(5))
    assert len(few) == 5 and few.take(few.source_id == few.source_id[2]).ra.tolist() == [few.ra[2]]
    with pytest.raises(DataError, match="pmra"):
        SurveyInput(**{**vars(few), "pmra": few.pmra[:3]})
