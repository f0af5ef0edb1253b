"""Reference frames of the sky as rotations, under the names of the IVOA's vocabulary (http://www.ivoa.net/rdf/refframe).

Each frame is turned to Galactic coordinates by Euler angles from its definition, so that any two are one rotation apart:

    FK5      J2000.0: pole of the Galaxy and position angle of its centre from Reid & Brunthaler (2004, ApJ 616, 872)
    FK4      B1950.0: those that defined the system (Blaauw et al. 1960, MNRAS 121, 123); the elliptic terms of aberration are left out
    ICRS     through FK5 by the orientation of Mignard & Froeschle (2000, A&A 354, 732)
    ECLIPTIC J2000.0: the obliquity of IAU 2006, 84381.406 arcsec, from ICRS

The Gaia archive's own columns l and b follow another matrix (ESA SP-1200 volume 1, section 1.5.3), which differs by up to 0.03 arcsec.
"""

import math
import operator

Matrix = tuple[tuple[float, float, float], ...]
"""Three rows of three; applied to a column vector."""

_MAS = math.radians(1 / 3_600_000)


def _about(axis: int, angle: float) -> Matrix:
    """Axes turned by an angle (radians) about the first, second or third of them (0, 1, 2)."""
    cosine, sine = math.cos(angle), math.sin(angle)
    rows = [[0.0] * 3 for _ in range(3)]
    second, third = (axis + 1) % 3, (axis + 2) % 3
    rows[axis][axis] = 1.0
    rows[second][second] = rows[third][third] = cosine
    rows[second][third], rows[third][second] = sine, -sine
    return tuple((row[0], row[1], row[2]) for row in rows)


def _product(*matrices: Matrix) -> Matrix:
    result = matrices[0]
    for matrix in matrices[1:]:
        columns = tuple(zip(*matrix, strict=True))
        rows = [[sum(map(operator.mul, row, column)) for column in columns] for row in result]
        result = tuple((row[0], row[1], row[2]) for row in rows)
    return result


def _inverse(matrix: Matrix) -> Matrix:
    """That of a rotation: its transpose."""
    return tuple((column[0], column[1], column[2]) for column in zip(*matrix, strict=True))


def _galactic_from(pole_ra: float, pole_dec: float, centre_angle: float) -> Matrix:
    """Equatorial to Galactic: the pole's place and the position angle of the centre at the pole, degrees."""
    return _product(_about(2, math.radians(180 - centre_angle)), _about(1, math.radians(90 - pole_dec)), _about(2, math.radians(pole_ra)))


_FK5_TO_GALACTIC = _galactic_from(192.8594812065348, 27.12825118085622, 122.9319185680026)
_ICRS_TO_FK5 = _product(_about(0, 19.9 * _MAS), _about(1, 9.1 * _MAS), _about(2, -22.9 * _MAS))
_ICRS_TO_ECLIPTIC = _about(0, math.radians(84381.406 / 3600))

_TO_GALACTIC: dict[str, Matrix] = {
    "ICRS": _product(_FK5_TO_GALACTIC, _ICRS_TO_FK5),
    "FK5": _FK5_TO_GALACTIC,
    "FK4": _galactic_from(192.25, 27.4, 123.0),
    "GALACTIC": _about(0, 0.0),
    "ECLIPTIC": _product(_FK5_TO_GALACTIC, _ICRS_TO_FK5, _inverse(_ICRS_TO_ECLIPTIC)),
}

FRAMES = tuple(_TO_GALACTIC)
"""The frames that are known."""
OTHER_NAMES = {"UNKNOWNFRAME": "ICRS", "J2000": "FK5", "B1950": "FK4", "GALACTIC_II": "GALACTIC"}
"""What STC-S and older services call some of them."""


def rotation(source: str, target: str) -> Matrix:
    """The rotation from one frame to another, both of FRAMES."""
    return _product(_inverse(_TO_GALACTIC[target]), _TO_GALACTIC[source])


def rotated(matrix: Matrix, lon: float, lat: float) -> tuple[float, float]:
    """Longitude (0 to 360) and latitude, degrees, of a place in the turned axes."""
    direction = (
        math.cos(math.radians(lat)) * math.cos(math.radians(lon)),
        math.cos(math.radians(lat)) * math.sin(math.radians(lon)),
        math.sin(math.radians(lat)),
    )
    x, y, z = (row[0] * direction[0] + row[1] * direction[1] + row[2] * direction[2] for row in matrix)
    return math.degrees(math.atan2(-y, -x)) + 180.0, math.degrees(math.atan2(z, math.hypot(x, y)))
