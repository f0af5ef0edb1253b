"""Stars with made-up estimates, of which it is known what every comparison must find."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.forward.bands import N_BANDS
from models.forward.evaluation.estimates import EstimatedStars

MakeStars = Callable[..., EstimatedStars]


@pytest.fixture(scope="session")
def make_stars() -> MakeStars:
    """``make_stars(n, seed=0, **replaced)``: ordinary stars with errors of 50 K, 0.1, 0.1, 0.02 mag and 0.02 mas; any array may be replaced."""

    def make(n: int, seed: int = 0, **replaced: Any) -> EstimatedStars:
        random = np.random.default_rng(seed)
        parallax = random.uniform(0.5, 3.0, n)
        values = np.column_stack([
            random.uniform(4200, 6800, n), random.normal(-0.2, 0.3, n), random.uniform(1.5, 4.8, n), random.uniform(0.02, 0.6, n), parallax,
        ])  # fmt: skip
        fields = {
            "source_id": np.arange(1, n + 1), "values": values, "errors": np.tile([50.0, 0.1, 0.1, 0.02, 0.02], (n, 1)),
            "loss": np.full(n, 66.0), "chi2": np.full(n, 60.0), "n_bands": np.full(n, 66), "quality_flags": np.zeros(n, np.int64),
            "n_minima": np.ones(n, np.int64), "converged": np.ones(n, bool), "out_of_domain": np.full(n, 0.5),
            "confidence": np.full((n, 3), 0.9), "calibrated": np.full((n, 3), 0.9),
            "residuals": random.normal(size=(n, N_BANDS)).astype(np.float32), "parallax": parallax, "parallax_error": np.full(n, 0.05),
            "flux_correlation": np.tile(np.eye(5, dtype=np.float32), (n, 1, 1)), "correlation": np.tile(np.eye(5, dtype=np.float32), (n, 1, 1)),
            "g": random.uniform(12, 16.5, n), "bp_rp": random.uniform(0.5, 1.8, n),
        }  # fmt: skip
        return EstimatedStars(**{**fields, **replaced})

    return make
