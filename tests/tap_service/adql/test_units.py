"""Factors from one unit to another."""

import math

import pytest

from tap_service.adql.units import conversion_factor

FACTORS = {
    # (given, wanted) -> the factor, to the last bit
    ("deg", "mas"): 3.6e6,
    ("deg", "arcsec"): 3600.0,
    ("mas", "arcsec"): 1e-3,
    ("mas.yr**-1", "arcsec.yr**-1"): 1e-3,
    ("km/s", "m/s"): 1000.0,
    ("Gyr", "yr"): 1e9,
    ("kpc", "pc"): 1000.0,
}


@pytest.mark.parametrize("units", FACTORS, ids=" to ".join)
def test_a_factor_that_is_a_short_number_is_exact(units: tuple[str, str]) -> None:
    assert conversion_factor(*units) == FACTORS[units]


def test_a_factor_that_is_no_short_number_keeps_its_digits() -> None:
    assert conversion_factor("deg", "rad") == pytest.approx(math.pi / 180, rel=1e-15)
