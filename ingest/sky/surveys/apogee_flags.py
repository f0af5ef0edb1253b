"""Flag bits of APOGEE DR17 that the simulated allStar sets, and the text columns that spell them out.

Numbers and thresholds: the DR17 pipeline's own definition of APOGEE_ASPCAPFLAG, APOGEE_STARFLAG, EXTRATARG and APOGEE_PARAMFLAG (sdss/apogee,
bitmask, June 2021). ASPCAPFLAG has bits above 31: 64-bit columns.
"""

from collections.abc import Iterable
from enum import IntFlag

import numpy as np
from jaxtyping import Bool, Int64


class AspcapFlag(IntFlag):
    """APOGEE_ASPCAPFLAG."""

    TEFF_WARN = 1 << 0
    LOGG_WARN = 1 << 1
    VMICRO_WARN = 1 << 2
    M_H_WARN = 1 << 3
    ALPHA_M_WARN = 1 << 4
    C_M_WARN = 1 << 5
    N_M_WARN = 1 << 6
    STAR_WARN = 1 << 7
    CHI2_WARN = 1 << 8
    COLORTE_WARN = 1 << 9
    ROTATION_WARN = 1 << 10
    SN_WARN = 1 << 11
    TEFF_BAD = 1 << 16
    LOGG_BAD = 1 << 17
    VMICRO_BAD = 1 << 18
    M_H_BAD = 1 << 19
    ALPHA_M_BAD = 1 << 20
    C_M_BAD = 1 << 21
    N_M_BAD = 1 << 22
    STAR_BAD = 1 << 23
    CHI2_BAD = 1 << 24
    COLORTE_BAD = 1 << 25
    ROTATION_BAD = 1 << 26
    SN_BAD = 1 << 27
    NO_ASPCAP_RESULT = 1 << 31
    MISSING_APSTAR = 1 << 32
    NO_GRID = 1 << 33
    MULTIPLE_SUSPECT = 1 << 41


class StarFlag(IntFlag):
    """APOGEE_STARFLAG and ANDFLAG."""

    BAD_PIXELS = 1 << 0
    COMMISSIONING = 1 << 1
    BRIGHT_NEIGHBOR = 1 << 2
    VERY_BRIGHT_NEIGHBOR = 1 << 3
    LOW_SNR = 1 << 4
    PERSIST_HIGH = 1 << 9
    PERSIST_MED = 1 << 10
    PERSIST_LOW = 1 << 11
    PERSIST_JUMP_POS = 1 << 12
    PERSIST_JUMP_NEG = 1 << 13
    SUSPECT_RV_COMBINATION = 1 << 16
    SUSPECT_BROAD_LINES = 1 << 17
    BAD_RV_COMBINATION = 1 << 18
    MULTIPLE_SUSPECT = 1 << 21


class ExtraTarg(IntFlag):
    """EXTRATARG."""

    NOT_MAIN = 1 << 0
    COMMISSIONING = 1 << 1
    TELLURIC = 1 << 2
    APO1M = 1 << 3
    DUPLICATE = 1 << 4


class ParamFlag(IntFlag):
    """APOGEE_PARAMFLAG, and the flags of the elements."""

    GRIDEDGE_BAD = 1 << 0
    CALRANGE_BAD = 1 << 1
    OTHER_BAD = 1 << 2
    TEFF_CUT = 1 << 6
    GRIDEDGE_WARN = 1 << 8


MAKES_STAR_BAD = (
    AspcapFlag.TEFF_BAD | AspcapFlag.LOGG_BAD | AspcapFlag.CHI2_BAD | AspcapFlag.COLORTE_BAD | AspcapFlag.ROTATION_BAD | AspcapFlag.SN_BAD
)  # fmt: skip
"""Any of these sets STAR_BAD. [assumed] CHI2_BAD among them, as SDSS's page on the masks says."""
MAKES_STAR_WARN = (
    AspcapFlag.TEFF_WARN | AspcapFlag.LOGG_WARN | AspcapFlag.CHI2_WARN | AspcapFlag.COLORTE_WARN | AspcapFlag.ROTATION_WARN | AspcapFlag.SN_WARN
)  # fmt: skip

STARFLAG_SHARES: tuple[tuple[StarFlag, float], ...] = (
    (StarFlag.BAD_PIXELS, 0.002), (StarFlag.COMMISSIONING, 0.01), (StarFlag.BRIGHT_NEIGHBOR, 0.02), (StarFlag.VERY_BRIGHT_NEIGHBOR, 0.004),
    (StarFlag.PERSIST_HIGH, 0.02), (StarFlag.PERSIST_MED, 0.02), (StarFlag.PERSIST_LOW, 0.04), (StarFlag.PERSIST_JUMP_POS, 0.004),
    (StarFlag.PERSIST_JUMP_NEG, 0.002), (StarFlag.SUSPECT_RV_COMBINATION, 0.005), (StarFlag.SUSPECT_BROAD_LINES, 0.01),
    (StarFlag.MULTIPLE_SUSPECT, 0.005),
)  # fmt: skip
"""Shares of the rows with a bit. [assumed]"""


def bits(n: int, *parts: tuple[IntFlag, Bool[np.ndarray, " n"]]) -> Int64[np.ndarray, " n"]:
    """The sum of the flags that are set in each row."""
    total = np.zeros(n, np.int64)
    for flag, rows in parts:
        total[rows] |= int(flag)
    return total


def spelt(values: Int64[np.ndarray, " n"], flags: Iterable[IntFlag]) -> np.ndarray:
    """The names of the bits that are set, with commas between them, as STARFLAGS and ASPCAPFLAGS have them."""
    known = [(int(flag), str(flag.name)) for flag in flags]
    texts = {value: ",".join(name for flag, name in known if value & flag) for value in np.unique(values).tolist()}
    return np.array([texts[value] for value in values.tolist()], f"U{max([1, *map(len, texts.values())])}")
