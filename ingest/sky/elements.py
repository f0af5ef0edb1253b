"""What alpha elements, carbon and nitrogen do to a spectrum beyond the overall metallicity: absorption features written by hand.

No grid with these abundances may be shipped, so the features have the right wavelengths and the right trends with temperature and gravity,
and depths chosen by hand: plausible, not computed from line lists. The depths of the alpha features are multiplied by a gain; at the
default of 2 a network recovers [alpha/M] from simulated spectra about as well as the published models do from real ones, 1 is closer to
the sizes of line indices, and 0 removes the information altogether, which is the negative control of every test on alpha. A simulated
precision in alpha is therefore a statement about a method, never about Gaia.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ingest.sky.labels import StellarLabels
from ingest.sky.tensor_spline import weighted_sum
from ingest.sky.wavelengths import XP_GRID

ALPHA_GAIN = 2.0


class Feature(NamedTuple):
    """One absorption feature: where it is, how wide, how deep in ln flux at +0.3 dex, to which side a band degrades."""

    centre: float
    """nm"""
    width: float
    """nm: the standard deviation of a line, the scale length of a band behind its head"""
    depth: float
    side: int = 0
    """0 a line, +1 a band degraded to the red, -1 to the blue"""


CALCIUM_AND_TITANIUM = (
    Feature(395.2, 3.0, 0.045),  # Ca II H and K
    Feature(422.7, 1.3, 0.05),  # Ca I
    Feature(445.0, 8.0, 0.012),  # Ti I, Ca I blends
    Feature(558.9, 1.3, 0.012),  # Ca I
    Feature(585.8, 1.0, 0.008),  # Ca I
    Feature(612.2, 1.2, 0.012),  # Ca I
    Feature(616.2, 1.5, 0.015),  # Ca I
    Feature(645.0, 3.0, 0.012),  # Ca I
    Feature(880.9, 0.8, 0.02),  # Mg I
)
MAGNESIUM = (Feature(517.6, 2.0, 0.05), Feature(512.5, 4.5, 0.02))  # Mg b, MgH
CALCIUM_TRIPLET = (Feature(850.0, 0.8, 0.02), Feature(854.4, 1.0, 0.04), Feature(866.5, 1.0, 0.035))
TITANIUM_OXIDE = (
    Feature(476.0, 9.0, 0.04, +1),
    Feature(495.5, 10.0, 0.06, +1),
    Feature(517.0, 12.0, 0.06, +1),
    Feature(545.0, 13.0, 0.07, +1),
    Feature(585.0, 14.0, 0.06, +1),
    Feature(616.0, 15.0, 0.07, +1),
    Feature(666.0, 17.0, 0.08, +1),
    Feature(706.0, 18.0, 0.10, +1),
    Feature(759.0, 18.0, 0.08, +1),
    Feature(843.0, 20.0, 0.08, +1),
    Feature(886.0, 20.0, 0.07, +1),
)
CYANOGEN = (
    Feature(388.3, 7.0, 0.09, -1),
    Feature(421.6, 6.0, 0.05, -1),
    Feature(692.0, 10.0, 0.008, +1),
    Feature(725.0, 10.0, 0.012, +1),
    Feature(788.0, 16.0, 0.025, +1),
    Feature(914.0, 18.0, 0.035, +1),
)
CH_BAND = (Feature(430.5, 3.5, 0.07),)
SWAN_BANDS = (Feature(473.7, 5.0, 0.006, -1), Feature(516.5, 6.0, 0.012, -1), Feature(563.5, 6.0, 0.008, -1))  # C2
_HEAD_WIDTH = 1.0  # nm, the steep side of a band


def _profile(feature: Feature) -> Float[np.ndarray, " 790"]:
    behind = XP_GRID - feature.centre
    if feature.side == 0:
        return np.asarray(np.exp(-0.5 * (behind / feature.width) ** 2))
    behind = behind * feature.side
    tail = np.exp(-np.maximum(behind, 0.0) / feature.width)
    return np.where(behind >= 0, tail, np.exp(-0.5 * (behind / _HEAD_WIDTH) ** 2))


def _template(features: tuple[Feature, ...]) -> Float[np.ndarray, " 790"]:
    return np.asarray(sum(feature.depth * _profile(feature) for feature in features))


# Electron donors (Mg, Si) raise the H- opacity: a gentle tilt of the continuum.
_TILT = 0.005 * (XP_GRID - 600.0) / 300.0
_TEMPLATES = np.stack(
    [_template(f) for f in (CALCIUM_AND_TITANIUM, MAGNESIUM, CALCIUM_TRIPLET, TITANIUM_OXIDE)]
    + [_TILT]
    + [_template(f) for f in (CYANOGEN, CH_BAND, SWAN_BANDS)]
)
_ALPHA_TEMPLATES = 5  # the first ones answer to alpha and to the gain, the rest to carbon and nitrogen


def _strength(abundance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """How strong a feature is against its strength at solar ratios: 0 there, 1 at +0.3 dex; it saturates downwards."""
    return (10 ** (0.4 * abundance) - 1) / (10**0.12 - 1)


def _below(value: Float[np.ndarray, " n"], edge: float, width: float) -> Float[np.ndarray, " n"]:
    return 1 / (1 + np.exp((value - edge) / width))


def element_ln_factor(labels: StellarLabels, alpha_gain: float = ALPHA_GAIN) -> Float[np.ndarray, "n 790"]:
    """Change of ln flux on XP_GRID against the same star with solar element ratios."""
    teff, logg = labels.teff, labels.logg
    metals = 10 ** (0.25 * labels.feh)
    warm = _below(teff, 5600, 400)
    alpha, carbon, nitrogen = labels.alpha_m, labels.c_fe, labels.n_fe
    giant = 0.25 + 0.75 * _below(logg, 3.3, 0.5)
    cn_window = giant * np.exp(-0.5 * ((teff - 4600) / 650) ** 2) * metals
    amplitudes = np.stack(
        [
            warm * metals * 10 ** (0.03 * (logg - 2.5)) * _strength(alpha),
            metals * _below(teff, 5300, 400) * 10 ** (0.12 * (logg - 2.5)) * _strength(alpha),
            (0.35 + 0.65 * _below(teff, 6200, 500)) * metals * 10 ** (-0.06 * (logg - 2.5)) * _strength(alpha),
            np.minimum(np.exp((3950 - teff) / 200), 1.6) * 10 ** (0.6 * labels.feh) * _strength(2 * alpha),
            warm * _strength(alpha),
            cn_window * _strength(carbon + nitrogen),
            np.exp(-0.5 * ((teff - 4900) / 800) ** 2) * metals * _strength(carbon),
            cn_window * _strength(2 * carbon),
        ],
        axis=1,
    )
    amplitudes[:, :_ALPHA_TEMPLATES] *= alpha_gain
    return -weighted_sum(amplitudes, _TEMPLATES)
