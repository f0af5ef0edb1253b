"""The law of Cardelli, Clayton & Mathis 1989 against the numbers that they print, and at its joints."""

import numpy as np
import pytest

from models.forward.products.extinction_law import ccm89

TABLE_3 = {
    "U": (2.78, 1.569),
    "V": (1.82, 1.000),
    "R": (1.43, 0.751),
    "I": (1.11, 0.479),
    "J": (0.80, 0.282),
    "H": (0.63, 0.190),
    "K": (0.46, 0.114),
}
"""Their table 3: band, 1/lambda in um^-1, A(lambda)/A(V) at R(V) = 3.1. It prints 1.337 for B, where their own formula gives 1 + 1/R(V) = 1.323."""


@pytest.mark.parametrize(("x", "ratio"), TABLE_3.values(), ids=TABLE_3.keys())
def test_the_printed_numbers_come_out(x, ratio) -> None:
    assert ccm89(np.array([1000 / x]), 3.1)[0] == pytest.approx(ratio, abs=0.004)


@pytest.mark.parametrize("rv", [2.5, 3.1, 5.0])
def test_the_law_has_the_rv_that_it_is_asked_for(rv) -> None:
    """A(B) - A(V) is E(B-V), and R(V) is A(V) over it."""
    assert 1 / (ccm89(np.array([1000 / 2.27]), rv)[0] - 1) == pytest.approx(rv, rel=2e-3)


def test_all_laws_agree_in_v_and_grey_dust_is_flatter() -> None:
    wavelengths = np.array([392.0, 549.45, 992.0])
    steep, flat = ccm89(wavelengths, 2.5), ccm89(wavelengths, 5.0)
    assert steep[1] == pytest.approx(flat[1], abs=0.002)
    assert steep[0] > flat[0]
    assert steep[2] < flat[2]


def test_the_curve_has_no_step_where_its_parts_meet() -> None:
    joint = 1000 / 1.1
    below, above = ccm89(np.array([joint - 0.01, joint + 0.01]), 3.1)
    assert below == pytest.approx(above, rel=2e-3)


def test_wavelengths_of_another_formula_are_refused() -> None:
    with pytest.raises(ValueError, match="303 nm"):
        ccm89(np.array([250.0, 500.0]), 3.1)
