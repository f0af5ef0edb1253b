"""How rare a number is among those of a sample, in decades: -log10 of the share of the sample that is as large or larger.

One scale for whatever is unusual about a star, whichever model looked: 0 is ordinary, 1 the uppermost tenth, 3 one in a thousand. Beyond what the
sample resolves an exponential tail goes on, so that the scale has no end and never turns back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from catalog.errors import DataError

FEWEST = 50
"""Numbers that a sample needs."""
IN_TAIL = 30
"""Numbers of the sample that the tail is measured on, but no smaller share of it than ``TAIL_SHARE``: contaminants are rarer than that."""
TAIL_SHARE = 0.003
KNOTS = 64


@dataclass(frozen=True, eq=False)
class Rarity:
    """Rising from 0 at the first knot, linear between knots; beyond the last it goes on by ``tail`` decades per unit."""

    knots: Float64[Tensor, " knots"]
    decades: Float64[Tensor, " knots"]
    tail: Float64[Tensor, ""]

    @classmethod
    def measured(cls, sample: Float[np.ndarray, " n"]) -> Self:
        """The scale of a sample; DataError for fewer than 50 finite numbers.

        The tail's scale comes from the median excess over the last knot, which a few contaminants do not move.
        """
        values = np.sort(sample[np.isfinite(sample)])
        if len(values) < FEWEST:
            raise DataError(f"a scale of rarity needs {FEWEST} finite numbers or more, not {len(values)}.")
        share = min(max(IN_TAIL / len(values), TAIL_SHARE), 0.5)
        decades = np.linspace(0.0, -np.log10(share), KNOTS)
        knots = np.quantile(values, 1 - 10.0**-decades)
        rising = np.concatenate([[True], np.diff(knots) > 0])  # of equal knots the first, which has the larger share above it
        knots, decades = knots[rising], decades[rising]
        excess = values[values > knots[-1]] - knots[-1]
        spread = np.median(excess) / np.log(2) if len(excess) else 0.0
        tail = 1 / (np.log(10) * max(spread, 1e-9 * max(1.0, abs(knots[-1]))))
        return cls(*(torch.from_numpy(np.asarray(each, np.float64)) for each in (knots, decades, tail)))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The scale of stored tensors."""
        return cls(tensors["knots"], tensors["decades"], tensors["tail"])

    def tensors(self) -> dict[str, Tensor]:
        """What to store."""
        return {"knots": self.knots, "decades": self.decades, "tail": self.tail}

    def of(self, values: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Rarity of each value; NaN for NaN."""
        knots, decades = self.knots.numpy(), self.decades.numpy()
        beyond = np.maximum(values - knots[-1], 0.0)
        return np.asarray(np.interp(values, knots, decades) + float(self.tail) * beyond)


@dataclass(frozen=True, eq=False)
class CombinedRarity:
    """One rarity of several numbers a star: that of its rarest number, on the scale that such maxima have in the sample.

    More of any number never makes a star less rare. A number that a star lacks (NaN) does not count; a star with none has NaN.
    """

    parts: tuple[Rarity, ...]
    whole: Rarity

    @classmethod
    def measured(cls, sample: Float[np.ndarray, "n k"]) -> Self:
        """The scale of a sample of stars with k numbers each."""
        parts = tuple(Rarity.measured(each) for each in sample.T)
        return cls(parts, Rarity.measured(_largest(np.column_stack([part.of(each) for part, each in zip(parts, sample.T, strict=True)]))))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], k: int) -> Self:
        """The scale of stored tensors."""

        def part(prefix: str) -> Rarity:
            return Rarity.from_tensors({name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)})

        return cls(tuple(part(f"{i}.") for i in range(k)), part("whole."))

    def tensors(self) -> dict[str, Tensor]:
        """What to store."""
        named = {**{f"{i}.": part for i, part in enumerate(self.parts)}, "whole.": self.whole}
        return {prefix + name: value for prefix, scale in named.items() for name, value in scale.tensors().items()}

    def each(self, values: Float[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
        """Rarity of each number by itself."""
        return np.column_stack([part.of(column) for part, column in zip(self.parts, values.T, strict=True)])

    def of(self, values: Float[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
        """Rarity of each star."""
        return self.whole.of(_largest(self.each(values)))


def _largest(rarities: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
    """Largest of each row, NaN left out."""
    return np.asarray(np.fmax.reduce(rarities, axis=1))
