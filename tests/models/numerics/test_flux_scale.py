"""The flux scale takes the best G there is and says which one it was."""

import numpy as np
import pytest

from models.numerics.flux_scale import ZERO_POINT_G, flux_scale
from models.numerics.synthetic_g import synthetic_g

NAN, INF = np.nan, np.inf
SYNTHETIC = np.array([2.0, 1.0])
BOTH, NO_BP, NEGATIVE = [30.0, 40.0], [NAN, 40.0], [-30.0, 40.0]

CASES = {
    "the catalogue's flux comes first": (5.0, 10.0, BOTH, SYNTHETIC, 5.0, ""),
    "its magnitude second": (NAN, ZERO_POINT_G - 5.0, BOTH, SYNTHETIC, 100.0, "magnitude"),
    "magnitude 25.6873668671 is one photo-electron per second": (NAN, 25.6873668671, BOTH, None, 1.0, "magnitude"),
    "synthetic G last": (NAN, NAN, BOTH, SYNTHETIC, 100.0, "synthetic"),
    "a flux of zero is no flux": (0.0, NAN, BOTH, SYNTHETIC, 100.0, "synthetic"),
    "a negative flux is no flux": (-3.0, NAN, BOTH, SYNTHETIC, 100.0, "synthetic"),
    "an infinite flux is no flux": (INF, NAN, BOTH, SYNTHETIC, 100.0, "synthetic"),
    "an infinite magnitude is no magnitude": (NAN, INF, BOTH, SYNTHETIC, 100.0, "synthetic"),
    "a magnitude that overflows is no magnitude": (NAN, -1e6, BOTH, SYNTHETIC, 100.0, "synthetic"),
    "without BP the catalogue's flux still serves": (5.0, NAN, NO_BP, SYNTHETIC, 5.0, ""),
    "without BP and without G there is none": (NAN, NAN, NO_BP, SYNTHETIC, NAN, ""),
    "a synthetic flux below zero is none": (NAN, NAN, NEGATIVE, SYNTHETIC, NAN, ""),
    "without synthetic weights there is none": (NAN, NAN, BOTH, None, NAN, ""),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_flux_scale_is_the_best_there_is(case: tuple) -> None:
    flux, magnitude, coefficients, synthetic, value, origin = case
    found = flux_scale(np.array([flux]), np.array([magnitude]), np.array([coefficients]), synthetic)
    np.testing.assert_allclose(found.value, [value], rtol=1e-12)
    assert found.from_magnitude.tolist() == [origin == "magnitude"]
    assert found.synthetic.tolist() == [origin == "synthetic"]


def test_a_batch_keeps_its_stars_apart() -> None:
    fluxes, magnitudes, coefficients, _, values, origins = zip(*(case for case in CASES.values() if case[3] is not None), strict=True)
    found = flux_scale(np.array(fluxes), np.array(magnitudes), np.array(coefficients), SYNTHETIC)
    np.testing.assert_allclose(found.value, values, rtol=1e-12)
    assert found.from_magnitude.tolist() == [origin == "magnitude" for origin in origins]
    assert found.synthetic.tolist() == [origin == "synthetic" for origin in origins]


def test_synthetic_g_has_a_weight_for_every_dr3_coefficient() -> None:
    weights = synthetic_g(56, 57)
    assert weights is not None
    assert weights.shape == (110,)
    assert np.isfinite(weights).all()


def test_unknown_basis_functions_have_no_synthetic_g() -> None:
    assert synthetic_g(1, 2) is None


def test_synthetic_g_agrees_with_the_catalogue_on_real_stars(real_data) -> None:
    """10 CALSPEC stars, of which those with a catalogue G are fainter than 11: within 0.01 mag."""
    import pandas as pd

    stars = pd.read_csv(real_data / "xp_continuous" / "xp_calspec10_hiromon.csv.gz").set_index("source_id")
    labels = pd.read_csv(real_data / "xp_with_gaia_labels.csv").set_index("source_id")["phot_g_mean_mag"]
    stars = stars.join(labels, how="inner")
    stars = stars[stars.phot_g_mean_mag > 9]
    vectors = np.array([
        np.array(f"{bp.strip('()')},{rp.strip('()')}".split(","), float)
        for bp, rp in zip(stars.bp_coefficients, stars.rp_coefficients, strict=True)
    ])  # fmt: skip
    magnitude = ZERO_POINT_G - 2.5 * np.log10(vectors @ synthetic_g(56, 57))
    difference = magnitude - stars.phot_g_mean_mag.to_numpy()
    assert len(difference) >= 5
    assert np.abs(difference).max() < 0.01
