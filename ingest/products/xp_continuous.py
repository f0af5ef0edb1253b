"""xp_continuous: continuous XP mean spectra, the archive's table xp_continuous_mean_spectrum (Gaia DR3 data model, 26 columns).

A file needs source_id and the coefficients of at least one band. Errors and correlations may be missing, in whole columns or single rows,
and so may a band: source 5405570973190252288 has no BP spectrum. Numbers of coefficients and bases are those of the release. A correlation
matrix that is not positive definite is kept and flagged (catalog.spectra.SpectrumFlag).
Errors, correlations: Montegriffo et al. 2023, A&A 674, A3, and De Angeli et al. 2023, A&A 674, A2.
"""

from collections.abc import Collection
from itertools import product

import numpy as np
from jaxtyping import Bool, Float32, Int16
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields
from catalog.releases import DataRelease
from catalog.schema.column import ColumnType
from catalog.schema.xp_spectrum import XP_SPECTRUM
from catalog.spectra import Layout, SpectrumBatch, SpectrumFlag, n_pairs, pack
from ingest.file_table import Field, FileTable
from ingest.positive_definite import positive_definite
from ingest.product import CheckedRows, FileContext, Product
from ingest.row_checks import RowChecks

BANDS = ("bp", "rp")
_ARRAYS = ("coefficients", "coefficient_errors", "coefficient_correlations")
_COLUMN_OF = {part: f"{band}_{array}" for part, (array, band) in zip(Layout, product(_ARRAYS, BANDS), strict=True)}
"""The file's column of each part of a spectrum."""
_SCALARS = XP_SPECTRUM.without("release_id", "layout", "flags", "head", "correlations", "file_id", "row_number")
_STAGED = copy_fields(XP_SPECTRUM.without("file_id"))
_ROUNDING = 1e-6
"""How far outside [-1, 1] a float32 correlation may round."""

FIELDS = (
    *(Field(column.name, column.type) for column in _SCALARS),
    *(Field(f"{band}_{array}", ColumnType.DOUBLE, is_array=True) for band in BANDS for array in _ARRAYS),
)


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of XP coefficients."""
    return bool({f"{band}_coefficients" for band in BANDS}.intersection(names))


def check(table: FileTable, file: FileContext) -> CheckedRows:
    """The rows whose arrays fit the release's contract, packed."""
    release = file.release
    checks = RowChecks.of_sources(table, file.pixels)
    checks.keep_worlds_apart(release)
    lengths = {"bp": release.n_bp, "rp": release.n_rp}
    bases = {"bp": release.bp_basis_function_id, "rp": release.rp_basis_function_id}
    arrays: dict[str, Float32[np.ndarray, "rows n"]] = {}
    there: dict[str, Bool[np.ndarray, " rows"]] = {}
    for band in BANDS:
        _check_contract(checks, table, band, lengths[band], bases[band])
        for array, length in zip(_ARRAYS, (lengths[band], lengths[band], n_pairs(lengths[band])), strict=True):
            name = f"{band}_{array}"
            there[name] = ~table.null(name)
            arrays[name] = _checked_array(checks, table, name, length)
        _check_numbers(checks, arrays, there, band)
    checks.reject(
        ~there["bp_coefficients"] & ~there["rp_coefficients"], "nothing_in_either_band", lambda row: "no coefficients in BP and RP"
    )
    good = checks.good
    rows = slice(None) if good.all() else good
    layout = np.zeros(int(good.sum()), np.int16)
    for part in Layout:
        layout |= there[_COLUMN_OF[part]][rows] * np.int16(part)
    return CheckedRows(_packed(table, release, {name: array[rows] for name, array in arrays.items()}, layout, rows), checks.rejects())


def _check_contract(checks: RowChecks, table: FileTable, band: str, n: int, basis: int) -> None:
    """What the row says of its own coefficients must be what the release promises."""
    for column, expected, reason in (
        (f"{band}_n_parameters", n, "wrong_number_of_coefficients"),
        (f"{band}_basis_function_id", basis, "wrong_basis"),
    ):
        said = table.values(Field(column, ColumnType.SMALLINT))
        checks.reject(
            ~table.null(column) & (said != expected),
            reason,
            lambda row, column=column, said=said, expected=expected: f"{column} is {said[row]}, the release has {expected}",  # type: ignore[misc]
        )


def _checked_array(checks: RowChecks, table: FileTable, name: str, length: int) -> Float32[np.ndarray, "rows n"]:
    """One array column as float32, NaN where it is missing."""
    lists, present = table.ragged(name), ~table.null(name)
    reason = f"wrong_number_of_{name.removeprefix('bp_').removeprefix('rp_').removeprefix('coefficient_')}"
    checks.reject(present & (lists.lengths != length), reason, lambda row: f"{name} has {lists.lengths[row]} numbers in place of {length}")
    with np.errstate(over="ignore"):
        return lists.matrix(length).astype(np.float32)


