"""Reddening of the simulated stars as Bayestar19 would tell it: mean and error of E for each source, as a prior for the models.

No survey publishes this file: Zhang, Green & Rix 2023 (MNRAS 524, 1855, section 2.3) make one for their training sample by averaging the map
(Green et al. 2019, ApJ 887, 93) over the parallax's error. The unit is that of Bayestar19, about E(B-V) and without a name. The error is 10 %
and 0.03 in quadrature. South of declination -30 degrees the map has nothing, and mean and error are NaN.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyDraw, table_hdu, table_of, write_fits

FILE_NAME = "reddening_bayestar2019.fits"
SOUTHERN_LIMIT = -30.0

COLUMNS = (
    SurveyColumn("source_id", "i8"),
    SurveyColumn("reddening", "f4"),
    SurveyColumn("reddening_err", "f4"),
    SurveyColumn("reddening_map", "S12"),
)


@dataclass(frozen=True)
class ReddeningOptions:
    """How well the map knows the dust."""

    relative_error: float = 0.10
    absolute_error: float = 0.03
    outliers: float = 0.0
    """Share of stars whose map value is that of another sightline."""


def draw_reddening(stars: SurveyInput, rng: np.random.Generator, options: ReddeningOptions = ReddeningOptions()) -> SurveyDraw:
    """Reddening of every star. A mean is not cut at zero, so that it scatters about the truth as its error says."""
    n = len(stars)
    u, z, other = rng.random(n), rng.standard_normal(n), rng.permutation(n)
    outlier = u < options.outliers
    true = np.where(outlier, stars.ebv[other] + 0.3, stars.ebv)
    sigma = np.hypot(options.relative_error * true, options.absolute_error)
    inside = stars.dec > SOUTHERN_LIMIT
    values = {
        "source_id": stars.source_id, "reddening": np.where(inside, true + sigma * z, np.nan), "reddening_err": np.where(inside, sigma, np.nan),
        "reddening_map": np.where(inside, "bayestar2019", ""),
    }  # fmt: skip
    order = np.argsort(stars.source_id, kind="stable").astype(np.int64)
    return SurveyDraw(table_of(COLUMNS, n, values), SurveyTruth(np.arange(n), np.arange(n), outlier)).take(order)


def write_reddening(folder: Path, draw: SurveyDraw) -> Path:
    """One FITS binary table."""
    write_fits(folder / FILE_NAME, table_hdu(draw.table))
    return folder / FILE_NAME
