"""What Gaia's tables say of a block of simulated stars: rows of gaia_source, XP and RVS mean spectra, noise included.

Fluxes follow from magnitudes by the zero points of Gaia DR3 (Riello et al. 2021, A&A 649, A3; Vega scale). The magnitude in the RVS band is the
relation of Sartoretti et al. (2023, A&A 674, A6) in G - RP. Columns that have no meaning in the simulation are null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from catalog.releases import SIMULATED_SOLUTION_ID
from catalog.spectra import Band
from ingest.sky.bulk_ecsv import BulkColumn
from ingest.sky.bulk_tables import GAIA_SOURCE_DR3, GAIA_SOURCE_DR4, RVS_MEAN, XP_CONTINUOUS
from ingest.sky.elements import ALPHA_GAIN
from ingest.sky.emulator import band_magnitudes
from ingest.sky.observed_light import band_flux_at_earth, flux_at_earth
from ingest.sky.oddities import OFF_GRID
from ingest.sky.photometry_noise import (
    GAIA_ZERO_POINTS,
    gaia_magnitude_errors,
    measured_magnitudes,
    measured_parallax,
    proper_motion_errors,
)
from ingest.sky.rvs import rvs_flux, rvs_noise, rvs_signal_to_noise
from ingest.sky.stars import Stars
from ingest.sky.wavelengths import NIR_BANDS
from ingest.sky.xp_forward import BANDS, MOCK_DR4_BASIS_IDS, Release, band_operator, synthetic_g_bp_rp
from ingest.sky.xp_noise import ObservedBand, draw_transits, observe

Vector = Float64[np.ndarray, " n"]
Rows = Mapping[str, np.ndarray]

EPOCHS: dict[Release, float] = {"dr3": 2016.0, "dr4": 2017.5}
BASIS_IDS: dict[Release, dict[Band, int]] = {
    "dr3": {"bp": 56, "rp": 57},
    "dr4": {"bp": MOCK_DR4_BASIS_IDS["bp"], "rp": MOCK_DR4_BASIS_IDS["rp"]},
}
FAINTEST_RVS = 12.0
"""Magnitude in the RVS band to which spectra are published."""
FAINTEST_RADIAL_VELOCITY = 14.0
_OBLIQUITY = np.radians(84381.406 / 3600)
"""IAU 2006 obliquity of the ecliptic."""


@dataclass(frozen=True, eq=False)
class GaiaRows:
    """The rows of a block of stars in the three bulk tables."""

    gaia_source: Rows
    xp_continuous: Rows
    rvs_mean: Rows


def gaia_source_columns(release: Release) -> tuple[BulkColumn, ...]:
    """The columns of gaia_source in a release."""
    return GAIA_SOURCE_DR3 if release == "dr3" else GAIA_SOURCE_DR4


def true_magnitudes(stars: Stars, *, alpha_gain: float = ALPHA_GAIN) -> Float64[np.ndarray, "n 8"]:
    """G, BP, RP, J, H, Ks, W1, W2 without noise, Vega; takes 20 kB a star, so give it blocks."""
    flux = flux_at_earth(stars, alpha_gain=alpha_gain)
    optical = synthetic_g_bp_rp(band_operator("bp").coefficients(flux), band_operator("rp").coefficients(flux))
    infrared = band_magnitudes(band_flux_at_earth(stars))
    return np.column_stack([optical, *(infrared[band] for band in NIR_BANDS)])


def observe_block(
    stars: Stars,
    parallax_noise: Vector,
    rng: np.random.Generator,
    *,
    release: Release = "dr3",
    alpha_gain: float = ALPHA_GAIN,
    inflate: float = 1.0,
) -> GaiaRows:
    """Everything that Gaia publishes of a block of stars; ``inflate`` makes all noise so much larger than the stated errors.

    Positions are taken as they are, at the release's epoch. ``parallax_noise`` are standard normal numbers, given because the surveys on the
    ground use the same catalogue parallaxes. Takes some 60 kB a star: give it blocks of a few thousand. The same stars and generator give the same rows.
    """
    flux = flux_at_earth(stars, alpha_gain=alpha_gain)
    true = {band: band_operator(band).coefficients(flux) for band in BANDS}
    optical = synthetic_g_bp_rp(true["bp"], true["rp"])
    # The first of all draws: the information table draws them again.
    transits = draw_transits(len(stars), rng, release=release)
    spectra = {band: observe(band_operator(band, release), true[band], transits[band], rng, inflate=inflate) for band in BANDS}
    source = _gaia_source(stars, optical, parallax_noise, rng, release, inflate)
    has_rvs = (source["grvs_mag"] < FAINTEST_RVS) & ~np.isin(stars.kind, OFF_GRID)
    source["has_rvs"] = has_rvs.astype(object)
    rvs = _rvs_mean(stars.take(has_rvs), {name: source[name][has_rvs] for name in ("source_id", "ra", "dec", "grvs_mag")}, rng)
    signal = np.full(len(stars), np.nan)
    signal[has_rvs] = rvs_signal_to_noise(source["grvs_mag"][has_rvs])
    source["rvs_spec_sig_to_noise"] = signal
    return GaiaRows(
        _filled(gaia_source_columns(release), source, len(stars)),
        _filled(XP_CONTINUOUS, _xp_continuous(stars, spectra, release), len(stars)),
        _filled(RVS_MEAN, rvs, int(has_rvs.sum())),
    )


def _gaia_source(
    stars: Stars, optical: Float64[np.ndarray, "n 3"], parallax_noise: Vector, rng: np.random.Generator, release: Release, inflate: float
) -> dict[str, np.ndarray]:
    """The columns of gaia_source that the simulation knows, by name."""
    n = len(stars)
    errors = gaia_magnitude_errors(optical, release)
    magnitude = measured_magnitudes(optical, errors, rng, inflate=inflate)
    magnitude[stars.missing_bp, 1] = np.nan
    parallax, e_parallax = measured_parallax(1.0 / stars.distance, optical[:, 0], parallax_noise, release=release, inflate=inflate)
    e_motion = proper_motion_errors(magnitude[:, 0], release)
    motion = np.column_stack([stars.pmra, stars.pmdec]) + inflate * e_motion * rng.standard_normal((n, 2))
    grvs = g_rvs(magnitude[:, 0], magnitude[:, 2])
    velocity, e_velocity = _radial_velocity(stars, grvs, rng, inflate)
    columns: dict[str, np.ndarray] = {
        "solution_id": np.full(n, SIMULATED_SOLUTION_ID), "designation": np.array([f"Simulated {release.upper()} {each}" for each in stars.source_id], object),
        "source_id": stars.source_id, "random_index": rng.permutation(n), "ref_epoch": np.full(n, EPOCHS[release]),
        "ra": stars.ra, "dec": stars.dec,
        "ra_error": 0.8 * e_parallax, "dec_error": 0.75 * e_parallax, "parallax": parallax, "parallax_error": e_parallax,
        "parallax_over_error": parallax / e_parallax, "pm": np.hypot(motion[:, 0], motion[:, 1]), "pmra": motion[:, 0], "pmra_error": e_motion[:, 0],
        "pmdec": motion[:, 1], "pmdec_error": e_motion[:, 1], "astrometric_params_solved": np.full(n, 31), "astrometric_params": np.full(n, 31),
        "ruwe": np.exp(0.05 * rng.standard_normal(n)), "radial_velocity": velocity, "radial_velocity_error": e_velocity, "grvs_mag": grvs,
        "l": stars.l, "b": stars.b, "non_single_star": np.zeros(n, np.int16), "bp_rp": magnitude[:, 1] - magnitude[:, 2],
        "bp_g": magnitude[:, 1] - magnitude[:, 0], "g_rp": magnitude[:, 0] - magnitude[:, 2],
        "phot_variable_flag": np.full(n, "NOT_AVAILABLE", object),
    }  # fmt: skip
    columns["ecl_lon"], columns["ecl_lat"] = ecliptic(columns["ra"], columns["dec"])
    for i, (name, zero_point) in enumerate(GAIA_ZERO_POINTS.items()):
        band = name.lower()
        flux = 10 ** (0.4 * (zero_point - magnitude[:, i]))
        relative = errors[:, i] * np.log(10) / 2.5
        columns |= {
            f"phot_{band}_mean_mag": magnitude[:, i], f"phot_{band}_mean_flux": flux, f"phot_{band}_mean_flux_error": flux * relative,
            f"phot_{band}_mean_flux_over_error": np.where(np.isnan(flux), np.nan, 1 / relative),
        }  # fmt: skip
    columns["phot_bp_rp_excess_factor"] = (columns["phot_bp_mean_flux"] + columns["phot_rp_mean_flux"]) / columns["phot_g_mean_flux"]
    flags = {
        "duplicated_source": False, "astrometric_primary_flag": False, "in_qso_candidates": False, "in_galaxy_candidates": False,
        "has_xp_continuous": True, "has_xp_sampled": False, "has_epoch_photometry": False, "has_epoch_rv": False, "has_mcmc_gspphot": False,
        "has_mcmc_msc": False, "in_andromeda_survey": False,
    }  # fmt: skip
    return columns | {name: np.full(n, value, object) for name, value in flags.items()}


def g_rvs(g: Vector, rp: Vector) -> Vector:
    """Magnitude in the RVS band (Sartoretti et al. 2023, Eq. 2 and 3), G - RP taken within the relation's range of -0.15 to 1.7."""
    x = np.clip(g - rp, -0.15, 1.7)
    blue = rp - 0.0397 + x * (-0.2852 + x * (-0.0330 + x * -0.0867))
    red = rp - 4.0618 + x * (10.0187 + x * (-9.0532 + x * 2.6089))
    return np.asarray(np.where(x < 1.2, blue, red))


