"""APOGEE DR17 of the simulated sky: allStar, its duplicate rows, flags and errors.

Mostly giants brighter than G 13.5. A row's S/N follows from the star's H magnitude; errors follow from the S/N, and the labels scatter about
the truth as the errors say. 4 % of the stars have been observed twice: the row of lower S/N carries EXTRATARG's bit DUPLICATE; a few second
rows stand under another APOGEE_ID without it, as in the real file. Known elements are C, N, Fe and those that follow alpha; the simulation knows
no others, and their columns are NaN. Objects outside the grid of model atmospheres have NO_GRID and no labels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from jaxtyping import Bool, Float64, Int64

from ingest.sky.labels import StellarLabels
from ingest.sky.surveys import label_noise
from ingest.sky.surveys.apogee_columns import COLUMNS, ELEM_SYMBOL, N_GRIDS, PARAM_SYMBOL
from ingest.sky.surveys.apogee_flags import (
    MAKES_STAR_BAD,
    MAKES_STAR_WARN,
    STARFLAG_SHARES,
    AspcapFlag,
    ExtraTarg,
    ParamFlag,
    StarFlag,
    bits,
    spelt,
)
from ingest.sky.surveys.designation import two_mass_name
from ingest.sky.surveys.inputs import NO_STAR, SurveyInput, SurveyTruth, other_star
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyDraw, SurveyTable, table_hdu, table_of, write_fits
from ingest.sky.surveys.two_mass import TwoMass

Vector = Float64[np.ndarray, " rows"]

FILE_NAME = "allStar-dr17-synspec_rev1.fits"
GIANT_LOGG = 3.6
_ALPHA_ELEMENTS = ("O", "MG", "SI", "S", "CA", "TI")
_MH_SHARED = 0.8
"""How much of the noise of [M/H] is that of [Fe/H]; the same lines make both. [assumed]"""
_CHI2_WARN, _CHI2_BAD = 30.0, 50.0
"""Times (S/N/100)^2."""


@dataclass(frozen=True)
class ApogeeOptions:
    """Selection and faults, as shares."""

    giants: float = 0.8
    """Of the giants within the limits."""
    dwarfs: float = 0.2
    max_g: float = 13.5
    max_h: float = 13.8
    duplicates: float = 0.04
    """Of the chosen stars, with a second row that is marked as one."""
    unmarked_duplicates: float = 0.004
    """With a second row under another name that is not."""
    outliers: float = 0.0
    wrong_matches: float = 0.0
    """With the Gaia identifier of another star, beside those of the input."""
    without_gaia: float = 0.005
    bad: float = 0.006
    """For which the pipeline failed."""


def draw_apogee(
    stars: SurveyInput, two_mass: TwoMass, rng: np.random.Generator, options: ApogeeOptions = ApogeeOptions()
) -> SurveyDraw:  # fmt: skip
    """allStar of the simulated stars, ordered by position; the columns J, H, K copy ``two_mass``."""
    n = len(stars)
    choice = rng.random((n, 3))
    observed = stars.counterpart
    share = np.where(stars.labels.logg[observed] < GIANT_LOGG, options.giants, options.dwarfs)
    first = np.flatnonzero(
        (stars.g[observed] < options.max_g) & (stars.h[observed] < options.max_h) & (choice[:, 0] < share) & two_mass.matched
    )
    marked = first[choice[first, 1] < options.duplicates]
    unmarked = first[choice[first, 2] < options.unmarked_duplicates]
    star = np.concatenate([first, marked, unmarked])
    visit = np.repeat([0, 1, 2], [len(first), len(marked), len(unmarked)])
    # Numbers for all stars and both of their rows, so that a share that changes leaves the other rows as they were.
    u, z = rng.random((3, n, 28))[visit, star], rng.standard_normal((3, n, 24))[visit, star]
    other = other_star(n, rng)[star]
    # Faint stars get more visits, so the S/N falls by less than their light; a few spectra are cut short. [assumed]
    short = np.where(u[:, 4] < 0.03, 0.35, 1.0)
    snr = np.clip(120.0 * short * 10.0 ** (-0.12 * (stars.h[observed[star]] - 12.0)) * np.exp(0.35 * z[:, 0]), 8.0, 500.0)
    return _rows(stars, star, other, two_mass, visit, snr, u, z, options)


def _rows(
    stars: SurveyInput, star: Int64[np.ndarray, " rows"], other: Int64[np.ndarray, " rows"], two_mass: TwoMass, visit: np.ndarray, snr: Vector,
    u: np.ndarray, z: np.ndarray, options: ApogeeOptions,
) -> SurveyDraw:  # fmt: skip
    """The rows of the stars whose positions were observed, and of their counterparts' light."""
    target, seen = stars.take(star), stars.take(stars.counterpart[star])
    n = len(seen)
    outlier = u[:, 0] < options.outliers
    none = u[:, 1] < options.without_gaia
    wrong = ~none & (u[:, 2] < options.wrong_matches) & (len(stars) > 1)
    identified = np.where(none, NO_STAR, np.where(wrong, other, star))
    failed = (u[:, 3] < options.bad) | (two_mass.designation[star] == "")
    no_grid = ~seen.on_grid
    sigma = label_noise.APOGEE.at(snr)
    found = label_noise.measured(seen.labels, sigma, z[:, 1:7], outlier)
    chi2 = (snr / 100.0) ** 2 * 8.0 * np.exp(0.55 * z[:, 7]) + 1.0
    aspcap = _aspcapflag(seen, snr, chi2, failed, no_grid, u)
    labelled = ~no_grid & ~failed
    values: dict[str, Any] = {
        **_identity(target, two_mass.designation[star], visit), **_flags(snr, aspcap, u), **_gaia(stars, identified, z),
        **_labels(seen.labels, found, sigma, labelled, z), "ASPCAP_CHI2": np.where(no_grid, np.nan, chi2), "SNR": snr, "SNREV": snr * 0.98,
        "NVISITS": 1 + (u[:, 5] * 5).astype(np.int32), "EXTRATARG": _extratarg(star, visit, snr, seen),
        **{column: two_mass.magnitude[band][star] for column, band in (("J", "j"), ("H", "h"), ("K", "ks"))},
        **{f"{column}_ERR": two_mass.error[band][star] for column, band in (("J", "j"), ("H", "h"), ("K", "ks"))},
        "SFD_EBV": 1.1 * seen.ebv * np.exp(0.1 * z[:, 8]), "AK_TARG": 0.3 * seen.ebv, "AK_TARG_METHOD": np.full(n, "RJCE_WISE_PARTSKY"),
        "VERR": _verr(snr), "VHELIO_AVG": seen.radial_velocity + _verr(snr) * z[:, 9], "VSCATTER": 0.1 * np.abs(z[:, 10]),
        "N_COMPONENTS": np.ones(n, np.int32), "SRC_H": np.full(n, "2MASS"),
    }  # fmt: skip
    draw = SurveyDraw(table_of(COLUMNS, n, values), SurveyTruth(stars.counterpart[star], identified.astype(np.int64), outlier & labelled))
    return draw.take(np.lexsort((visit, draw.table["DEC"], draw.table["RA"])))


