"""Random streams by purpose: each thing that is drawn has a generator of its own.

So switching one option on, or asking for more stars, leaves every other draw as it was: the sky of a seed stays the same sky.
"""

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """The random streams of one seed."""

    seed: int

    @staticmethod
    def of(rng: np.random.Generator) -> "Draws":
        """Streams whose seed is the next number of ``rng``."""
        return Draws(int(rng.integers(1 << 63)))

    def generator(self, purpose: str, block: int = 0) -> np.random.Generator:
        """The generator of a purpose and a block, always from its beginning.

        Philox is counter-based (Salmon et al. 2011, SC11); its key comes from the seed, the purpose and the block by numpy's SeedSequence.
        """
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, zlib.crc32(purpose.encode()), block])))
