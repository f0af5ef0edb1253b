"""Bytes read as choices: what the generators of queries decide by.

A byte string is what hypothesis draws fast, shortens and lowers well; and what a seed or a file can hold. Where the bytes have ended
every choice is the first one, so alternatives are listed simplest first and a short string makes a small query.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Decisions read one after the other from bytes."""

    def __init__(self, entropy: bytes) -> None:
        self._entropy = entropy
        self._at = 0

    def below(self, count: int) -> int:
        """A number from 0 to count - 1; count is at most 256."""
        if self._at >= len(self._entropy):
            return 0
        self._at += 1
        return self._entropy[self._at - 1] * count >> 8

    def of(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """True about so often; False at the end of the bytes."""
        return self.below(100) >= 100 - percent

    def weighted(self, options: Sequence[tuple[int, T]]) -> T:
        """One of the options, each as often as its weight says (sum at most 256)."""
        number = self.below(sum(weight for weight, _ in options))
        for weight, option in options:
            if number < weight:
                return option
            number -= weight
        raise AssertionError("the weights do not add up")
