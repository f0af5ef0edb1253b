"""XP coefficients with their covariances to sampled fluxes with theirs, for many stars at a time (float64).

C_flux = sum over bands of D^T diag(e) K diag(e) D, with D the band's sampling matrix, merge weights folded in, e the coefficients' errors and K
their correlations, read as they are stored. The weights so stand on both sides of each covariance (GaiaXPy 2.1.5 has them on one side, which
puts its correlations wrong between samples in the bands' overlap and the others). Where a star has but one band, its samples in the overlap
are that band's alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64

from catalog.errors import DataError
from catalog.spectra import Array, Band, SpectrumBatch
from models.numerics.xp_sampling import BANDS

BLOCK = 64
"""Stars at a time: their matrices stay in the processor's cache."""
LARGEST_CORRELATION = 1 + 1e-6
"""A triangle with a number beyond this, or one that is not finite, is no set of correlations."""
LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""The catalogue keeps float32; beyond it, squares of float64 would not be finite."""


@dataclass(frozen=True, eq=False)
class XpBand:
    """One band of n stars, checked: ``usable`` if all coefficients are finite and all errors finite and above zero.

    ``there`` and ``with_errors``: whether any coefficient, any error is there at all. Coefficients and errors are 0 where the band is not usable.
    ``correlated``: which have usable correlations.
    """

    there: Bool[np.ndarray, " n"]
    with_errors: Bool[np.ndarray, " n"]
    usable: Bool[np.ndarray, " n"]
    correlated: Bool[np.ndarray, " n"]
    coefficients: Float64[np.ndarray, "n n_coef"]
    errors: Float64[np.ndarray, "n n_coef"]
    triangle: Array | None

    @classmethod
    def of(cls, spectra: SpectrumBatch, band: Band, scale: Float64[np.ndarray, " n"] | None = None) -> "XpBand":
        """A band of a batch; errors are divided by ``scale`` where one is given, which must be finite and above zero to be usable."""
        coefficients = np.asarray(getattr(spectra, f"{band}_coefficients"), np.float64)
        errors = np.asarray(getattr(spectra, f"{band}_errors"), np.float64)
        triangle = getattr(spectra, f"{band}_correlations")
        there, with_errors = (np.asarray((~np.isnan(each)).any(axis=1)) for each in (coefficients, errors))
        # A comparison with a number that is not one is false.
        usable = np.asarray(((np.abs(coefficients) <= LARGEST_NUMBER) & (errors > 0) & (errors <= LARGEST_NUMBER)).all(axis=1))
        if scale is not None:
            usable &= (scale > 0) & (scale <= LARGEST_NUMBER)
            errors = errors / np.where(usable, scale, 1.0)[:, None]
        correlated = np.zeros(len(spectra), bool)
        if triangle is not None:
            correlated = usable & (np.abs(triangle).max(axis=1, initial=0.0) <= LARGEST_CORRELATION)
        kept = usable[:, None]
        return cls(there, with_errors, usable, correlated, np.where(kept, coefficients, 0.0), np.where(kept, errors, 0.0), triangle)


class XpSampler:
    """The sampling matrices of a release, ready for batches of stars. DataError where they do not have the samples that the weights have."""

    def __init__(
        self,
        sampling: Mapping[Band, Float64[np.ndarray, "n_coef samples"]],
        weights: Mapping[Band, Float64[np.ndarray, " samples"]],
        unit: float = 1.0,
    ) -> None:
        """``weights``: the share of each band that is folded in (merge_weights); fluxes come in ``unit`` W m-2 nm-1."""
        if lacking := [band.upper() for band in BANDS if band not in sampling]:
            raise DataError(f"There is no sampling matrix for {' and '.join(lacking)}: coefficients cannot become fluxes.")
        self._n_samples = len(weights["bp"])
        self._bands = {band: _BandSampler(band, np.asarray(sampling[band], np.float64), weights[band], unit) for band in BANDS}

    def n_coefficients(self, band: Band) -> int:
        """Number of coefficients of a band."""
        return self._bands[band].n_coef

    def present(self, bands: Mapping[Band, XpBand]) -> Bool[np.ndarray, "n samples"]:
        """Which samples each star has."""
        present = np.zeros((len(bands["bp"].usable), self._n_samples), bool)
        for band in BANDS:
            present[:, self._bands[band].samples] |= bands[band].usable[:, None]
        return present

    def blocks(
        self, bands: Mapping[Band, XpBand]
    ) -> Iterator[tuple[slice, dict[Band, Float64[np.ndarray, "rows samples"]], Float64[np.ndarray, "rows samples samples"]]]:
        """Block by block of the stars: their rows, each band's part of their flux (0 elsewhere), and the covariance of the parts' sum.

        Rows and columns of missing samples are 0. The arrays are the caller's to change, but the next block overwrites them.
        """
        n = len(bands["bp"].usable)
        part = {band: np.zeros((min(n, BLOCK), self._n_samples)) for band in BANDS}
        covariance = np.empty((min(n, BLOCK), self._n_samples, self._n_samples))
        for start in range(0, n, BLOCK):
            rows = slice(start, min(start + BLOCK, n))
            size = rows.stop - start
            covariance[:size] = 0.0
            for band, other in zip(BANDS, reversed(BANDS), strict=True):
                samples = self._bands[band].samples
                flux, own = self._bands[band].sampled(bands[band], rows, ~bands[other].usable[rows])
                part[band][:size, samples] = flux
                covariance[:size, samples, samples] += own
            yield rows, {band: part[band][:size] for band in BANDS}, covariance[:size]


class _BandSampler:
    """One band's sampling matrix where it contributes, with the memory that blocks of stars are worked on in."""

    def __init__(
        self, band: Band, matrix: Float64[np.ndarray, "n_coef samples"], weight: Float64[np.ndarray, " samples"], unit: float
    ) -> None:
        if matrix.shape[1:] != weight.shape:
            raise DataError(f"The {band.upper()} sampling matrix has the shape {matrix.shape}, but there are {len(weight)} samples.")
        inside = np.flatnonzero(weight > 0)
        self.samples = slice(int(inside[0]), int(inside[-1]) + 1)
        self.n_coef = len(matrix)
        self._matrix = torch.from_numpy(np.ascontiguousarray(matrix[:, self.samples] / unit))
        self._alone = 1 / weight[self.samples]
        self._pairs = _pairs(self.n_coef)
        self._stacked = torch.empty((BLOCK, self.n_coef + 1, self.n_coef), dtype=torch.float64)
        self._product = torch.empty((BLOCK * (self.n_coef + 1), self._matrix.shape[1]), dtype=torch.float64)

    def sampled(
        self, stars: XpBand, rows: slice, alone: Bool[np.ndarray, " rows"]
    ) -> tuple[Float64[np.ndarray, "rows own"], Float64[np.ndarray, "rows own own"]]:
        """Fluxes and their covariances in the band's own samples, by two products with the matrix that all stars share.

        ``alone``: which stars lack the other band, so that this one's weight is 1 throughout.
        """
        errors = torch.from_numpy(stars.errors[rows])
        n, n_coef = errors.shape
        # Below the coefficients' covariance, row by row, the coefficients themselves: one product serves both.
        stacked, product = self._stacked[:n], self._product[: n * (n_coef + 1)]
        scaled = stacked[:, :n_coef]
        if stars.triangle is not None:
            triangle = torch.from_numpy(np.asarray(stars.triangle[rows], np.float32))
            scaled.copy_(triangle.index_select(1, self._pairs).view(n, n_coef, n_coef))
        if not (correlated := stars.correlated[rows]).all():
            scaled[torch.from_numpy(~correlated)] = 0.0
        torch.diagonal(scaled, dim1=1, dim2=2).fill_(1.0)
        scaled *= errors[:, :, None]
        scaled *= errors[:, None, :]
        stacked[:, n_coef] = torch.from_numpy(stars.coefficients[rows])
        torch.mm(stacked.view(-1, n_coef), self._matrix, out=product)
        by_star = product.view(n, n_coef + 1, -1)
        flux, covariance = by_star[:, n_coef].numpy(), torch.matmul(self._matrix.T, by_star[:, :n_coef]).numpy()
        if alone.any():
            factor = np.where(alone[:, None], self._alone, 1.0)
            flux, covariance = flux * factor, covariance * (factor[:, :, None] * factor[:, None, :])
        return flux, covariance


def _pairs(n: int) -> torch.Tensor:
    """Where each element of an n x n matrix stands in the lower triangle without diagonal, row by row; anywhere for the diagonal."""
    row, column = np.tril_indices(n, -1)
    place = np.zeros((n, n), np.int64)
    place[row, column] = place[column, row] = np.arange(len(row))
    return torch.from_numpy(place.ravel())
