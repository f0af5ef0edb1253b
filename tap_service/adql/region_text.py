"""Regions written as text: the literals of REGION, and DALI's lists of numbers.

REGION takes what people mean by it: STC-S (IVOA Note "STC-S: Space-Time Coordinate Metadata Linear String Implementation" 1.33) of one simple
shape: Position, Circle, Box or Polygon, with an optional frame, reference position and flavour, and ``unit deg``.
"""

import math
from dataclasses import dataclass

from tap_service.adql.frames import FRAMES, OTHER_NAMES

_SHAPES = {"POSITION": "POINT", "POINT": "POINT", "CIRCLE": "CIRCLE", "BOX": "BOX", "POLYGON": "POLYGON"}
_COUNTS = {"POINT": 2, "CIRCLE": 3, "BOX": 4}
_REFERENCES = (
    "GEOCENTER",
    "BARYCENTER",
    "HELIOCENTER",
    "TOPOCENTER",
    "LSR",
    "LSRK",
    "LSRD",
    "GALACTIC_CENTER",
    "RELOCATABLE",
    "UNKNOWNREFPOS",
)
_COMPOUND = (
    "UNION",
    "INTERSECTION",
    "DIFFERENCE",
    "NOT",
    "ELLIPSE",
    "CONVEX",
    "ALLSKY",
    "POSITIONINTERVAL",
    "TIME",
    "SPECTRAL",
    "REDSHIFT",
    "MOC",
)


class RegionTextError(ValueError):
    """A text that is no region here; ``valid`` where it may well be one elsewhere."""

    def __init__(self, message: str, valid: bool = False) -> None:
        super().__init__(message)
        self.valid = valid


@dataclass(frozen=True)
class WrittenRegion:
    """What a text says: POINT, CIRCLE, BOX or POLYGON, its frame, and its numbers in degrees."""

    kind: str
    frame: str
    numbers: tuple[float, ...]


def read_stcs(text: str) -> WrittenRegion:
    """A region of STC-S; RegionTextError with what there is."""
    words = text.replace(",", " ").split()
    shape = words[0].upper() if words else ""
    if shape in _COMPOUND:
        raise RegionTextError(
            f"a region {words[0]} is not supported; combine CONTAINS and INTERSECTS of simple ones by AND and OR", valid=True
        )
    if shape not in _SHAPES:
        raise RegionTextError(
            f"{text!r} is no region; write 'Position lon lat', 'Circle lon lat radius', 'Box lon lat width height' or 'Polygon lon1 lat1 ...'"
        )
    kind, words = _SHAPES[shape], words[1:]
    frame = words.pop(0).upper() if words and words[0].upper() in (*FRAMES, *OTHER_NAMES) else "ICRS"
    if words and words[0].upper() in _REFERENCES:
        del words[0]
    if words and words[0].upper().startswith(("SPHERICAL", "CARTESIAN")):
        if words[0].upper() != "SPHERICAL2":
            raise RegionTextError(f"coordinates {words[0]} are not supported; regions are on the sky, SPHERICAL2", valid=True)
        del words[0]
    if len(words) > 1 and words[-2].lower() == "unit":
        if words[-1].lower() != "deg":
            raise RegionTextError(f"a region in {words[-1]} is not supported; write degrees", valid=True)
        del words[-2:]
    return WrittenRegion(kind, frame, _numbers(kind, words, text))


def read_dali(kind: str, text: str) -> WrittenRegion:
    """A POINT, CIRCLE or POLYGON as its numbers with spaces between (DALI 1.1 section 3.3)."""
    return WrittenRegion(kind, "ICRS", _numbers(kind, text.split(), text))


def _numbers(kind: str, words: list[str], text: str) -> tuple[float, ...]:
    numbers = []
    for word in words:
        try:
            numbers.append(float(word))
        except ValueError:
            raise RegionTextError(f"{word!r} in {text!r} is no number") from None
        if not math.isfinite(numbers[-1]):
            raise RegionTextError(f"{word} in {text!r} is no place")
    if len(numbers) != _COUNTS.get(kind, len(numbers)) or (kind == "POLYGON" and (len(numbers) < 6 or len(numbers) % 2)):
        wanted = _COUNTS.get(kind, "six or more, in pairs")
        raise RegionTextError(f"the numbers of a {kind} are {wanted}, but {text!r} has {len(numbers)}")
    return tuple(numbers)