def _verr(snr: Vector) -> Vector:
    """Error of the radial velocity, km/s. [assumed]"""
    return np.hypot(0.03, 5.0 / snr)


def _extratarg(star: np.ndarray, visit: np.ndarray, snr: Vector, seen: SurveyInput) -> Int64[np.ndarray, " rows"]:
    """DUPLICATE on every marked pair's row that is not the one of highest S/N; NOT_MAIN on dwarfs, which are no main targets here."""
    duplicate = np.zeros(len(star), bool)
    row_of_first = {number: row for row, number in enumerate(star[visit == 0].tolist())}
    for row in np.flatnonzero(visit == 1).tolist():
        first = row_of_first[int(star[row])]
        duplicate[first if snr[first] < snr[row] else row] = True
    return bits(len(star), (ExtraTarg.DUPLICATE, duplicate), (ExtraTarg.NOT_MAIN, seen.labels.logg >= GIANT_LOGG + 0.6))


def _aspcapflag(
    seen: SurveyInput, snr: Vector, chi2: Vector, failed: Bool[np.ndarray, " rows"], no_grid: Bool[np.ndarray, " rows"], u: np.ndarray
) -> Int64[np.ndarray, " rows"]:
    n, level = len(seen), (snr / 100.0) ** 2
    labels = seen.labels
    flag = bits(
        n, (AspcapFlag.SN_WARN, snr < 70), (AspcapFlag.SN_BAD, snr < 50), (AspcapFlag.CHI2_WARN, chi2 > _CHI2_WARN * level),
        (AspcapFlag.CHI2_BAD, chi2 > _CHI2_BAD * level), (AspcapFlag.COLORTE_WARN, u[:, 6] < 0.02), (AspcapFlag.COLORTE_BAD, u[:, 6] < 0.005),
        (AspcapFlag.ROTATION_WARN, (u[:, 7] < 0.05) & (labels.teff > 6200)), (AspcapFlag.MULTIPLE_SUSPECT, u[:, 8] < 0.004),
        (AspcapFlag.TEFF_BAD | AspcapFlag.LOGG_BAD, failed), (AspcapFlag.M_H_WARN, labels.feh < -2.0), (AspcapFlag.M_H_BAD, labels.feh < -2.3),
        (AspcapFlag.TEFF_WARN, labels.teff > 7500), (AspcapFlag.N_M_WARN, u[:, 9] < 0.01), (AspcapFlag.C_M_WARN, u[:, 10] < 0.01),
    )  # fmt: skip
    flag[no_grid] = int(AspcapFlag.NO_GRID)
    flag |= bits(n, (AspcapFlag.STAR_BAD, (flag & int(MAKES_STAR_BAD)) != 0), (AspcapFlag.STAR_WARN, (flag & int(MAKES_STAR_WARN)) != 0))
    return flag


