"""XP spectra in batches, and the two packed vectors that the table xp_spectrum keeps of each.

Both are big-endian float32. ``head``: BP coefficients, RP coefficients, BP errors, RP errors; ``correlations``: BP, RP correlations; null
without either. ``layout`` says by bits what is there. A band of n coefficients has n (n - 1) / 2 correlations: the lower triangle without
its diagonal, row by row, as in the archive's xp_continuous_mean_spectrum (Gaia DR3 data model). Lengths follow from the release and the
layout; nothing here takes 55 coefficients for granted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import IntFlag
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int16, Int64

from catalog.errors import DataError
from catalog.packed_vectors import PackedVectors

Band = Literal["bp", "rp"]
Array = np.ndarray[Any, np.dtype[Any]]
_ABSENT: Any = None


class Layout(IntFlag):
    """Which arrays a spectrum has, in the order of the bits."""

    BP_COEFFICIENTS = 1
    RP_COEFFICIENTS = 2
    BP_ERRORS = 4
    RP_ERRORS = 8
    BP_CORRELATIONS = 16
    RP_CORRELATIONS = 32

    @property
    def array(self) -> str:
        """The SpectrumBatch's array of a single bit."""
        return str(self.name).lower()

    def length(self, n_bp: int, n_rp: int) -> int:
        """Number of elements of all the arrays that the bits name."""
        return sum(_width(part, n_bp, n_rp) for part in self)


class SpectrumFlag(IntFlag):
    """What ingest found of a spectrum that it kept."""

    BP_NOT_POSITIVE_DEFINITE = 1
    RP_NOT_POSITIVE_DEFINITE = 2


WITHOUT_CORRELATIONS = Layout.BP_COEFFICIENTS | Layout.RP_COEFFICIENTS | Layout.BP_ERRORS | Layout.RP_ERRORS
CORRELATIONS = Layout.BP_CORRELATIONS | Layout.RP_CORRELATIONS
_ALL = WITHOUT_CORRELATIONS | CORRELATIONS
_BP = Layout.BP_COEFFICIENTS | Layout.BP_ERRORS | Layout.BP_CORRELATIONS


def n_pairs(n: int) -> int:
    """Number of correlations among n coefficients."""
    return n * (n - 1) // 2


def _width(part: Layout, n_bp: int, n_rp: int) -> int:
    n = n_bp if part in _BP else n_rp
    return n_pairs(n) if part in CORRELATIONS else n


