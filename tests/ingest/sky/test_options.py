"""Options of a simulated sky: what cannot be is refused with the option's name."""

from types import MappingProxyType
from typing import Any

import pytest

from catalog.errors import UsageError
from ingest.sky.galaxy import Population
from ingest.sky.options import StarOptions


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"binary_share": 1.2}, "binary_share"),
        ({"missing_bp_share": -0.1}, "missing_bp_share"),
        ({"giant_share": float("nan")}, "giant_share"),
        ({"rv_scatter": -1.0}, "rv_scatter"),
        ({"n_far_displaced": -1}, "n_far_displaced"),
        ({"min_g": 18.0}, "min_g"),
        ({"bright_g": 5.0}, "bright_g"),
        ({"populations": MappingProxyType({Population.THIN: 0.0})}, "populations"),
        ({"populations": MappingProxyType({Population.OPEN_CLUSTER: 1.0})}, "populations"),
        ({"populations": MappingProxyType({Population.THIN: -1.0, Population.THICK: 2.0})}, "populations"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        StarOptions(**wrong)


def test_the_demanding_sky_has_every_trouble_and_gives_way_to_what_is_asked_for() -> None:
    plain, demanding = StarOptions(), StarOptions.demanding(junk_share=0.2, max_g=15.0)
    troubles = [
        *("binary_share", "rv_scatter", "rest_frame_error", "white_dwarf_share", "m_dwarf_share", "emission_share", "junk_share"),
        *("wrong_match_share", "missing_bp_share", "missing_nir_share", "n_far_displaced"),
    ]
    for name in troubles:
        assert getattr(plain, name) == 0 < getattr(demanding, name)
    assert (demanding.junk_share, demanding.max_g) == (0.2, 15.0)