def _flags(snr: Vector, aspcap: Int64[np.ndarray, " rows"], u: np.ndarray) -> dict[str, np.ndarray]:
    n = len(snr)
    drawn = [(flag, u[:, 11 + column] < share) for column, (flag, share) in enumerate(STARFLAG_SHARES)]
    starflag = bits(n, *drawn, (StarFlag.LOW_SNR, snr < 12))
    # ANDFLAG has what every visit had: what the instrument does to a star in each of them.
    andflag = starflag & int(StarFlag.BRIGHT_NEIGHBOR | StarFlag.VERY_BRIGHT_NEIGHBOR | StarFlag.LOW_SNR | StarFlag.COMMISSIONING)
    return {
        "ASPCAPFLAG": aspcap, "ASPCAPFLAGS": spelt(aspcap, AspcapFlag), "STARFLAG": starflag, "STARFLAGS": spelt(starflag, StarFlag),
        "ANDFLAG": andflag, "ANDFLAGS": spelt(andflag, StarFlag),
    }  # fmt: skip


def _identity(seen: SurveyInput, designation: np.ndarray, visit: np.ndarray) -> dict[str, np.ndarray]:
    """Names and positions; the unmarked second row stands under the name of its position, which APOGEE gives to stars outside 2MASS."""
    galactic = SkyCoord(seen.ra, seen.dec, unit="deg").galactic
    north = seen.dec > -15 + 10 * (visit == 1)
    telescope = np.where(north, "apo25m", "lco25m")
    name = np.char.add(np.where(visit == 2, "AP", "2M"), np.where(visit == 2, two_mass_name(seen.ra, seen.dec), designation))
    glon, glat = galactic.l.deg, galactic.b.deg
    # The second spectrum of a star is mostly one of a neighbouring, overlapping field.
    middle = (glon + 2.0 * (visit == 1)) % 360.0
    field = np.array([f"{int(a):03d}{b:+03.0f}" for a, b in zip(middle, glat, strict=True)], "U19")
    location = 2000 + (middle // 3).astype(np.int32) * 60 + ((glat + 90) // 3).astype(np.int32)
    ids = list(zip(telescope.tolist(), field.tolist(), name.tolist(), strict=True))
    return {
        "APOGEE_ID": name, "TELESCOPE": telescope, "FIELD": field, "LOCATION_ID": location, "RA": seen.ra, "DEC": seen.dec, "GLON": glon, "GLAT": glat,
        "FILE": np.array([f"{'ap' if scope == 'apo25m' else 'as'}Star-dr17-{one}.fits" for scope, _, one in ids], "U48"),
        "TARGET_ID": np.array([f"{scope}.{where}.{one}" for scope, where, one in ids], "U48"),
        "APSTAR_ID": np.array([f"apogee.{scope}.stars.{where}.{one}.{k}" for k, (scope, where, one) in zip(visit.tolist(), ids, strict=True)], "U64"),
        "ASPCAP_ID": np.array([f"apogee.{scope}.synspec_rev1.{where}.{one}" for scope, where, one in ids], "U64"),
        "SURVEY": np.where(north, "apogee2", "apogee2s"), "PROGRAMNAME": np.full(len(seen), "simulated"),
    }  # fmt: skip


def _gaia(stars: SurveyInput, identified: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """The copy of Gaia's columns, of the star that the row is taken for."""
    there = identified != NO_STAR
    row = np.where(there, identified, 0)

    def of(values: Vector) -> Vector:
        return np.where(there, values[row], np.nan)

    return {
        "GAIAEDR3_SOURCE_ID": np.where(there, stars.source_id[row], 0), "GAIAEDR3_PARALLAX": of(stars.parallax),
        "GAIAEDR3_PARALLAX_ERROR": of(stars.parallax_error), "GAIAEDR3_PMRA": of(stars.pmra), "GAIAEDR3_PMDEC": of(stars.pmdec),
        "GAIAEDR3_PMRA_ERROR": of(stars.parallax_error), "GAIAEDR3_PMDEC_ERROR": of(stars.parallax_error),
        "GAIAEDR3_PHOT_G_MEAN_MAG": of(stars.g), "GAIAEDR3_PHOT_BP_MEAN_MAG": of(stars.bp), "GAIAEDR3_PHOT_RP_MEAN_MAG": of(stars.rp),
        "GAIAEDR3_DR2_RADIAL_VELOCITY": np.where(there & (stars.g[row] < 12.5), of(stars.radial_velocity) + z[:, 11], np.nan),
        "GAIAEDR3_DR2_RADIAL_VELOCITY_ERROR": np.where(there & (stars.g[row] < 12.5), 1.0, np.nan),
        **{f"GAIAEDR3_R_{part}_{kind}": of(1000.0 * stars.distance * factor)
           for kind in ("GEO", "PHOTOGEO") for part, factor in (("MED", 1.0), ("LO", 0.97), ("HI", 1.03))},
    }  # fmt: skip


def _labels(
    truth: StellarLabels, found: StellarLabels, sigma: StellarLabels, labelled: Bool[np.ndarray, " rows"], z: np.ndarray
) -> dict[str, np.ndarray]:
    """The named labels, and the arrays of parameters and elements that repeat them."""
    n = len(truth)

    def where(values: Vector) -> Vector:
        return np.where(labelled, values, np.nan)

    shared = (found.feh - truth.feh) * _MH_SHARED
    mh = where(truth.mh + shared + np.sqrt(1 - _MH_SHARED**2) * sigma.feh * z[:, 12])
    values = {
        "TEFF": where(found.teff), "TEFF_ERR": where(sigma.teff), "LOGG": where(found.logg), "LOGG_ERR": where(sigma.logg), "M_H": mh,
        "M_H_ERR": where(sigma.feh), "ALPHA_M": where(found.alpha_m), "ALPHA_M_ERR": where(sigma.alpha_m), "FE_H": where(found.feh),
        "FE_H_ERR": where(sigma.feh), "C_FE": where(found.c_fe), "C_FE_ERR": where(sigma.c_fe), "N_FE": where(found.n_fe),
        "N_FE_ERR": where(sigma.n_fe), "TEFF_SPEC": where(found.teff), "LOGG_SPEC": where(found.logg),
        "VMICRO": where(10 ** (0.226 - 0.0228 * truth.logg + 0.0297 * truth.logg**2 - 0.0113 * truth.logg**3)),
    }  # fmt: skip
    x_h, x_h_err = np.full((n, len(ELEM_SYMBOL)), np.nan), np.full((n, len(ELEM_SYMBOL)), np.nan)
    place = {symbol.upper(): column for column, symbol in enumerate(ELEM_SYMBOL)}
    for column, element in enumerate(_ALPHA_ELEMENTS):
        values[f"{element}_FE"] = where(truth.alpha_m + truth.mh - truth.feh + 1.5 * sigma.alpha_m * z[:, 13 + column])
        values[f"{element}_FE_ERR"] = where(1.5 * sigma.alpha_m)
    x_h[:, place["FE"]], x_h_err[:, place["FE"]] = values["FE_H"], values["FE_H_ERR"]
    for element in ("C", "N", *_ALPHA_ELEMENTS):
        x_h[:, place[element]], x_h_err[:, place[element]] = values[f"{element}_FE"] + values["FE_H"], values[f"{element}_FE_ERR"]
    none = np.full(n, np.nan)
    c_m, n_m = (values[f"{element}_FE"] + values["FE_H"] - mh for element in "CN")
    param = np.stack([values["TEFF"], values["LOGG"], np.log10(values["VMICRO"]), mh, c_m, n_m, values["ALPHA_M"], none, none], axis=1)
    variance = np.stack([values["TEFF_ERR"], values["LOGG_ERR"], none, values["M_H_ERR"], values["C_FE_ERR"], values["N_FE_ERR"],
                         values["ALPHA_M_ERR"], none, none], axis=1) ** 2  # fmt: skip
    covariance = np.zeros((n, 9, 9))
    covariance[:, np.arange(9), np.arange(9)] = variance
    unknown = np.isnan(x_h)
    flags = {name.name: np.full(n, int(ParamFlag.OTHER_BAD)) for name in COLUMNS if name.name.endswith(("_FE_FLAG", "FE_H_FLAG"))}
    for element in ("C", "N", *_ALPHA_ELEMENTS):
        flags[f"{element}_FE_FLAG"] = np.where(labelled, 0, int(ParamFlag.TEFF_CUT))
    flags["FE_H_FLAG"] = np.where(labelled, 0, int(ParamFlag.OTHER_BAD))
    return {
        **values, **flags, "PARAM": param, "FPARAM": param, "PARAM_COV": covariance, "FPARAM_COV": covariance,
        "PARAMFLAG": np.where(np.isnan(param), int(ParamFlag.OTHER_BAD), 0), "X_H": x_h, "X_H_ERR": x_h_err, "X_M": x_h - mh[:, None],
        "X_M_ERR": x_h_err, "X_H_SPEC": x_h, "X_M_SPEC": x_h - mh[:, None], "FELEM": x_h, "FELEM_ERR": x_h_err,
        "ELEMFLAG": np.where(unknown, int(ParamFlag.OTHER_BAD), 0), "ASPCAP_GRID": np.where(labelled, _grid(truth), ""),
    }  # fmt: skip


def _grid(truth: StellarLabels) -> np.ndarray:
    """Which grid of synthetic spectra fits best: F, GK or M, giants or dwarfs."""
    letter = np.where(truth.teff > 6000, "F", np.where(truth.teff > 4000, "GK", "M"))
    return np.char.add(letter, np.where(truth.logg < GIANT_LOGG, "g", "d"))


def write_apogee(folder: Path, draw: SurveyDraw) -> Path:
    """allStar as the real file is laid out: an empty primary HDU, the table, the row at which each degree of RA begins, and the symbols."""
    index = np.searchsorted(draw.table["RA"], np.arange(360.0), side="right").astype(np.int32)
    symbols = (
        SurveyColumn("PARAM_SYMBOL", "S15", shape=(9,)), SurveyColumn("ELEM_SYMBOL", "S4", shape=(27,)), SurveyColumn("ELEM_VALUE", "S8", shape=(27,)),
        SurveyColumn("ELEMTOH", "i2", shape=(27,)), SurveyColumn("CLASSES", "S6", shape=(N_GRIDS,)),
    )  # fmt: skip
    header: SurveyTable = table_of(symbols, 1, {
        "PARAM_SYMBOL": np.array([PARAM_SYMBOL]), "ELEM_SYMBOL": np.array([ELEM_SYMBOL]), "ELEM_VALUE": np.array([[f"[{x}/H]" for x in ELEM_SYMBOL]]),
        "ELEMTOH": np.ones((1, 27)),
    })  # fmt: skip
    write_fits(folder / FILE_NAME, table_hdu(draw.table), fits.ImageHDU(index), table_hdu(header))
    return folder / FILE_NAME
