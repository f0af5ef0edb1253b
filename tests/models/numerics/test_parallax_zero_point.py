"""The parallax zero point is Lindegren et al.'s: values worked out by hand from their Tables 9 and 10 at the nodes and half way between."""

import numpy as np
import pytest

from models.numerics.parallax_zero_point import zero_point

# G, colour (1/micron), ecliptic latitude (deg), parameters solved, zero point (microarcsec)
BY_HAND = {
    "5 p, middle colour, ecliptic: q00 - q02 / 3": (17.5, 1.48, 0.0, 31, -29.18 - 2.41 / 3),
    "5 p, north pole, red limit of c1": (12.2, 1.72, 90.0, 31, -13.65 - 0.07 + 9.35 * 2 / 3 + 0.24 * (-111.4 + 40.6)),
    "5 p, south pole, blue limit of c1 and c2": (17.5, 1.24, -90.0, 31, -29.18 + 0.09 + 2.41 * 2 / 3 + 0.24 * 24.5 - 1165 * 0.24**3),
    "5 p, c3 below 1.24": (13.1, 1.14, 0.0, 31, -37.99 - 16.14 / 3 + 0.24 * 5.7 - 1257 * 0.24**3 - 0.1 * 107.9),
    "5 p, c4 above 1.72": (19.0, 1.82, 0.0, 31, -18.40 + 6.46 / 3 + 0.1 * 276.6),
    "5 p, half way between the nodes at 19 and 20": (19.5, 1.48, 0.0, 31, (-18.40 - 12.65) / 2 + (6.46 + 7.46) / 6),
    "5 p, latitude 30": (20.0, 1.58, 30.0, 31, -12.65 - 4.57 / 2 - 7.46 * (1 / 4 - 1 / 3) + 0.1 * 97.9 / 2),
    "6 p, latitude 30, red": (16.1, 1.60, 30.0, 95, -28.37 + 1.99 / 2 - 9.28 / 12 + 0.12 * (50.4 + 17.2 / 2 - 13.7 / 12)),
    "6 p, blue": (20.0, 1.38, 0.0, 95, -13.73 + 8.30 / 3 - 0.1 * (-74.4 + 42.0 / 3) + 536 * 0.1**3),
}
OUTSIDE = {
    "brighter than 6: as at 6": ((4.0, 1.5, 20.0, 31), (6.0, 1.5, 20.0, 31)),
    "fainter than 21: as at 21": ((21.4, 1.5, 20.0, 95), (21.0, 1.5, 20.0, 95)),
    "5 p, redder than 1.1: as at 1.1": ((15.0, 1.0, 20.0, 31), (15.0, 1.1, 20.0, 31)),
    "5 p, bluer than 1.9: as at 1.9": ((15.0, 2.4, 20.0, 31), (15.0, 1.9, 20.0, 31)),
    "6 p, redder than 1.24: as at 1.24": ((15.0, 1.0, 20.0, 95), (15.0, 1.24, 20.0, 95)),
    "6 p, bluer than 1.72: as at 1.72": ((15.0, 2.0, 20.0, 95), (15.0, 1.72, 20.0, 95)),
}
UNKNOWN = {
    "no G": (np.nan, 1.5, 20.0, 31),
    "no colour, 5 p": (15.0, np.nan, 20.0, 31),
    "no colour, 6 p": (15.0, np.nan, 20.0, 95),
    "no latitude": (15.0, 1.5, np.nan, 31),
    "two parameters": (15.0, 1.5, 20.0, 3),
    "no solution": (15.0, 1.5, 20.0, np.nan),
}


def _of(g: float, colour: float, latitude: float, solved: float) -> tuple[float, bool]:
    """The zero point in microarcsec; the other kind of solution's colour is missing, as in the catalogue."""
    nu_eff, pseudocolour = (colour, np.nan) if solved == 31 else (np.nan, colour)
    found = zero_point(*(np.array([value], float) for value in (g, nu_eff, pseudocolour, latitude, solved)))
    return float(found.value[0]) * 1e3, bool(found.inside[0])


@pytest.mark.parametrize("case", BY_HAND.values(), ids=BY_HAND)
def test_values_worked_out_by_hand(case: tuple[float, ...]) -> None:
    value, inside = _of(*case[:4])
    assert value == pytest.approx(case[4], abs=1e-9)
    assert inside


@pytest.mark.parametrize(("outside", "limit"), OUTSIDE.values(), ids=OUTSIDE)
def test_beyond_its_range_the_value_at_the_limit_is_given_and_said_to_be_so(outside: tuple[float, ...], limit: tuple[float, ...]) -> None:
    value, inside = _of(*outside)
    assert value == pytest.approx(_of(*limit)[0], abs=1e-12)
    assert not inside


@pytest.mark.parametrize("case", UNKNOWN.values(), ids=UNKNOWN)
def test_without_what_it_depends_on_there_is_none(case: tuple[float, ...]) -> None:
    value, inside = _of(*case)
    assert np.isnan(value)
    assert not inside


def test_solutions_of_both_kinds_in_one_batch_are_each_their_own() -> None:
    cases = list(BY_HAND.values())
    g, colour, latitude, solved = np.array([case[:4] for case in cases]).T
    five = solved == 31
    together = zero_point(g, np.where(five, colour, np.nan), np.where(five, np.nan, colour), latitude, solved)
    np.testing.assert_allclose(together.value * 1e3, [case[4] for case in cases], atol=1e-9)
