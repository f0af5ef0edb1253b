"""Our linear synthetic G: the G flux of a spectrum as a weighted sum of its coefficients, F_G = w . c in e-/s.

The weights stand in ``synthetic_g_{bp basis}_{rp basis}.csv``, one row a coefficient. Each is the G flux of a spectrum whose only
coefficient is that one, integrated over the G passband by GaiaXPy's generator with its external calibration; ``benchmarks/synthetic_g.py``
makes them again and prints how well they do. Measured on real stars that have a catalogue G as well, synthetic minus catalogue G:
-0.0120 +- 0.0047 mag on 31 stars of G 6 to 8, where the catalogue's G carries a correction for saturation, -0.0025 +- 0.0025 mag on 7
stars of G 11 to 14, +0.007 +- 0.018 mag on 4 brighter than 6. So no zero-point correction is applied: a field star has its scale to 0.5 %.
"""

import csv
import functools
from pathlib import Path

import numpy as np
from jaxtyping import Float


def weights_file(bp_basis_function_id: int, rp_basis_function_id: int) -> Path:
    """Where the weights of a pair of basis functions stand, or would stand."""
    return Path(__file__).with_name(f"synthetic_g_{bp_basis_function_id}_{rp_basis_function_id}.csv")


@functools.cache
def synthetic_g(bp_basis_function_id: int, rp_basis_function_id: int) -> Float[np.ndarray, " pixels"] | None:
    """e-/s for each unit of coefficient, BP before RP; None where we have no weights for these basis functions."""
    path = weights_file(bp_basis_function_id, rp_basis_function_id)
    if not path.exists():
        return None
    with path.open(newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return np.array([float(row["weight"]) for row in rows])
