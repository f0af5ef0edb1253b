"""LAMOST DR8 of the simulated sky: the low-resolution catalogue of A, F, G and K stars, a row for each spectrum.

Columns: those that public code reads from dr8_v2.0_LRS_stellar (ZGR23's own code); types of the DR6 catalogue (sdssdb, lamost_dr6). [assumed]
that there are no others: DR10 also has uid, gp_id, alpha_m and vsini, and whether DR8 v2.0 has them is not known. gaia_source_id is a number of
Gaia **DR2**; it is -9999 where there is none, and so is every other missing number. Comma-separated text, or FITS, as the provider gives both.

Northern stars of 3,700 to 9,500 K on a band of S/N; a quarter have two spectra or three. Errors grow as 1/(S/N in g); above 7,500 K the pipeline's
labels are three times worse, which is what Hot Payne is for.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import healpy as hp
import numpy as np
from jaxtyping import Float64

from ingest.sky.labels import LABEL_NAMES, StellarLabels
from ingest.sky.surveys import label_noise
from ingest.sky.surveys.designation import gaia_dr2_source_id, shifted
from ingest.sky.surveys.inputs import SurveyInput, SurveyTruth, other_star
from ingest.sky.surveys.survey_table import SurveyColumn, SurveyDraw, table_hdu, table_of, write_delimited, write_fits

Vector = Float64[np.ndarray, " rows"]

FILE_NAME = "dr8_v2.0_LRS_stellar"
NULL = -9999
HOT = 7500.0
"""K, above which the pipeline's labels are worse by HOT_FACTOR."""
HOT_FACTOR = 3.0
_LIGHT_SPEED = 299_792.458
_FIRST_NIGHT = date(2011, 10, 24)
_MJD_OF_FIRST_NIGHT = 55_858
_NIGHTS = 3_140
_FIBRES, _SPECTROGRAPHS = 250, 16
_SUBCLASSES = (
    (3800, "M0"),
    (4500, "K5"),
    (5200, "K1"),
    (5600, "G8"),
    (5900, "G2"),
    (6300, "F9"),
    (6800, "F5"),
    (7300, "F0"),
    (8200, "A7"),
    (99_999, "A2"),
)
"""Up to which temperature in K a spectrum gets a class."""


def _number(name: str, kind: str, unit: str | None = None) -> SurveyColumn:
    return SurveyColumn(name, kind, unit, null=NULL)


COLUMNS = (
    _number("obsid", "i4"), SurveyColumn("obsdate", "S10"), _number("lmjd", "i4"), _number("mjd", "i4"), SurveyColumn("planid", "S40"),
    _number("spid", "i2"), _number("fiberid", "i2"), *(_number(f"snr{band}", "f4") for band in "ugriz"), SurveyColumn("class", "S20"),
    SurveyColumn("subclass", "S20"), _number("z", "f4"), _number("z_err", "f4"), _number("gaia_source_id", "i8"),
    _number("teff", "f4", "K"), _number("teff_err", "f4", "K"), _number("logg", "f4", "dex"), _number("logg_err", "f4", "dex"),
    _number("feh", "f4", "dex"), _number("feh_err", "f4", "dex"), _number("rv", "f4", "km/s"), _number("rv_err", "f4", "km/s"),
    _number("ra", "f8", "deg"), _number("dec", "f8", "deg"),
)  # fmt: skip


@dataclass(frozen=True)
class LamostOptions:
    """Selection and faults."""

    share: float = 0.6
    """Of the stars within the limits."""
    repeated: float = 0.25
    """Of the chosen stars, with a second spectrum; a third of those have a third one."""
    min_dec: float = -10.0
    max_dec: float = 60.0
    min_g: float = 9.0
    max_g: float = 17.7
    min_teff: float = 3700.0
    max_teff: float = 9500.0
    without_labels: float = 0.01
    """Of the spectra: -9999 in place of labels."""
    outliers: float = 0.0
    wrong_matches: float = 0.0
    """Of the spectra: the position is that of another star, beside those of the input."""
    without_gaia: float = 0.01


