"""What is known of stars before they are fitted: fluxes with whitening matrices, parallaxes; of training stars, their labels."""

from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class _Rows:
    """A dataclass of tensors with one row a star."""

    def take(self, index: Any) -> Self:
        """Some of the stars: at an index tensor, a slice, or a boolean mask."""
        tensors = (getattr(self, each.name) for each in fields(self))  # type: ignore[arg-type]
        if isinstance(index, Tensor) and index.dtype == torch.int64:
            return type(self)(*(each.index_select(0, index) for each in tensors))  # four times as fast as indexing
        return type(self)(*(each[index] for each in tensors))

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Self:
        """The same on another device or in another precision."""
        return type(self)(*(getattr(self, each.name).to(device=device, dtype=dtype) for each in fields(self)))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Observations(_Rows):
    """Fluxes and parallaxes of n stars; every number is finite but ``flux_error`` and ``parallax_error``, which are infinite where there is nothing.

    ``whitening`` is L of Eq. 4: chi2 = |L (f_pred - flux)|^2; rows and columns of missing bands are zero, and so is their flux. ``flux_error`` is
    the square root of the covariance's diagonal (Eq. 2 included). A missing parallax is 0 with an infinite error.
    """

    flux: Float[Tensor, "n bands"]
    flux_error: Float[Tensor, "n bands"]
    whitening: Float[Tensor, "n bands bands"]
    parallax: Float[Tensor, " n"]
    parallax_error: Float[Tensor, " n"]

    @property
    def present(self) -> Bool[Tensor, "n bands"]:
        """Which bands were measured."""
        return torch.isfinite(self.flux_error)


@dataclass(frozen=True, eq=False)
class KnownLabels(_Rows):
    """What surveys say of n training stars: type (kK, dex, dex) and reddening with errors; an error is infinite where nothing is known."""

    type: Float[Tensor, "n 3"]
    type_error: Float[Tensor, "n 3"]
    ext: Float[Tensor, " n"]
    ext_error: Float[Tensor, " n"]
