"""Builders of small sets of spectra, simulated from a few smooth latent variables, and their rows in a database."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from psycopg import sql

from catalog.binary_copy import CopyField, Rows, write_rows
from catalog.database import Database, Role
from catalog.schema.column import ColumnType
from catalog.spectra import SpectrumBatch, layout_of, pack
from catalog.stars import STAR_COLUMNS, StarBatch
from ingest.sky.wavelengths import XP_GRID, ln_black_body
from ingest.sky.xp_forward import BANDS, Release, band_operator
from ingest.sky.xp_noise import observe

SpectraBuilder = Callable[..., SpectrumBatch]
StarBuilder = Callable[..., StarBatch]
LoadSpectra = Callable[[Database, SpectrumBatch, str], None]

FIELDS = (
    CopyField("release_id", ColumnType.SMALLINT),
    CopyField("source_id", ColumnType.BIGINT),
    CopyField("layout", ColumnType.SMALLINT),
    CopyField("head", ColumnType.VECTOR),
    CopyField("file_id", ColumnType.INTEGER),
)


@pytest.fixture(scope="session")
def simulated_spectra() -> SpectraBuilder:
    """``build(n, seed=0, first=0, n_bp=55, n_rp=55)``: spectra on a curved two-dimensional surface, with errors, signal to noise 300 in the first coefficient."""

    def build(n: int, seed: int = 0, first: int = 0, n_bp: int = 55, n_rp: int = 55) -> SpectrumBatch:
        surface = np.random.default_rng(1234)
        random = np.random.default_rng([seed, first])
        colour, gravity = random.normal(size=(2, n, 1))
        flux = 10 ** random.uniform(2, 4, size=(n, 1))
        bands = []
        for width in (n_bp, n_rp):
            fall = np.exp(-np.arange(width) / 6)
            shape = 10 * np.eye(1, width) + fall * (
                np.outer(colour, surface.normal(size=width))
                + 0.3 * np.outer(gravity, surface.normal(size=width))
                + 0.2 * np.outer(colour**2, surface.normal(size=width))
            )
            error = 10 / 300 * np.ones((n, width)) * (0.3 + fall)
            bands.append((flux * (shape + error * random.normal(size=shape.shape)), flux * error))
        (bp, e_bp), (rp, e_rp) = bands
        return SpectrumBatch(
            (np.arange(first, first + n, dtype=np.int64) + 1) << 35, layout_of(bp, rp, e_bp, e_rp), bp, rp, e_bp, e_rp,
            g_mean_flux=10 * flux[:, 0], g_mean_mag=np.full(n, np.nan),
        )  # fmt: skip

    return build


@pytest.fixture(scope="session")
def black_body_stars() -> StarBuilder:
    """``build(n, seed=0, release="dr3")``: black bodies of 4,000 to 9,000 K, G about 8 to 16, with the simulated sky's noise and correlations.

    Their photometry in the infrared is that of the black body, good and uncrowded; their parallaxes are 1 mas with an error of 0.02.
    """

    def build(n: int, seed: int = 0, release: Release = "dr3") -> StarBatch:
        random = np.random.default_rng([77, seed])
        teff = random.uniform(4000, 9000, n)
        at_592 = 10 ** random.uniform(-17.0, -14.0, n)  # W m-2 nm-1
        scale = at_592 / np.exp(ln_black_body(np.array([592.0]), teff)[:, 0])
        flux = np.exp(ln_black_body(XP_GRID, teff)) * scale[:, None]
        columns = {name: np.full(n, np.nan) for name in STAR_COLUMNS}
        arrays = {}
        for band in BANDS:
            dr3 = band_operator(band).coefficients(flux)
            seen = observe(band_operator(band, release), dr3, np.full(n, 30.0), random)
            arrays |= {
                f"{band}_coefficients": seen.coefficients.astype(np.float32),
                f"{band}_errors": seen.coefficient_errors,
                f"{band}_correlations": seen.coefficient_correlations,
            }
            columns[f"{band}_standard_deviation"] = seen.standard_deviation.astype(np.float64)
        layout = layout_of(**arrays)
        constants = {
            "parallax": 1.0, "parallax_error": 0.02, "astrometric_params_solved": 31, "nu_eff_used_in_astrometry": 1.5, "ecl_lat": 10.0,
            "phot_g_mean_mag": 14.0, "fidelity_v2": 1.0, "unwise_separation": 0.05,
            **{f"{band}_{name}": value for band in ("j", "h", "ks") for name, value in (("msigcom", 0.03), ("quality_a", 1))},
            **{f"{band}_{name}": value for band in ("w1", "w2") for name, value in (("qf", 1.0), ("fracflux", 0.95))},
        }  # fmt: skip
        columns |= {name: np.full(n, float(value)) for name, value in constants.items()}
        from models.forward.bands import FLUX_UNIT, NIR_WAVELENGTHS
        from models.forward.observed.nir_fluxes import UNWISE_ZERO_POINT, magnitude_of_flux

        magnitudes = magnitude_of_flux(np.exp(ln_black_body(NIR_WAVELENGTHS, teff)) * scale[:, None] / FLUX_UNIT)
        columns |= {f"{band}_m": magnitudes[:, i] for i, band in enumerate(("j", "h", "ks"))}
        for i, band in enumerate(("w1", "w2")):
            columns[f"{band}_flux"] = 10 ** (0.4 * (UNWISE_ZERO_POINT - magnitudes[:, 3 + i]))
            columns[f"{band}_dflux"] = 0.01 * columns[f"{band}_flux"]
        source_id = (np.arange(n, dtype=np.int64) + 1) << 35
        return StarBatch(SpectrumBatch(source_id, layout, **arrays), columns)

    return build


@pytest.fixture(scope="session")
def without() -> Callable[..., SpectrumBatch]:
    """``without(batch, rows, *names)``: the batch with NaN in the named arrays at these rows, and the layout that follows."""

    def lacking(batch: SpectrumBatch, rows: object, *names: str) -> SpectrumBatch:
        changed = {}
        for name in names:
            changed[name] = getattr(batch, name).copy()
            changed[name][rows] = np.nan
        batch = replace(batch, **changed)
        return replace(batch, layout=layout_of(batch.bp_coefficients, batch.rp_coefficients, batch.bp_errors, batch.rp_errors))

    return lacking


@pytest.fixture(scope="session")
def load_spectra() -> LoadSpectra:
    """``load(database, batch, file_name)``: the spectra in release 1 of a catalogue, as if they came from a file of that name."""

    def load(database: Database, batch: SpectrumBatch, file_name: str) -> None:
        with database.connect(Role.WORKER) as connection:
            row = connection.execute(
                "INSERT INTO store.ingest_file (release_id, sha256, name, size, state) VALUES (1, %(name)s, %(name)s, 1, 'loaded') RETURNING file_id",
                {"name": file_name},
            ).fetchone()
            assert row is not None
            n = len(batch)
            values = {
                "release_id": np.ones(n, np.int16), "source_id": batch.source_id, "layout": batch.layout, "head": pack(batch)[0],
                "file_id": np.full(n, row[0], np.int32),
            }  # fmt: skip
            write_rows(connection, sql.Identifier("store", "xp_spectrum"), Rows(FIELDS, values))
            source = {"release_id": values["release_id"], "source_id": values["source_id"], "ra": np.zeros(n), "dec": np.zeros(n),
                      "phot_g_mean_flux": batch.g_mean_flux, "file_id": values["file_id"]}  # fmt: skip
            fields = (
                FIELDS[0], FIELDS[1], CopyField("ra", ColumnType.DOUBLE), CopyField("dec", ColumnType.DOUBLE),
                CopyField("phot_g_mean_flux", ColumnType.DOUBLE), FIELDS[4],
            )  # fmt: skip
            write_rows(
                connection, sql.Identifier("store", "gaia_source"), Rows(fields, source, {"phot_g_mean_flux": np.isnan(batch.g_mean_flux)})
            )

    return load