def _check_numbers(checks: RowChecks, arrays: dict[str, np.ndarray], there: dict[str, np.ndarray], band: str) -> None:
    """Coefficients finite, errors finite and positive, correlations in [-1, 1], and none without what it belongs to."""
    names = [f"{band}_{array}" for array in _ARRAYS]
    coefficients, errors, correlations = (arrays[name] for name in names)
    has_coefficients, has_errors, has_correlations = (there[name] for name in names)

    def first_bad(name: str, bad: np.ndarray, row: int) -> str:
        at = int(np.argmax(bad))
        return f"{name}[{at}] is {arrays[name][row, at]}"

    checks.reject(has_errors & ~has_coefficients, "errors_without_coefficients", lambda row: f"{names[1]} without {names[0]}")
    checks.reject(has_correlations & ~has_errors, "correlations_without_errors", lambda row: f"{names[2]} without {names[1]}")
    bad_coefficients = ~np.isfinite(coefficients)
    checks.reject(
        has_coefficients & bad_coefficients.any(axis=1),
        "coefficients_not_finite",
        lambda row: first_bad(names[0], bad_coefficients[row], row),
    )
    bad_errors = ~np.isfinite(errors) | (errors <= 0)
    checks.reject(has_errors & bad_errors.any(axis=1), "errors_not_positive", lambda row: first_bad(names[1], bad_errors[row], row))
    limit = 1 + _ROUNDING
    within = (correlations.max(axis=1) <= limit) & (correlations.min(axis=1) >= -limit)  # neither of a row with a NaN
    checks.reject(
        has_correlations & ~within,
        "correlations_out_of_range",
        lambda row: first_bad(names[2], ~(np.abs(correlations[row]) <= limit), row),
    )


def _packed(
    table: FileTable, release: DataRelease, arrays: dict[str, np.ndarray], layout: Int16[np.ndarray, " good"],
    rows: slice | Bool[np.ndarray, " rows"],
) -> Rows:  # fmt: skip
    """The good rows, whose arrays are given, as xp_spectrum takes them."""
    coefficients = tuple(arrays[f"{band}_coefficients"].astype(np.float64) for band in BANDS)
    errors = tuple(arrays[f"{band}_coefficient_errors"].astype(np.float64) for band in BANDS)
    correlations = tuple(arrays[f"{band}_coefficient_correlations"] for band in BANDS)
    source_id = table.values(FIELDS[0])[rows]
    batch = SpectrumBatch(source_id, layout, *coefficients, *errors, *correlations)
    head, correlated = pack(batch)
    values = {column.name: table.values(Field(column.name, column.type))[rows] for column in _SCALARS}
    values |= {
        "release_id": np.full(len(source_id), release.release_id, np.int16),
        "layout": layout,
        "flags": _flags(batch),
        "head": head,
        "correlations": correlated,
        "row_number": table.row_number[rows],
    }
    nulls = {column.name: table.null(column.name)[rows] for column in _SCALARS}
    return Rows(_STAGED, values, nulls)


def _flags(batch: SpectrumBatch) -> Int16[np.ndarray, " n"]:
    """The bits of SpectrumFlag."""
    flags = np.zeros(len(batch), np.int16)
    for part, n, flag in (
        (Layout.BP_CORRELATIONS, batch.n_bp, SpectrumFlag.BP_NOT_POSITIVE_DEFINITE),
        (Layout.RP_CORRELATIONS, batch.n_rp, SpectrumFlag.RP_NOT_POSITIVE_DEFINITE),
    ):
        there = np.flatnonzero(batch.has(part))
        triangles = getattr(batch, part.array)
        definite = positive_definite(triangles if len(there) == len(batch) else triangles[there], n)
        flags[there[~definite]] |= np.int16(flag)
    return flags


def _completeness(alias: str) -> sql.Composable:
    """Correlations over errors over coefficients, counted over bands: 9, 3 and 1 for each band that has them."""
    weights = ((1, (Layout.BP_COEFFICIENTS, Layout.RP_COEFFICIENTS)), (3, (Layout.BP_ERRORS, Layout.RP_ERRORS)),
               (9, (Layout.BP_CORRELATIONS, Layout.RP_CORRELATIONS)))  # fmt: skip
    layout = sql.Identifier(alias, "layout")
    parts = [
        sql.SQL("{weight} * ({layout} & {bit} <> 0)::integer").format(weight=sql.Literal(weight), layout=layout, bit=sql.Literal(int(bit)))
        for weight, bits in weights
        for bit in bits
    ]
    return sql.SQL("({})").format(sql.SQL(" + ").join(parts))


XP_CONTINUOUS = Product(
    "xp_continuous", XP_SPECTRUM, FIELDS, recognises, check, _completeness,
    "of 26 points (a band's coefficients 1, errors 3, correlations 9)", required=("source_id",),
)  # fmt: skip
