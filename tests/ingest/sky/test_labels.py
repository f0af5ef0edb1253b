"""Labels of simulated stars keep together, and [M/H] follows from [Fe/H] and alpha."""

import numpy as np
import pytest

from catalog.errors import DataError
from ingest.sky.labels import LABEL_NAMES, StellarLabels, overall_metallicity


def some(n: int) -> StellarLabels:
    return StellarLabels(*(np.arange(n) + 100.0 * i for i in range(6)))


def test_parts_put_together_again_are_the_whole() -> None:
    labels = some(7)
    again = StellarLabels.concatenate([labels.take(np.arange(3)), labels.take(np.arange(7) >= 3)])
    assert len(again) == 7
    assert all((getattr(again, name) == getattr(labels, name)).all() for name in LABEL_NAMES)


@pytest.mark.parametrize("wrong", [np.zeros(6), np.zeros((7, 1)), np.float64(3.0)])
def test_labels_of_different_shapes_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match="shapes"):
        StellarLabels(*([np.zeros(7)] * 5), wrong)


@pytest.mark.parametrize(("feh", "alpha_m", "mh"), [(0.0, 0.0, 0.0), (-1.0, 0.0, -1.0), (-1.0, 0.3, -0.7865), (0.1, -0.05, 0.0688)])
def test_overall_metallicity_is_that_of_salaris(feh: float, alpha_m: float, mh: float) -> None:
    assert overall_metallicity(np.array([feh]), np.array([alpha_m])) == pytest.approx([mh], abs=2e-4)
