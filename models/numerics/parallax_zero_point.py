"""Zero point of Gaia (E)DR3's parallaxes by magnitude, colour and ecliptic latitude: Lindegren et al. 2021 (A&A 649, A4), Appendix A.

    Z(G, colour, beta) = sum_jk q_jk(G) c_j(colour) b_k(beta)                       (their Eq. A.2, in microarcsec)

with the basis functions of their Eqs. A.3 and A.4 and q_jk between the nodes of G by linear interpolation: Table 9 for solutions of five
parameters (colour: nu_eff_used_in_astrometry), Table 10 for those of six (colour: pseudocolour). It is to be subtracted from a parallax.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

FIVE, SIX = 31, 95
"""astrometric_params_solved of solutions with five and six parameters."""
_MICRO = 1e-3
"""mas."""


@dataclass(frozen=True, eq=False)
class _Table:
    """Coefficients of one kind of solution: the pairs (j, k), at each node of G their q_jk, and where the colour's fit holds."""

    pairs: tuple[tuple[int, int], ...]
    nodes: Float64[np.ndarray, "nodes 1+pairs"]
    colours: tuple[float, float]


_FIVE = _Table(
    ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (3, 0), (4, 0)),
    np.array([
        [6.0, -26.98, -9.62, +27.40, -25.1, -0.0, -1257.0, 0.0, 0.0],
        [10.8, -27.23, -3.07, +23.04, +35.3, +15.7, -1257.0, 0.0, 0.0],
        [11.2, -30.33, -9.23, +9.08, -88.4, -11.8, -1257.0, 0.0, 0.0],
        [11.8, -33.54, -10.08, +13.28, -126.7, +11.6, -1257.0, 0.0, 0.0],
        [12.2, -13.65, -0.07, +9.35, -111.4, +40.6, -1257.0, 0.0, 0.0],
        [12.9, -19.53, -1.64, +15.86, -66.8, +20.6, -1257.0, 0.0, 0.0],
        [13.1, -37.99, +2.63, +16.14, -5.7, +14.0, -1257.0, +107.9, +104.3],
        [15.9, -38.33, +5.61, +15.42, 0.0, +18.7, -1189.0, +243.8, +155.2],
        [16.1, -31.05, +2.83, +8.59, 0.0, +15.5, -1404.0, +105.5, +170.7],
        [17.5, -29.18, -0.09, +2.41, 0.0, +24.5, -1165.0, +189.7, +325.0],
        [19.0, -18.40, +5.98, -6.46, 0.0, +5.5, 0.0, 0.0, +276.6],
        [20.0, -12.65, -4.57, -7.46, 0.0, +97.9, 0.0, 0.0, 0.0],
        [21.0, -18.22, -15.24, -18.54, 0.0, +128.2, 0.0, 0.0, 0.0],
    ]),
    (1.1, 1.9),
)  # fmt: skip
"""Their Table 9; nu_eff in 1/micron."""
_SIX = _Table(
    ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)),
    np.array([
        [6.0, -27.85, -7.78, +27.47, -32.1, +14.4, +9.5, -67.0],
        [10.8, -28.91, -3.57, +22.92, +7.7, +12.6, +1.6, -572.0],
        [11.2, -26.72, -8.74, +9.36, -30.3, +5.6, +17.2, -1104.0],
        [11.8, -29.04, -9.69, +13.63, -49.4, +36.3, +17.7, -1129.0],
        [12.2, -12.39, -2.16, +10.23, -92.6, +19.8, +27.6, -365.0],
        [12.9, -18.99, -1.93, +15.90, -57.2, -8.0, +19.9, -554.0],
        [13.1, -38.29, +2.59, +16.20, -10.5, +1.4, +0.4, -960.0],
        [15.9, -36.83, +4.20, +15.76, +22.3, +11.1, +10.0, -1367.0],
        [16.1, -28.37, +1.99, +9.28, +50.4, +17.2, +13.7, -1351.0],
        [17.5, -24.68, -1.37, +3.52, +86.8, +19.8, +21.3, -1380.0],
        [19.0, -15.32, +4.01, -6.03, +29.2, +14.1, +0.4, -563.0],
        [20.0, -13.73, -10.92, -8.30, -74.4, +196.4, -42.0, +536.0],
        [21.0, -29.53, -20.34, -18.74, -39.5, +326.8, -262.3, +1598.0],
    ]),
    (1.24, 1.72),
)  # fmt: skip
"""Their Table 10; pseudocolour in 1/micron."""


@dataclass(frozen=True, eq=False)
class ZeroPoint:
    """``value`` in mas, NaN where G, colour, latitude or a solution with a parallax is missing; ``inside`` tells whether the fit holds there."""

    value: Float64[np.ndarray, " n"]
    inside: Bool[np.ndarray, " n"]


def zero_point(
    g: Float64[np.ndarray, " n"], nu_eff: Float64[np.ndarray, " n"], pseudocolour: Float64[np.ndarray, " n"],
    ecl_lat: Float64[np.ndarray, " n"], params_solved: Float64[np.ndarray, " n"],
) -> ZeroPoint:  # fmt: skip
    """Zero points of parallaxes; ecl_lat in degrees, params_solved as Gaia's astrometric_params_solved.

    The fit holds for 6 < G < 21, 1.1 < nu_eff < 1.9 and 1.24 < pseudocolour < 1.72; beyond, its value at the nearest limit is given.
    """
    value, inside = np.full(len(g), np.nan), np.zeros(len(g), bool)
    sine = np.sin(np.deg2rad(ecl_lat))
    latitude = (np.ones_like(sine), sine, sine**2 - 1 / 3)
    for solved, table, colour in ((FIVE, _FIVE, nu_eff), (SIX, _SIX, pseudocolour)):
        blue = np.clip(colour, *table.colours)
        basis = (
            np.ones_like(blue), np.clip(blue - 1.48, -0.24, 0.24), np.clip(1.48 - blue, 0, 0.24) ** 3,
            np.minimum(blue - 1.24, 0), np.maximum(blue - 1.72, 0),
        )  # fmt: skip
        nodes = table.nodes[:, 0]
        total = sum(np.interp(g, nodes, table.nodes[:, 1 + i]) * basis[j] * latitude[k] for i, (j, k) in enumerate(table.pairs))
        of_these = params_solved == solved
        value = np.where(of_these, total * _MICRO, value)
        inside |= of_these & (g > nodes[0]) & (g < nodes[-1]) & (colour > table.colours[0]) & (colour < table.colours[1])
    return ZeroPoint(value, inside & np.isfinite(value))
