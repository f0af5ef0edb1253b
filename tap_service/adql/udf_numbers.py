"""User-defined functions of numbers and times, as the IVOA's catalogue of ADQL user-defined functions (EN 1.2) describes them."""

from catalog.schema.column import ColumnType
from tap_service.adql.constants import constant
from tap_service.adql.errors import AdqlTypeError, QueryText
from tap_service.adql.typed_tree import Aggregate, Expression
from tap_service.adql.user_function import UserFunction, Values, function
from tap_service.adql.value_types import Meaning

_MOST_BINS = 10_000
"""What functions.histogram_count allows too."""


def _histogram(arguments: Values, source: QueryText, place: int) -> Expression:
    lower, upper, bins = (constant(argument) for argument in arguments[1:])
    if bins is not None and not 1 <= bins <= _MOST_BINS:
        source.fail(AdqlTypeError, f"a histogram has 1 to {_MOST_BINS} bins, not {bins}", arguments[3].place)
    if lower is not None and upper is not None and lower >= upper:
        source.fail(AdqlTypeError, f"the lower limit of a histogram lies below the upper one, but here are {lower:g} and {upper:g}", place)
    size = "*" if bins is None else str(int(bins) + 2)
    meaning = Meaning(ColumnType.INTEGER_ARRAY, size, ucd="meta.number")
    return Aggregate(meaning, "functions.histogram({0}, {1}, {2}, {3})", arguments, place=place)


NUMBER_FUNCTIONS: tuple[UserFunction, ...] = (
    function(
        "1 if two intervals overlap or touch, else 0; an interval whose lower bound is above its upper one never does.",
        (
            "ivo_interval_overlaps(a1 NUMERIC, b1 NUMERIC, a2 NUMERIC, b2 NUMERIC) -> INTEGER",
            "CAST({0} <= {1} AND {2} <= {3} AND {0} <= {3} AND {2} <= {1} AS integer)",
        ),
    ),
    function(
        "Counts of the values of a group in nbins bins of one width from lower up to upper (not included), between the number of underflows, "
        "NULLs among them, and that of overflows.",
        ("ivo_histogram(val REAL, lower REAL, upper REAL, nbins INTEGER) -> INTEGER[]", _histogram),
    ),
    function(
        "A random number from the normal distribution with mean mu and standard deviation sigma, another one for every row.",
        ("ivo_normal_random(mu REAL, sigma REAL) -> REAL", "({0} + {1} * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))"),
    ),
    function(
        "A timestamp, or text that holds one, as a Julian date.",
        ("ivo_to_jd(d TIMESTAMP) -> DOUBLE PRECISION", "CAST(extract(epoch FROM {0}) / 86400 + 2440587.5 AS double precision)"),
        unit="d",
        ucd="time.epoch",
    ),
    function(
        "A timestamp, or text that holds one, as a modified Julian date.",
        ("ivo_to_mjd(d TIMESTAMP) -> DOUBLE PRECISION", "CAST(extract(epoch FROM {0}) / 86400 + 40587 AS double precision)"),
        unit="d",
        ucd="time.epoch",
    ),
)