def draw_lamost(stars: SurveyInput, rng: np.random.Generator, options: LamostOptions = LamostOptions()) -> SurveyDraw:
    """The catalogue of the simulated stars, ordered by obsid."""
    n = len(stars)
    choice, other = rng.random((n, 2)), other_star(n, rng)
    g, teff = stars.g[stars.counterpart], stars.labels.teff[stars.counterpart]
    eligible = (
        (stars.dec > options.min_dec) & (stars.dec < options.max_dec) & (g > options.min_g) & (g < options.max_g)
        & (teff > options.min_teff) & (teff < options.max_teff) & stars.on_grid[stars.counterpart]
    )  # fmt: skip
    chosen = eligible & (choice[:, 0] < options.share)
    spectra = np.where(chosen, 1 + (choice[:, 1] < options.repeated) + (choice[:, 1] < options.repeated / 3), 0)
    star = np.repeat(np.arange(n), spectra)
    visit = np.arange(len(star)) - np.repeat(np.cumsum(spectra) - spectra, spectra)
    u, z = rng.random((3, n, 8))[visit, star], rng.standard_normal((3, n, 14))[visit, star]
    target, seen = stars.take(star), stars.take(stars.counterpart[star])
    snr = _snr(seen, z)
    outlier, wrong = u[:, 0] < options.outliers, (u[:, 1] < options.wrong_matches) & (n > 1)
    sigma = errors_of(seen.labels, snr["g"])
    found = label_noise.measured(seen.labels, sigma, z[:, 5:11], outlier)
    labelled = u[:, 2] >= options.without_labels
    identified = np.where(wrong, other[star], star)
    ra, dec = shifted(stars.ra[identified], stars.dec[identified], 0.03 / 3600.0 * z[:, 11], 0.03 / 3600.0 * z[:, 12])
    rv_error = np.hypot(3.0, 200.0 / snr["g"])
    velocity = seen.radial_velocity + rv_error * z[:, 13]

    def where(values: Vector, digits: int) -> Vector:
        return np.round(np.where(labelled, values, np.nan), digits)

    values = {
        **_observation(target, visit), **{f"snr{band}": np.round(snr[band], 2) for band in "ugriz"},
        "class": np.full(len(star), "STAR"), "subclass": _subclass(seen.labels.teff), "z": velocity / _LIGHT_SPEED, "z_err": rv_error / _LIGHT_SPEED,
        "gaia_source_id": np.where(u[:, 3] < options.without_gaia, NULL, gaia_dr2_source_id(stars.source_id[identified])),
        "teff": where(found.teff, 2), "teff_err": where(sigma.teff, 2), "logg": where(found.logg, 3), "logg_err": where(sigma.logg, 3),
        "feh": where(found.feh, 3), "feh_err": where(sigma.feh, 3), "rv": where(velocity, 2), "rv_err": where(rv_error, 2),
        "ra": np.round(ra, 6), "dec": np.round(dec, 6),
    }  # fmt: skip
    draw = SurveyDraw(
        table_of(COLUMNS, len(star), values), SurveyTruth(stars.counterpart[star], identified.astype(np.int64), outlier & labelled)
    )
    return draw.take(np.argsort(draw.table["obsid"], kind="stable"))


def errors_of(labels: StellarLabels, snr_g: Vector) -> StellarLabels:
    """The errors that the columns state."""
    growth = np.where(labels.teff > HOT, HOT_FACTOR, 1.0)
    errors = label_noise.LAMOST.at(snr_g)
    return StellarLabels(*(getattr(errors, name) * growth for name in LABEL_NAMES))


def _snr(seen: SurveyInput, z: np.ndarray) -> dict[str, Vector]:
    """S/N of each band: limited by the sky for faint stars; redder bands of redder stars have more. [assumed]"""
    g, colour = seen.g, seen.bp - seen.rp
    base = 110.0 * 10 ** (-0.2 * (g - 13.0)) / np.sqrt(1.0 + 10 ** (0.4 * (g - 16.0))) * np.exp(0.35 * z[:, 0])
    slope = {"u": -1.2, "g": -0.35, "r": 0.0, "i": 0.12, "z": 0.05}
    return {
        band: np.clip(base * 10 ** (0.4 * tilt * (colour - 0.4)) * np.exp(0.05 * z[:, column]), 1.0, 999.0)
        for column, (band, tilt) in enumerate(slope.items())
    }


def _observation(target: SurveyInput, visit: np.ndarray) -> dict[str, np.ndarray]:
    """Plates of up to 4,000 fibres: the spectra of a field and a visit share a plan and a night, and no two share a fibre."""
    n = len(target)
    field = hp.ang2pix(16, target.ra, target.dec, lonlat=True, nest=True) * 3 + visit
    order = np.argsort(field, kind="stable")
    ordered = field[order]
    within = np.arange(n) - np.searchsorted(ordered, ordered)
    plate = within // (_FIBRES * _SPECTROGRAPHS)
    starts = np.ones(n, bool)
    starts[1:] = (ordered[1:] != ordered[:-1]) | (plate[1:] != plate[:-1])
    plan, slot = np.empty(n, np.int64), np.empty(n, np.int64)
    plan[order], slot[order] = np.cumsum(starts), within % (_FIBRES * _SPECTROGRAPHS)
    night = (plan * 37) % _NIGHTS
    spid, fibre = slot // _FIBRES + 1, slot % _FIBRES + 1
    lmjd = _MJD_OF_FIRST_NIGHT + night
    return {
        "obsid": plan * 100_000 + spid * 1_000 + fibre, "lmjd": lmjd, "mjd": lmjd - 1, "spid": spid, "fiberid": fibre,
        "obsdate": np.array([(_FIRST_NIGHT + timedelta(days=day)).isoformat() for day in night.tolist()], "U10"),
        "planid": np.array([f"SIM{pixel // 3:04d}N{number:04d}" for pixel, number in zip(field.tolist(), plan.tolist(), strict=True)], "U40"),
    }  # fmt: skip


def _subclass(teff: Vector) -> np.ndarray:
    return np.array([name for _, name in _SUBCLASSES])[np.searchsorted([limit for limit, _ in _SUBCLASSES], teff)]


def spec_id(draw: SurveyDraw) -> np.ndarray:
    """What Hot Payne calls a spectrum: YYYYMMDD-planid-spid-fiberid."""
    rows = draw.table.rows[["obsdate", "planid", "spid", "fiberid"]].tolist()
    return np.array([f"{day.decode().replace('-', '')}-{plan.decode()}-{spid:02d}-{fibre:03d}" for day, plan, spid, fibre in rows], "U36")


def write_lamost(folder: Path, draw: SurveyDraw, *, as_fits: bool = False) -> Path:
    """The catalogue as comma-separated text, or as a FITS binary table, gzipped as the provider's are."""
    path = folder / f"{FILE_NAME}.{'fits' if as_fits else 'csv'}.gz"
    if as_fits:
        write_fits(path, table_hdu(draw.table))
    else:
        write_delimited(path, draw.table)
    return path
