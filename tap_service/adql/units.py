"""Units of values in VOUnits 1.0: of products and quotients, and the factor from one to another.

Products are worked out on the text, without a library that takes a second to load; what is not a plain product of powers has no product.
"""

import functools
import math
import re
import warnings

_FACTOR = re.compile(r"([A-Za-z]+|'[^']+')(?:\*\*\(?([-+]?\d+)\)?)?")


def _powers(unit: str) -> dict[str, int] | None:
    """``mas.yr**-1`` as {mas: 1, yr: -1}; None for a unit that is more than a product of whole powers, with at most one slash."""
    powers: dict[str, int] = {}
    above, slash, below = unit.partition("/")
    for part, sign in ((above, 1), (below, -1)):
        for factor in part.split(".") if part else ():
            match = _FACTOR.fullmatch(factor.strip())
            if match is None:
                return None
            powers[match[1]] = powers.get(match[1], 0) + sign * int(match[2] or 1)
    if slash and ("/" in below or "." in below or not above):
        return None
    return {name: power for name, power in powers.items() if power}


def product(left: str | None, right: str | None, sign: int = 1) -> str | None:
    """The unit of a product (``sign`` 1) or quotient (-1) of two values; None where there is none, or none that can be told."""
    if right is None:
        return left
    powers, others = _powers(left) if left is not None else {}, _powers(right)
    if powers is None or others is None:
        return None
    for name, power in others.items():
        powers[name] = powers.get(name, 0) + sign * power
    return ".".join(name if power == 1 else f"{name}**{power}" for name, power in powers.items() if power) or None


def _exact(factor: float) -> float:
    """The short decimal number that a product of factors missed by its rounding: 3600000 for 3599999.9999999995."""
    short = float(f"{factor:.13g}")
    return short if abs(short - factor) <= 4 * math.ulp(factor) else factor


@functools.lru_cache(maxsize=256)
def conversion_factor(given: str, wanted: str) -> float | str:
    """What a value in one unit is multiplied by to be in another; or the sentence why it cannot be."""
    from astropy import units  # slow to load, and few queries need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", units.UnitsWarning)  # deprecated units are units
        try:
            target = units.Unit(wanted, format="vounit")
        except (ValueError, TypeError):
            return f"{wanted!r} is no unit of VOUnits; write deg, arcsec, mas.yr**-1, km/s, K, mag"
        try:
            return _exact(float(units.Unit(given, format="vounit").to(target)))
        except units.UnitConversionError:
            return f"a value in {given} cannot be given in {wanted!r}"
        except (ValueError, TypeError, ArithmeticError):
            return f"{given}, the unit of this value, is none that can be converted"
