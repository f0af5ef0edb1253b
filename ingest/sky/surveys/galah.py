"""GALAH DR3 of the simulated sky: main_allstar_v2, a row for each star.

Names, order, types, units and declared nulls: GALAH_DR3_main_allstar_v2.fits as the SDSS-V catalogue database describes it (sdssdb, galah_dr3).
Bits of flag_sp: the survey's page on flags; flag_fe_h and flag_X_fe are 0 for a good value, and 1 for an upper limit [assumed: 32 for none]. The simulation
knows C and the elements that follow alpha; the other columns are NaN, and their numbers of lines 0.

Southern stars away from the plane, brighter than G 14. Errors follow S/N in the second arm. [assumed] their sizes.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from jaxtyping import Float64

from ingest.sky.surveys import label_noise
from ingest.sky.surveys.apogee_flags import bits
from ingest.sky.surveys.designation import gaia_dr2_source_id
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth, other_star
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyDraw, table_hdu, table_of, write_fits
from ingest.sky.surveys.two_mass import TwoMass

Vector = Float64[np.ndarray, " rows"]

FILE_NAME = "GALAH_DR3_main_allstar_v2.fits"
ELEMENTS = [
    "Li",
    "C",
    "O",
    "Na",
    "Mg",
    "Al",
    "Si",
    "K",
    "Ca",
    "Sc",
    "Sc2",
    "Ti",
    "Ti2",
    "V",
    "Cr",
    "Cr2",
    "Mn",
    "Co",
    "Ni",
    "Cu",
    "Zn",
    "Rb",
    "Sr",
    "Y",
    "Zr",
    "Mo",
    "Ru",
    "Ba",
    "La",
    "Ce",
    "Nd",
    "Sm",
    "Eu",
]
_ALPHA_ELEMENTS = ("O", "Mg", "Si", "Ca", "Ti")
NULL = -(2**63)
_UNKNOWN_FLAG = 32
_FIRST_NIGHT, _NIGHTS = date(2013, 12, 16), 1_900
_FIBRES = 392


class FlagSp(IntFlag):
    """flag_sp of GALAH DR3; DR4 gives the same numbers other meanings."""

    RUWE = 1 << 0
    BROADENING = 1 << 1
    LOW_SNR = 1 << 2
    REDUCTION = 1 << 3
    EMISSION = 1 << 4
    BINARY = 1 << 5
    BINARY_SEQUENCE = 1 << 6
    CHI2 = 1 << 7
    IRON_LINES = 1 << 8
    NOT_CONVERGED = 1 << 9
    GRID_LIMIT = 1 << 10


_LAYOUT = f"""
star_id:S16 sobject_id:k dr2_source_id:K dr3_source_id:K survey_name:S12 field_id:K flag_repeat:K wg4_field:S6 wg4_pipeline:S4 flag_sp:K
teff:E:K e_teff:D:K irfm_teff:E:K irfm_ebv:E:mag irfm_ebv_ref:S3 logg:E:log(cm.s**-2) e_logg:D:log(cm.s**-2) fe_h:E e_fe_h:D flag_fe_h:K
fe_h_atmo:E vmic:E:km.s-1 vbroad:E:km.s-1 e_vbroad:D:km.s-1 chi2_sp:E alpha_fe:D e_alpha_fe:D nr_alpha_fe:D flag_alpha_fe:K flux_A_Fe:E
chi_A_Fe:E {" ".join(f"{x}_fe:D e_{x}_fe:D nr_{x}_fe:K flag_{x}_fe:K" for x in ELEMENTS)}
ra_dr2:D:deg dec_dr2:D:deg parallax_dr2:D:mas parallax_error_dr2:D:mas r_est_dr2:D:pc r_lo_dr2:D:pc r_hi_dr2:D:pc r_len_dr2:D:pc
rv_galah:D e_rv_galah:D rv_gaia_dr2:E:km.s-1 e_rv_gaia_dr2:E:km.s-1 red_flag:K ebv:D:mag snr_c1_iraf:D snr_c2_iraf:D snr_c3_iraf:D
snr_c4_iraf:D flag_guess:K v_jk:E:mag j_m:E:mag j_msigcom:E:mag h_m:E:mag h_msigcom:E:mag ks_m:E:mag ks_msigcom:E:mag ph_qual_tmass:S3
w2mpro:D:mag w2mpro_error:D:mag ph_qual_wise:S4 a_ks:D:mag e_a_ks:D:mag bc_ks:E:mag ruwe_dr2:D
"""
"""name:type:unit; E float32, D float64, K int64 with the smallest number as its null, k one whose null is 999999, S text of a width."""


def _column(word: str) -> SurveyColumn:
    name, kind, unit = [*word.split(":"), ""][:3]
    if kind in ("K", "k"):
        return SurveyColumn(name, "i8", null=NULL if kind == "K" else 999_999, declared=True)
    # The provider spells velocities "km s-1", with a blank.
    return SurveyColumn(name, {"E": "f4", "D": "f8"}.get(kind, kind), unit.replace("km.s-1", "km s-1") or None)


COLUMNS = tuple(_column(word) for word in _LAYOUT.split())


@dataclass(frozen=True)
class GalahOptions:
    """Selection and faults."""

    share: float = 0.7
    """Of the stars within the limits."""
    max_dec: float = 10.0
    min_latitude: float = 10.0
    """Degrees from the plane."""
    min_g: float = 9.0
    max_g: float = 14.0
    outliers: float = 0.0
    wrong_matches: float = 0.0
    """With the Gaia identifiers of another star, beside those of the input."""
    without_gaia: float = 0.003


def draw_galah(
    stars: SurveyInput, two_mass: TwoMass, rng: np.random.Generator, options: GalahOptions = GalahOptions()
) -> SurveyDraw:  # fmt: skip
    """allstar of the simulated stars, ordered by sobject_id."""
    n = len(stars)
    u, z, other = rng.random((n, 16)), rng.standard_normal((n, 24)), other_star(n, rng)
    g = stars.g[stars.counterpart]
    latitude = SkyCoord(stars.ra, stars.dec, unit="deg").galactic.b.deg
    eligible = (stars.dec < options.max_dec) & (np.abs(latitude) > options.min_latitude) & (g > options.min_g) & (g < options.max_g)
    star = np.flatnonzero(eligible & (u[:, 0] < options.share) & two_mass.matched)
    u, z, seen = u[star], z[star], stars.take(stars.counterpart[star])
    wrong = (u[:, 1] < options.wrong_matches) & (n > 1)
    identified = np.where(wrong, other[star], star)
    outlier = u[:, 2] < options.outliers
    snr = np.clip(45.0 * 10.0 ** (-0.2 * (seen.g - 13.0)) * np.exp(0.3 * z[:, 0]), 3.0, 400.0)
    flag_sp = _flag_sp(seen, snr, u)
    labelled = (flag_sp & int(FlagSp.NOT_CONVERGED)) == 0
    counterpart = stars.take(identified)
    gone = u[:, 3] < options.without_gaia
    values: dict[str, Any] = {
        **_observation(len(star), u), **_labels(seen, snr, outlier, labelled, z), "flag_sp": flag_sp, "star_id": two_mass.designation[star],
        "dr2_source_id": np.where(gone, NULL, gaia_dr2_source_id(counterpart.source_id)), "dr3_source_id": np.where(gone, NULL, counterpart.source_id),
        "ra_dr2": counterpart.ra, "dec_dr2": counterpart.dec, "parallax_dr2": counterpart.parallax + 0.02 * z[:, 1],
        "parallax_error_dr2": 1.3 * counterpart.parallax_error, "rv_galah": seen.radial_velocity + 0.3 * z[:, 2], "e_rv_galah": np.full(len(star), 0.3),
        "snr_c1_iraf": 0.6 * snr, "snr_c2_iraf": snr, "snr_c3_iraf": 1.25 * snr, "snr_c4_iraf": 1.1 * snr, "ebv": seen.ebv * np.exp(0.1 * z[:, 3]),
        "red_flag": np.where(u[:, 4] < 0.01, 1, 0), "flag_guess": np.where(u[:, 5] < 0.01, 1, 0), "flag_repeat": np.zeros(len(star), np.int64),
        **{f"{band}_m": two_mass.magnitude[band][star] for band in ("j", "h", "ks")},
        **{f"{band}_msigcom": two_mass.error[band][star] for band in ("j", "h", "ks")}, "ph_qual_tmass": two_mass.ph_qual[star],
        "survey_name": np.full(len(star), "galah_main"), "wg4_field": np.full(len(star), "lbol"), "wg4_pipeline": np.full(len(star), "free"),
        "ruwe_dr2": np.where((flag_sp & int(FlagSp.RUWE)) != 0, 1.5 + u[:, 14], 1.0 + 0.2 * u[:, 14]),
    }  # fmt: skip
    draw = SurveyDraw(
        table_of(COLUMNS, len(star), values), SurveyTruth(stars.counterpart[star], identified.astype(np.int64), outlier & labelled)
    )
    return draw.take(np.argsort(draw.table["sobject_id"], kind="stable"))


def _flag_sp(seen: SurveyInput, snr: Vector, u: np.ndarray) -> np.ndarray:
    """Shares are [assumed]; SME neither converges on objects outside the grid nor, now and then, on others."""
    off = ~seen.on_grid
    return bits(
        len(seen), (FlagSp.LOW_SNR, snr < 10), (FlagSp.GRID_LIMIT, off | (seen.labels.teff > 8000)), (FlagSp.NOT_CONVERGED, off | (u[:, 6] < 0.005)),
        (FlagSp.RUWE, u[:, 7] < 0.06), (FlagSp.BROADENING, u[:, 8] < 0.01), (FlagSp.REDUCTION, u[:, 9] < 0.01), (FlagSp.EMISSION, u[:, 10] < 0.004),
        (FlagSp.BINARY, u[:, 11] < 0.01), (FlagSp.CHI2, u[:, 12] < 0.008), (FlagSp.IRON_LINES, u[:, 13] < 0.008),
    )  # fmt: skip


def _labels(seen: SurveyInput, snr: Vector, outlier: np.ndarray, labelled: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    truth, n = seen.labels, len(seen)
    sigma = label_noise.GALAH.at(snr)
    found = label_noise.measured(truth, sigma, z[:, 4:10], outlier)

    def where(values: Vector) -> Vector:
        return np.where(labelled, values, np.nan)

    alpha = truth.alpha_m + truth.mh - truth.feh
    values = {
        "teff": where(found.teff), "e_teff": where(sigma.teff), "logg": where(found.logg), "e_logg": where(sigma.logg), "fe_h": where(found.feh),
        "e_fe_h": where(sigma.feh), "fe_h_atmo": where(found.feh), "flag_fe_h": np.where(labelled, 0, _UNKNOWN_FLAG),
        "alpha_fe": where(alpha + found.alpha_m - truth.alpha_m), "e_alpha_fe": where(sigma.alpha_m), "nr_alpha_fe": np.where(labelled, 31.0, 0.0),
        "flag_alpha_fe": np.where(labelled, 0, _UNKNOWN_FLAG), "chi2_sp": 1.0 + 0.3 * np.abs(z[:, 10]),
        # Carbon's one weak line shows in warm stars; elsewhere there is an upper limit.
        "C_fe": where(found.c_fe), "e_C_fe": where(sigma.c_fe), "nr_C_fe": np.ones(n), "flag_C_fe": np.where(truth.teff > 5500, 0, 1),
    }  # fmt: skip
    for column, element in enumerate(_ALPHA_ELEMENTS):
        error = 1.5 * sigma.alpha_m
        values |= {
            f"{element}_fe": where(alpha + error * z[:, 11 + column]), f"e_{element}_fe": where(error), f"nr_{element}_fe": np.ones(n),
            f"flag_{element}_fe": np.zeros(n),
        }  # fmt: skip
    for element in ELEMENTS:
        known = element == "C" or element in _ALPHA_ELEMENTS
        flag = values.get(f"flag_{element}_fe", np.zeros(n))
        values[f"flag_{element}_fe"] = np.where(labelled & known, flag, _UNKNOWN_FLAG).astype(np.int64)
        values[f"nr_{element}_fe"] = np.where(labelled & known, 1, 0)
    return values


def _observation(n: int, u: np.ndarray) -> dict[str, np.ndarray]:
    """Identifiers YYMMDD, run, extension, fibre: no two alike, for plates are numbered through."""
    plate, fibre = np.arange(n) // _FIBRES, np.arange(n) % _FIBRES + 1
    night = (plate * 37) % _NIGHTS
    days = np.array([int((_FIRST_NIGHT + timedelta(days=day)).strftime("%y%m%d")) for day in night.tolist()], np.int64)
    return {"sobject_id": days * 1_000_000_000 + (1 + plate // _NIGHTS) * 100_000 + 1_000 + fibre, "field_id": 1 + plate}


def write_galah(folder: Path, draw: SurveyDraw) -> Path:
    """One FITS binary table."""
    write_fits(folder / FILE_NAME, table_hdu(draw.table))
    return folder / FILE_NAME
