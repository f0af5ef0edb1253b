"""Figures: the same numbers give the same bytes, whatever others have set, and nothing of matplotlib's state is left behind."""

import matplotlib as mpl
import numpy as np
import pytest

from models.evaluation.drawing import POINTS_UP_TO, Drawing, central_range, column_density


def painted(figure) -> None:
    random = np.random.default_rng(0)
    for axis, n in zip(figure.subplots(1, 2), (50, POINTS_UP_TO + 1), strict=True):
        x = random.uniform(0, 1, n)
        column_density(axis, x, random.normal(0, 0.1, n), (0.0, 1.0), (-0.5, 0.5))


def test_a_figure_is_the_same_bytes_whatever_the_global_settings_are() -> None:
    first = Drawing("name", "Title", "Caption.", painted, (4.0, 2.0)).png
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        second = Drawing("name", "Title", "Caption.", painted, (4.0, 2.0)).png
        assert dict(mpl.rcParams) == before
    assert first == second
    assert first.startswith(b"\x89PNG")


RANGES = {
    "no numbers": (np.empty(0), {"symmetric": True}, (-1.0, 1.0)),
    "equal numbers still have room": (np.full(5, 2.0), {"least": 0.5}, (1.5, 2.5)),
    "about zero": (np.array([-1.0, 3.0]), {"symmetric": True, "share": 1.0}, (-3.3, 3.3)),
}


@pytest.mark.parametrize("case", RANGES.values(), ids=RANGES.keys())
def test_the_range_of(case) -> None:
    values, words, expected = case
    assert central_range(values, **words) == pytest.approx(expected)
