"""The labels of each model's packed covariance triangle, in the triangle's order.

A triangle is the upper half of the covariance matrix, row by row (numpy.triu_indices), diagonal in, packed as big-endian float32: n labels
make n (n + 1) / 2 elements. A model is listed here once its label table has such a column; models without one are not.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """A label as its column names it; ``unit`` is a VOUnits string, None for dex and numbers without unit."""

    name: str
    unit: str | None = None


COVARIANCE_LABELS: dict[str, tuple[Label, ...]] = {
    "forward": (Label("teff", "K"), Label("feh"), Label("logg"), Label("ext", "mag"), Label("parallax", "mas")),
}
"""Model -> its labels."""


def triangle_element(labels: int, first: int, second: int) -> int:
    """The place (from 1) in the triangle of so many labels of the covariance of two of them (each from 1)."""
    low, high = min(first, second), max(first, second)
    if not 1 <= low <= high <= labels:
        raise ValueError(f"a triangle of {labels} labels has no element ({first}, {second})")
    return (low - 1) * labels - (low - 1) * (low - 2) // 2 + high - low + 1