def ecliptic(ra: Vector, dec: Vector) -> tuple[Vector, Vector]:
    """Ecliptic longitude and latitude of ICRS positions, degrees, by the mean obliquity alone (Gaia DR3 data model)."""
    alpha, delta = np.radians(ra), np.radians(dec)
    x, y, z = np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha), np.sin(delta)
    c, s = np.cos(_OBLIQUITY), np.sin(_OBLIQUITY)
    return np.degrees(np.arctan2(c * y + s * z, x)) % 360.0, np.degrees(np.arcsin(np.clip(c * z - s * y, -1, 1)))


def _radial_velocity(stars: Stars, grvs: Vector, rng: np.random.Generator, inflate: float) -> tuple[Vector, Vector]:
    """Radial velocities with errors that grow from 0.15 km/s to 6 km/s at the limit, null beyond it and for stars without lines."""
    error = 0.15 + 6.0 * 10 ** (0.4 * (grvs - FAINTEST_RADIAL_VELOCITY))
    velocity = stars.radial_velocity + inflate * error * rng.standard_normal(len(stars))
    measured = (grvs < FAINTEST_RADIAL_VELOCITY) & ~np.isin(stars.kind, OFF_GRID)
    return np.where(measured, velocity, np.nan), np.where(measured, error, np.nan)


