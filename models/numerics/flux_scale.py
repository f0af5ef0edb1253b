"""The G flux that the coefficients of a spectrum are divided by, so that stars near and far look alike to a network.

    F = 10^(0.4 (25.6873668671 - G))  photo-electrons per second

with 25.6873668671 mag the Vega zero point of G in Gaia (E)DR3 (Riello et al. 2021, A&A 649, A3). Taken in this order: the catalogue's
mean flux, the flux of the catalogue's mean magnitude, our linear synthetic G of the coefficients (models/numerics/synthetic_g.py).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

ZERO_POINT_G = 25.6873668671


@dataclass(frozen=True, eq=False)
class FluxScale:
    """``value`` in e-/s, NaN where there is none, and which stars did not have it from the catalogue's flux."""

    value: Float[np.ndarray, " stars"]
    from_magnitude: Bool[np.ndarray, " stars"]
    synthetic: Bool[np.ndarray, " stars"]


def flux_of_magnitude(g: Float[np.ndarray, " stars"]) -> Float[np.ndarray, " stars"]:
    """G flux in e-/s of a G magnitude on the Vega scale."""
    return 10.0 ** (0.4 * (ZERO_POINT_G - g))


def flux_scale(
    g_mean_flux: Float[np.ndarray, " stars"],
    g_mean_mag: Float[np.ndarray, " stars"],
    coefficients: Float[np.ndarray, "stars pixels"],
    synthetic_g: Float[np.ndarray, " pixels"] | None,
) -> FluxScale:
    """The flux scale of each star; a catalogue value that is NaN, infinite or a flux not above zero counts as missing.

    ``synthetic_g`` holds e-/s for each unit of coefficient, None where no such numbers exist for the release's basis functions. The
    synthetic flux needs every coefficient: a star without BP has none.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        of_magnitude = flux_of_magnitude(np.asarray(g_mean_mag, float))
        synthetic = np.full(len(coefficients), np.nan) if synthetic_g is None else np.asarray(coefficients, float) @ synthetic_g
    candidates = np.stack([np.asarray(g_mean_flux, float), of_magnitude, synthetic])  # (3, stars)
    usable = np.isfinite(candidates) & (candidates > 0)
    first = usable.argmax(axis=0)
    found = usable.any(axis=0)
    value = np.where(found, np.take_along_axis(candidates, first[None], axis=0)[0], np.nan)
    return FluxScale(value, found & (first == 1), found & (first == 2))
