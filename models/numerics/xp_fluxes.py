"""XP coefficients with their covariances to sampled fluxes with theirs, for many stars at a time (float64).

C_flux = sum over bands of D^T diag(e) K diag(e) D, with D the band's sampling matrix, merge weights folded in, e the coefficients' errors and K
their correlations, read as they are stored. The weights so stand on both sides of each covariance (GaiaXPy 2.1.5 has them on one side, which
puts its correlations wrong between samples in the bands' overlap and the others). Where a star has but one band, its samples in the overlap
are that band's alone.
"""

from collections.abc import Mapping
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


@dataclass(frozen=True, eq=False)
class XpBand:
    """One band of n stars, checked: ``there`` if any coefficient is, ``usable`` if all are finite and all errors finite and above zero.

    Coefficients and errors are 0 where the band is not usable. ``correlated``: which have usable correlations.
    """

    there: Bool[np.ndarray, " n"]
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
        there = np.asarray((~np.isnan(coefficients)).any(axis=1))
        usable = np.asarray(np.isfinite(coefficients).all(axis=1) & (np.isfinite(errors) & (errors > 0)).all(axis=1))
        if scale is not None:
            usable &= np.isfinite(scale) & (scale > 0)
            errors = errors / np.where(usable, scale, 1.0)[:, None]
        correlated = np.zeros(len(spectra), bool)
        if triangle is not None:
            # A comparison with a number that is not one is false.
            correlated = usable & (np.abs(triangle).max(axis=1, initial=0.0) <= LARGEST_CORRELATION)
        kept = usable[:, None]
        return cls(there, usable, correlated, np.where(kept, coefficients, 0.0), np.where(kept, errors, 0.0), triangle)


class XpSampler:
    """The sampling matrices of a release, ready for blocks of stars. DataError where they do not have the same wavelengths."""

    def __init__(
        self,
        sampling: Mapping[Band, Float64[np.ndarray, "n_coef samples"]],
        weights: Mapping[Band, Float64[np.ndarray, " samples"]],
        unit: float = 1.0,
    ) -> None:
        """``weights``: the share of each band that is folded in (merge_weights); fluxes come in ``unit`` W m-2 nm-1."""
        self.n_samples = len(weights["bp"])
        self.samples: dict[Band, slice] = {}
        self._matrix: dict[Band, torch.Tensor] = {}
        self._pair: dict[Band, torch.Tensor] = {}
        self._alone: dict[Band, Float64[np.ndarray, " samples"]] = {}
        for band in BANDS:
            matrix = np.asarray(sampling[band], np.float64)
            if matrix.shape[1:] != (self.n_samples,):
                raise DataError(f"The {band.upper()} sampling matrix has {matrix.shape[1:]} samples where {self.n_samples} are needed.")
            inside = np.flatnonzero(weights[band] > 0)
            part = slice(int(inside[0]), int(inside[-1]) + 1)
            self.samples[band] = part
            self._matrix[band] = torch.from_numpy(np.ascontiguousarray(matrix[:, part] / unit))
            self._pair[band] = _pairs(len(matrix))
            self._alone[band] = 1 / weights[band][part]

    def n_coefficients(self, band: Band) -> int:
        """Number of coefficients of a band."""
        return len(self._matrix[band])

    def present(self, bands: Mapping[Band, XpBand]) -> Bool[np.ndarray, "n samples"]:
        """Which samples each star has."""
        present = np.zeros((len(bands["bp"].usable), self.n_samples), bool)
        for band in BANDS:
            present[:, self.samples[band]] |= bands[band].usable[:, None]
        return present

    def fluxes(
        self, bands: Mapping[Band, XpBand], rows: slice
    ) -> tuple[dict[Band, Float64[np.ndarray, "rows samples"]], Float64[np.ndarray, "rows samples samples"]]:
        """Of some of the stars: each band's part of the flux (0 elsewhere), and the covariance of their sum (0 where samples are missing)."""
        n = len(bands["bp"].usable[rows])
        flux = {band: np.zeros((n, self.n_samples)) for band in BANDS}
        covariance = np.zeros((n, self.n_samples, self.n_samples))
        for band, other in zip(BANDS, reversed(BANDS), strict=True):
            part = self.samples[band]
            own_flux, own_covariance = self._band(bands[band], rows, band)
            if (alone := bands[band].usable[rows] & ~bands[other].usable[rows]).any():
                factor = np.where(alone[:, None], self._alone[band], 1.0)
                own_flux *= factor
                own_covariance *= factor[:, :, None] * factor[:, None, :]
            flux[band][:, part] = own_flux
            covariance[:, part, part] += own_covariance
        return flux, covariance

    def _band(self, stars: XpBand, rows: slice, band: Band) -> tuple[Float64[np.ndarray, "rows own"], Float64[np.ndarray, "rows own own"]]:
        """Fluxes and covariances of a band where it contributes: two products with the sampling matrix that all stars share."""
        matrix = self._matrix[band]
        errors = torch.from_numpy(stars.errors[rows])
        n, n_coef = errors.shape
        # Below the coefficients' covariance, row by row, the coefficients themselves: one product gives both parts.
        stacked = torch.zeros((n, n_coef + 1, n_coef), dtype=torch.float64)
        scaled = stacked[:, :n_coef]
        correlated = stars.correlated[rows]
        if correlated.any() and stars.triangle is not None:
            triangle = torch.from_numpy(np.asarray(stars.triangle[rows], np.float32))
            scaled.copy_(triangle.index_select(1, self._pair[band]).view(n, n_coef, n_coef))
            if not correlated.all():
                scaled[torch.from_numpy(~correlated)] = 0.0
        torch.diagonal(scaled, dim1=1, dim2=2).fill_(1.0)
        scaled *= errors[:, :, None]
        scaled *= errors[:, None, :]
        stacked[:, n_coef] = torch.from_numpy(stars.coefficients[rows])
        product = (stacked.view(-1, n_coef) @ matrix).view(n, n_coef + 1, -1)
        covariance = torch.matmul(matrix.T, product[:, :n_coef])
        return product[:, n_coef].numpy(), covariance.numpy()


def _pairs(n: int) -> torch.Tensor:
    """Where each element of an n x n matrix stands in the lower triangle without diagonal, row by row; anywhere for the diagonal."""
    row, column = np.tril_indices(n, -1)
    place = np.zeros((n, n), np.int64)
    place[row, column] = place[column, row] = np.arange(len(row))
    return torch.from_numpy(place.ravel())