@dataclass(frozen=True, eq=False)
class SpectrumBatch:
    """XP spectra of n sources, in the archive's internal units (e-/s); NaN where a source lacks an array.

    Arrays that were read hold float32, as the catalogue stores them; coefficients and errors may also be float64. Correlations are None
    where they were not read. The G photometry of gaia_source comes along because the models scale by it;
    left out, it is NaN. DataError where the shapes do not fit together.
    """

    source_id: Int64[np.ndarray, " n"]
    layout: Int16[np.ndarray, " n"]
    bp_coefficients: Float[np.ndarray, "n n_bp"]
    rp_coefficients: Float[np.ndarray, "n n_rp"]
    bp_errors: Float[np.ndarray, "n n_bp"]
    rp_errors: Float[np.ndarray, "n n_rp"]
    bp_correlations: Float32[np.ndarray, "n bp_pairs"] | None = None
    rp_correlations: Float32[np.ndarray, "n rp_pairs"] | None = None
    g_mean_flux: Float64[np.ndarray, " n"] = _ABSENT
    """Mean flux in G, e-/s."""
    g_mean_mag: Float64[np.ndarray, " n"] = _ABSENT
    """Mean magnitude in G, Vega scale."""

    def __post_init__(self) -> None:
        n = len(self.source_id)
        for name in ("g_mean_flux", "g_mean_mag"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(n, np.nan))
        shapes: dict[str, tuple[int, ...]] = {part.array: (n, _width(part, self.n_bp, self.n_rp)) for part in _ALL}
        for each in fields(self):
            array, shape = getattr(self, each.name), shapes.get(each.name, (n,))
            if array is not None and array.shape != shape:
                raise DataError(f"Spectra of {n} sources with {self.n_bp} BP and {self.n_rp} RP coefficients: {each.name} has shape "
                                f"{array.shape} where {shape} is needed.")  # fmt: skip

    @classmethod
    def blank(cls, n: int, n_bp: int, n_rp: int, *, correlations: bool = True) -> "SpectrumBatch":
        """A batch to be filled by :func:`unpack_into`; its numbers are undefined. A source's arrays stand next to each other in memory."""
        parts = _ALL if correlations else WITHOUT_CORRELATIONS
        numbers = np.empty((n, parts.length(n_bp, n_rp)), np.float32)
        ends = np.cumsum([_width(part, n_bp, n_rp) for part in parts])
        arrays: dict[str, Any] = {part.array: array for part, array in zip(parts, np.split(numbers, ends[:-1], axis=1), strict=True)}
        return cls(np.empty(n, np.int64), np.empty(n, np.int16), **arrays, g_mean_flux=np.empty(n), g_mean_mag=np.empty(n))

    def __len__(self) -> int:
        return len(self.source_id)

    @property
    def n_bp(self) -> int:
        """Number of BP coefficients of each source."""
        return int(self.bp_coefficients.shape[1])

    @property
    def n_rp(self) -> int:
        """Number of RP coefficients of each source."""
        return int(self.rp_coefficients.shape[1])

    def has(self, parts: Layout) -> Bool[np.ndarray, " n"]:
        """Which sources have all the named arrays."""
        return np.asarray((self.layout & int(parts)) == int(parts))

    def coefficients(self) -> Float64[np.ndarray, "n n_bp+n_rp"]:
        """BP coefficients, then RP coefficients."""
        return np.hstack([self.bp_coefficients, self.rp_coefficients], dtype=np.float64)

    def errors(self) -> Float64[np.ndarray, "n n_bp+n_rp"]:
        """Errors of the BP coefficients, then of the RP coefficients."""
        return np.hstack([self.bp_errors, self.rp_errors], dtype=np.float64)

    def correlation(self, band: Band) -> Float64[np.ndarray, "n n_band n_band"]:
        """Correlation matrices of a band's coefficients; NaN beside the diagonal where a source has none. DataError if none were read."""
        triangle = self.bp_correlations if band == "bp" else self.rp_correlations
        if triangle is None:
            raise DataError(f"The {band.upper()} correlations of these spectra were not read.")
        n = self.n_bp if band == "bp" else self.n_rp
        row, column = np.tril_indices(n, -1)
        matrix = np.zeros((len(self), n, n))
        matrix[:, row, column] = triangle
        matrix[:, column, row] = triangle
        matrix[:, np.arange(n), np.arange(n)] = 1.0
        return matrix

    def covariance(self, band: Band) -> Float64[np.ndarray, "n n_band n_band"]:
        """Covariance matrices of a band's coefficients, diag(e) C diag(e), in (e-/s)**2."""
        errors = self.bp_errors if band == "bp" else self.rp_errors
        return errors[:, :, None] * self.correlation(band) * errors[:, None, :]

    def take(self, index: Any) -> "SpectrumBatch":
        """Some of the sources: at an index array, a slice, or a boolean mask."""
        chosen: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(self, **{name: array[index] for name, array in chosen.items() if array is not None})


def layout_of(
    bp_coefficients: Array, rp_coefficients: Array, bp_errors: Array, rp_errors: Array,
    bp_correlations: Array | None = None, rp_correlations: Array | None = None,
) -> Int16[np.ndarray, " n"]:  # fmt: skip
    """The layout of each source: an array is there if any of its numbers is not NaN."""
    layout = np.zeros(len(bp_coefficients), np.int16)
    given = (bp_coefficients, rp_coefficients, bp_errors, rp_errors, bp_correlations, rp_correlations)
    for part, array in zip(_ALL, given, strict=True):
        if array is not None:
            layout |= (~np.isnan(array)).any(axis=1) * np.int16(part)
    return layout


def pack(batch: SpectrumBatch) -> tuple[Array, Array]:
    """Head and correlations of each source, object arrays of bytes: what its layout names, rounded to float32; None without correlations.

    DataError if a layout names correlations that the batch does not have, or if a number is too large for float32.
    """
    head, correlations = _packed(batch, WITHOUT_CORRELATIONS), _packed(batch, CORRELATIONS)
    correlations[(batch.layout & int(CORRELATIONS)) == 0] = None
    return head, correlations


