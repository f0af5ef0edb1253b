"""Reddening with its error, and nothing south of the map."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.reddening import ReddeningOptions, draw_reddening, write_reddening


def test_reddening_scatters_as_its_error_says(stars: SurveyInput, scatter_is_stated: Callable[[np.ndarray, np.ndarray], None]) -> None:
    drawn = draw_reddening(stars, np.random.default_rng(1))
    true = stars.ebv[drawn.truth.star]
    scatter_is_stated(drawn.table["reddening"] - true, drawn.table["reddening_err"])
    inside = stars.dec[drawn.truth.star] > -30
    assert np.allclose(drawn.table["reddening_err"][inside], np.hypot(0.1 * true, 0.03)[inside], rtol=1e-6)


def test_the_south_is_nan(stars: SurveyInput, tmp_path: Path) -> None:
    drawn = draw_reddening(stars, np.random.default_rng(1))
    with fits.open(write_reddening(tmp_path, drawn)) as hdus:
        data = hdus[1].data
        assert hdus[1].columns.names == ["source_id", "reddening", "reddening_err", "reddening_map"]
        assert data["source_id"].tolist() == sorted(stars.source_id.tolist())
        south = stars.dec[drawn.truth.star] <= -30
        assert np.array_equal(np.isnan(data["reddening"]), south) and np.array_equal(np.isnan(data["reddening_err"]), south) and south.any()
        assert set(data["reddening_map"][~south].tolist()) == {"bayestar2019"}


def test_outliers_are_marked_in_the_truth(stars: SurveyInput) -> None:
    drawn = draw_reddening(stars, np.random.default_rng(1), ReddeningOptions(outliers=0.1))
    assert 0.08 < drawn.truth.outlier.mean() < 0.12
    off = np.abs(drawn.table["reddening"] - stars.ebv[drawn.truth.star])
    assert np.nanmedian(off[drawn.truth.outlier]) > 3 * np.nanmedian(off[~drawn.truth.outlier])
