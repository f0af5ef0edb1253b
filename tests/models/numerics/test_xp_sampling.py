"""The matrices from coefficients to fluxes: known bases only, weights folded in, no gaiaxpy imported."""

import subprocess
import sys

import numpy as np
import pytest

from catalog.errors import DataError
from models.numerics.xp_sampling import BANDS, merge_weights, sampling_matrices


def test_a_band_contributes_where_its_weight_is_above_zero_and_nowhere_else() -> None:
    wavelengths = np.array([400.0, 634.9, 635.0, 642.0, 643.0, 800.0])
    weights = merge_weights(wavelengths)
    np.testing.assert_allclose(weights["bp"], [1, 1, 1, 0.125, 0, 0])
    np.testing.assert_allclose(weights["bp"] + weights["rp"], 1)
    matrices = sampling_matrices(56, 57, wavelengths)
    for band in BANDS:
        assert matrices[band].shape == (55, 6)
        np.testing.assert_array_equal((matrices[band] != 0).any(axis=0), weights[band] > 0)


@pytest.mark.parametrize(("bp", "rp", "message"), [(58, 57, "58 are unknown here"), (56, 58, "known: 57, 157"), (57, 56, "57 are unknown")])
def test_bases_that_nothing_is_known_of_are_an_error_that_says_so(bp: int, rp: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sampling_matrices(bp, rp, np.array([500.0]))


def test_gaiaxpy_is_read_but_not_imported() -> None:
    code = (
        "import sys, numpy as np; from models.numerics.xp_sampling import sampling_matrices; "
        "sampling_matrices(56, 57, np.array([500.0])); print('gaiaxpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
