"""The fitted numbers: small, read-only, with their origin and errors."""

import numpy as np
import pytest

from ingest.sky.fitted import FOLDER, isochrone_fit, stellar_flux_fit


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.npz")) < 700_000


@pytest.mark.parametrize("fit", [stellar_flux_fit(), isochrone_fit()], ids=["stellar_flux", "isochrones"])
def test_each_file_says_where_it_comes_from_and_how_good_it_is(fit: object) -> None:
    origin, errors = (getattr(fit, name) for name in ("origin", "errors"))
    assert "commit" in origin
    assert "median" in errors
    arrays = [value for value in vars(fit).values() if isinstance(value, np.ndarray)]
    assert len(arrays) >= 6
    for values in arrays:
        assert np.isfinite(values).all()
        assert not values.flags.writeable
