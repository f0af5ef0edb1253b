"""What kind of sky is drawn: limits, shares, and the troubles that real data have."""

from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from catalog.errors import UsageError
from ingest.sky.galaxy import FIELD, SHARES, Population


@dataclass(frozen=True)
class StarOptions:
    """Options of ``draw_stars``. Every share is one of all stars and every trouble is off unless asked for."""

    min_g: float = 6.0
    max_g: float = 17.65
    bright_g: float = 14.0
    """Limit of the stars that surveys with slits can reach."""
    bright_share: float = 0.3
    """This share is drawn to ``bright_g`` instead of ``max_g``, since most stars of a magnitude-limited sample are faint."""
    giant_share: float = 0.6
    cluster_share: float = 0.05
    populations: MappingProxyType[Population, float] = field(default_factory=lambda: MappingProxyType(dict(SHARES)))
    """Share of each component among the field stars."""
    alpha_scatter: float = 1.0
    """Width of the alpha sequences; 1.4 fills the valley between them."""

    binary_share: float = 0.0
    """Unresolved binaries among dwarfs."""
    twin_share: float = 0.1
    """Binaries of equal masses among these; other mass ratios are uniform (Raghavan et al. 2010, ApJS 190, 1)."""
    rv_scatter: float = 0.0
    """Spread of R_V, the shape of the extinction curve, about 3.1."""
    rest_frame_error: float = 0.0
    """Spread of the velocity by which RVS spectra miss the rest frame, km/s."""
    white_dwarf_share: float = 0.0
    m_dwarf_share: float = 0.0
    emission_share: float = 0.0
    junk_share: float = 0.0
    wrong_match_share: float = 0.0
    """Stars that get another star's row of the surveys on the ground."""
    missing_bp_share: float = 0.0
    missing_nir_share: float = 0.0
    """Of the values in each infrared band."""
    displaced_share: float = 0.05
    """Stars whose source_id comes from a position up to 5.5 arcsec away."""
    n_far_displaced: int = 0
    """Stars that stand more than 10 arcsec outside the pixel of their source_id."""

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self) if each.name.endswith("_share")):
            _check(0.0 <= getattr(self, name) <= 1.0, f"{name} is a share from 0 to 1", getattr(self, name))
        for name in ("alpha_scatter", "rv_scatter", "rest_frame_error", "n_far_displaced"):
            _check(getattr(self, name) >= 0, f"{name} is zero or more", getattr(self, name))
        _check(self.min_g < min(self.bright_g, self.max_g), "min_g lies below bright_g and max_g", self.min_g)
        shares = [self.populations.get(population, 0.0) for population in FIELD]
        wrong = set(self.populations) - set(FIELD)
        _check(not wrong and min(shares) >= 0.0 and sum(shares) > 0.0, "populations are shares of thin, thick, halo and accreted", shares)

    @staticmethod
    def demanding(**changes: Any) -> "StarOptions":
        """A sky with every trouble, in shares such as real samples have; ``changes`` are options by name."""
        troubles: dict[str, Any] = {
            "binary_share": 0.12,
            "rv_scatter": 0.1,
            "rest_frame_error": 1.0,
            "white_dwarf_share": 0.005,
            "m_dwarf_share": 0.01,
            "emission_share": 0.005,
            "junk_share": 0.005,
            "wrong_match_share": 0.005,
            "missing_bp_share": 0.005,
            "missing_nir_share": 0.03,
            "n_far_displaced": 2,
        }
        return StarOptions(**{**troubles, **changes})


def _check(holds: bool, rule: str, seen: object) -> None:
    if not holds:
        raise UsageError(f"Options of a simulated sky: {rule}, not {seen}.")