def _packed(batch: SpectrumBatch, column: Layout) -> Array:
    """The cells of one column of the table."""
    cells = np.empty(len(batch), object)
    for layout, rows in _by_layout(batch.layout, column):
        packed = np.empty((len(rows), layout.length(batch.n_bp, batch.n_rp)), ">f4")
        every = len(rows) == len(batch)
        at = 0
        for part in layout:
            array = getattr(batch, part.array)
            if array is None:
                raise DataError(f"Source {batch.source_id[rows[0]]}: its layout names {part.array}, which the batch does not have.")
            values = array if every else array[rows]
            numbers = packed[:, at : at + values.shape[1]]
            with np.errstate(over="ignore"):
                numbers[:] = values
            if values.dtype != np.float32 and (large := np.isinf(numbers) & np.isfinite(values)).any():
                raise DataError(f"Source {batch.source_id[rows[np.argmax(large.any(axis=1))]]}: a number of its spectrum exceeds float32.")
            at += values.shape[1]
        stream, size = packed.tobytes(), packed.shape[1] * 4
        cells[rows] = _objects([stream[i * size : (i + 1) * size] for i in range(len(rows))])
    return cells


def unpack(
    source_id: Int64[np.ndarray, " n"], layout: Int16[np.ndarray, " n"], head: Array, correlations: Array | None, n_bp: int, n_rp: int, *,
    g_mean_flux: Array | None = None, g_mean_mag: Array | None = None,
) -> SpectrumBatch:  # fmt: skip
    """The spectra of a release with n_bp and n_rp coefficients, from object arrays of bytes as :func:`pack` gives them.

    Without ``correlations`` the batch has none. DataError names the source whose head or correlations do not have the length that its
    layout asks for.
    """
    batch = SpectrumBatch.blank(len(source_id), n_bp, n_rp, correlations=correlations is not None)
    packed = None if correlations is None else PackedVectors.joined(correlations.tolist())
    unpack_into(batch, source_id, layout, PackedVectors.joined(head.tolist()), packed)
    for photometry, given in ((batch.g_mean_flux, g_mean_flux), (batch.g_mean_mag, g_mean_mag)):
        photometry[:] = np.nan if given is None else given
    return batch


def unpack_into(
    batch: SpectrumBatch, source_id: Int64[np.ndarray, " n"], layout: Int16[np.ndarray, " n"], head: PackedVectors,
    correlations: PackedVectors | None = None,
) -> None:  # fmt: skip
    """Fill the arrays of a batch of n sources, all but its photometry; with ``correlations`` if the batch has them. DataError as in
    :func:`unpack`.

    The one pass over the numbers that turns them into the machine's byte order puts them where they stay.
    """
    assert (correlations is None) == (batch.bp_correlations is None)
    batch.source_id[:] = source_id
    batch.layout[:] = layout
    _fill(batch, WITHOUT_CORRELATIONS, head)
    if correlations is not None:
        _fill(batch, CORRELATIONS, correlations)


def _fill(batch: SpectrumBatch, column: Layout, packed: PackedVectors) -> None:
    """Fill the arrays that one column of the table holds."""
    for layout, rows in _by_layout(batch.layout, column):
        expected = layout.length(batch.n_bp, batch.n_rp)
        chosen: Any = slice(None) if len(rows) == len(batch) else rows
        cells = packed.take(chosen)
        sizes = np.maximum(cells.lengths, 0)
        if (wrong := sizes != 4 * expected).any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"Source {batch.source_id[rows[row]]}: {sizes[row]} bytes of {'correlations' if column == CORRELATIONS else 'head'}, but "
                f"layout {batch.layout[rows[row]]} with {batch.n_bp} BP and {batch.n_rp} RP coefficients takes {4 * expected}: the release's "
                "contract does not fit this row."
            )
        values = cells.matrix(expected)
        at = 0
        for part in column:
            width = _width(part, batch.n_bp, batch.n_rp) if part in layout else 0
            getattr(batch, part.array)[chosen] = values[:, at : at + width] if width else np.nan
            at += width


def _by_layout(layout: Int16[np.ndarray, " n"], column: Layout) -> Iterator[tuple[Layout, Int64[np.ndarray, " rows"]]]:
    """What sources have of one column of the table, each combination of its parts with its rows."""
    if len(layout) and not (layout.min() >= 0 and layout.max() <= int(_ALL)):
        wrong = layout[(layout < 0) | (layout > int(_ALL))][0]
        raise DataError(f"Layout {wrong} has bits that no array of a spectrum stands for: they go from 0 to {int(_ALL)}.")
    parts = layout & int(column)
    for bits in np.unique(parts).tolist():
        yield Layout(bits), np.flatnonzero(parts == bits)


def _objects(cells: list[bytes]) -> Array:
    array = np.empty(len(cells), object)
    array[:] = cells
    return array
