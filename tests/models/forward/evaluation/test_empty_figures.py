"""Where no star is left to draw (a small sky, a version that held nobody out, no labels), a figure says so and the page is still made."""

from collections.abc import Callable

import numpy as np
import pytest

from models.evaluation.drawing import Drawing
from models.forward.evaluation import comparison_figures, flux_figures
from models.forward.evaluation.estimates import EstimatedStars
from models.forward.evaluation.references import Reference

NOBODY = np.zeros(5, bool)
SILENT = Reference("silent", "nobody", np.full((5, 5), np.nan), np.full((5, 5), np.nan))


def spoken(stars: EstimatedStars) -> Reference:
    """A reference that speaks of every star."""
    return Reference("r", "r", stars.values, stars.errors)


CASES: dict[str, Callable[[EstimatedStars], Drawing]] = {
    "differences of no stars": lambda stars: comparison_figures.corner_figure("f", "t", stars, [spoken(stars)], NOBODY),
    "differences from nothing": lambda stars: comparison_figures.corner_figure("f", "t", stars, [SILENT], ~NOBODY),
    "pulls by nothing": lambda stars: comparison_figures.pull_figure("f", "t", stars, SILENT, ~NOBODY),
    "magnitudes by nothing": lambda stars: comparison_figures.by_magnitude_figure("f", "t", stars, SILENT, ~NOBODY, None),
    "types by nothing": lambda stars: comparison_figures.types_figure("f", "t", stars, SILENT, ~NOBODY),
    "residuals of no stars": lambda stars: flux_figures.bands_figure("f", "t", stars, NOBODY),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_figure_of_nothing_is_drawn(case, make_stars) -> None:
    assert case(make_stars(5)).png.startswith(b"\x89PNG")


def test_a_caption_speaks_of_confidences_only_where_there_are_any(make_stars) -> None:
    judged, not_judged = make_stars(5), make_stars(5, confidence=np.full((5, 3), np.nan))
    said = [comparison_figures.types_figure("f", "t", stars, spoken(stars), ~NOBODY).caption for stars in (judged, not_judged)]
    assert ["confidence" in each for each in said] == [True, False]
