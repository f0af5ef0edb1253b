"""Astrometric fidelity of the simulated sky: fidelity_v2 and norm_dg, as GAVO dumps gedr3spur.main.

Columns: GAVO, gedr3spur.main (Rybizki et al. 2022, MNRAS 510, 2597): tab-separated, ordered by source_id, ``\\N`` for NULL; a NULL norm_dg means
that no close neighbour adds light. [assumed] a first line with the names, and the distributions.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyDraw, table_of, write_delimited

FILE_NAME = "gedr3spur.tsv.gz"
_BRIGHTER = ("m2", "0", "2", "4", "6", "10")

COLUMNS = (
    SurveyColumn("source_id", "i8"), SurveyColumn("fidelity_v2", "f4"), SurveyColumn("theta_arcsec_worst_source", "f4", "arcsec"),
    SurveyColumn("norm_dg", "f4", "mag"), *(SurveyColumn(f"dist_nearest_neighbor_at_least_{dm}_brighter", "f4", "arcsec") for dm in _BRIGHTER),
    SurveyColumn("fidelity_v1", "f4"),
)  # fmt: skip


@dataclass(frozen=True)
class FidelityOptions:
    """Shares of the stars."""

    spurious: float = 0.015
    """With a spurious astrometric solution: fidelity below 0.5."""
    without_neighbour: float = 0.45
    """With a NULL norm_dg."""


def draw_fidelity(
    stars: SurveyInput,
    rng: np.random.Generator,
    options: FidelityOptions = FidelityOptions(),
    *,
    spurious: Bool[np.ndarray, " n"] | None = None,
) -> SurveyDraw:
    """Fidelity of every star. ``spurious`` names those whose astrometry is wrong, in place of a drawn share; truth marks them as outliers."""
    n = len(stars)
    u, z = rng.random((n, 6)), rng.standard_normal(n)
    if spurious is None:
        spurious = u[:, 0] < options.spurious
    fidelity = np.where(spurious, 0.49 * u[:, 1], 1.0 - 0.3 * u[:, 1] ** 8)
    alone = u[:, 2] < options.without_neighbour
    nearest = 2.0 + 28.0 * np.sqrt(u[:, 3])
    values = {
        "source_id": stars.source_id, "fidelity_v2": fidelity, "fidelity_v1": np.clip(fidelity + 0.02 * (u[:, 4] - 0.5), 0.0, 1.0),
        "norm_dg": np.where(alone, np.nan, np.minimum(-22.0 + 8.0 * z, 3.0)), "theta_arcsec_worst_source": np.where(alone, np.nan, nearest),
        **{f"dist_nearest_neighbor_at_least_{dm}_brighter": nearest * 1.6**step for step, dm in enumerate(_BRIGHTER)},
    }  # fmt: skip
    order = np.argsort(stars.source_id, kind="stable").astype(np.int64)
    return SurveyDraw(table_of(COLUMNS, n, values), SurveyTruth(np.arange(n), np.arange(n), spurious)).take(order)


def norm_dg_of(stars: SurveyInput, draw: SurveyDraw) -> Float64[np.ndarray, " n"]:
    """norm_dg of every star of the input in its order, NaN for NULL."""
    values = np.full(len(stars), np.nan)
    values[draw.truth.star] = draw.table["norm_dg"]
    return values


def write_fidelity(folder: Path, draw: SurveyDraw) -> Path:
    """The dump."""
    write_delimited(folder / FILE_NAME, draw.table, delimiter="\t", null="\\N")
    return folder / FILE_NAME