def _xp_continuous(stars: Stars, spectra: Mapping[Band, ObservedBand], release: Release) -> dict[str, np.ndarray]:
    """The columns of xp_continuous_mean_spectrum; a missing BP leaves its columns null."""
    n = len(stars)
    columns: dict[str, np.ndarray] = {"source_id": stars.source_id, "solution_id": np.full(n, SIMULATED_SOLUTION_ID)}
    for band, seen in spectra.items():
        missing = stars.missing_bp if band == "bp" else np.zeros(n, bool)
        values = {name: getattr(seen, name) for name in ObservedBand.__dataclass_fields__}
        values["basis_function_id"] = np.full(n, BASIS_IDS[release][band])
        values["n_parameters"] = np.full(n, seen.coefficients.shape[1])
        for name, value in values.items():
            mask = np.broadcast_to(missing.reshape(n, *(1,) * (value.ndim - 1)), value.shape)
            columns[f"{band}_{name}"] = np.ma.MaskedArray(value, mask)
    return columns


def _rvs_mean(stars: Stars, source: Rows, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The columns of rvs_mean_spectrum for the stars that have one."""
    transits: Int64[np.ndarray, " n"] = rng.integers(5, 40, len(stars))
    ccds = 3 * transits
    flux = rvs_flux(stars.labels, ebv=stars.ebv, velocity=stars.rest_frame_shift)
    seen = rvs_noise(flux, rvs_signal_to_noise(source["grvs_mag"]), ccds, rng)
    return {
        "source_id": source["source_id"], "solution_id": np.full(len(stars), SIMULATED_SOLUTION_ID), "ra": source["ra"], "dec": source["dec"],
        "flux": seen.flux, "flux_error": seen.error, "combined_transits": transits, "combined_ccds": ccds,
        "deblended_ccds": np.zeros(len(stars), np.int16),
    }  # fmt: skip


def _filled(columns: tuple[BulkColumn, ...], known: Mapping[str, Any], n: int) -> dict[str, np.ndarray]:
    """Every column of the table, null where nothing is known."""
    nothing = np.ma.masked_all(n, np.float64)
    return {
        column.name: known.get(column.name, np.full(n, None, object) if column.datatype in ("string", "bool") else nothing)
        for column in columns
    }
