"""User-defined functions of labels: the models' covariances and quality flags by their names.

They know what catalog/labels and catalog/quality describe: a model that is listed there can be asked about, any other is an error with
the ones that can. Names stand in the query as literals and are looked up while it is translated.
"""

from collections.abc import Iterable

from catalog.labels import COVARIANCE_LABELS, Label, triangle_element
from catalog.quality import QUALITY_FLAGS, masks
from catalog.schema.column import ColumnType
from tap_service.adql.errors import AdqlNameError, AdqlTypeError, QueryText
from tap_service.adql.typed_tree import Constant, Expression, Operation
from tap_service.adql.user_function import Form, Signature, UserFunction, Values, function
from tap_service.adql.value_types import Meaning
from tap_service.names import close_names

_MOST_LABELS = 6
"""Labels of one combination or distance: the signatures are declared one by one."""


def _name(value: Expression, what: str, known: Iterable[str], source: QueryText) -> str:
    """A known name in quotes, without regard to case; AdqlNameError with the likeliest one and with all there are."""
    names = tuple(known)
    if not isinstance(value, Constant) or not isinstance(value.value, str):
        source.fail(AdqlTypeError, f"the {what} is written in quotes, such as '{names[0] if names else what}'", value.place)
    for name in names:
        if name.casefold() == value.value.strip().casefold():
            return name
    near = close_names(value.value, names, 1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    there = f"there are {', '.join(names)}" if names else "no model has one yet"
    return source.fail(AdqlNameError, f"there is no {what} {value.value!r}; {guess}{there}", value.place)


def _labels(model: Expression, triangle: Expression, source: QueryText) -> tuple[Label, ...]:
    """The labels of a model; AdqlTypeError if the column cannot be its triangle."""
    name = _name(model, "model with covariances", COVARIANCE_LABELS, source)
    labels = COVARIANCE_LABELS[name]
    elements, size = len(labels) * (len(labels) + 1) // 2, triangle.meaning.arraysize
    if size not in (None, "*", str(elements)):
        message = f"the covariances of {name} are {elements} numbers, but this column has {size}"
        source.fail(AdqlTypeError, message, triangle.place)
    return labels


def _place(label: Expression, labels: tuple[Label, ...], source: QueryText) -> int:
    """The place of a label (from 1)."""
    names = [label.name for label in labels]
    return names.index(_name(label, "label", names, source)) + 1


def _different(places: list[int], labels: Values, source: QueryText) -> None:
    for number, place in enumerate(places):
        if place in places[:number]:
            source.fail(AdqlTypeError, "each label stands here once", labels[number].place)


def _together(first: str | None, second: str | None) -> str | None:
    """The unit of a product of two labels."""
    if first == second and first is not None:
        return f"{first}**2"
    return first or second if first is None or second is None else f"{first}.{second}"


def _covariance(arguments: Values, source: QueryText, place: int) -> Expression:
    labels = _labels(arguments[0], arguments[1], source)
    first, second = (_place(label, labels, source) for label in arguments[2:])
    element = triangle_element(len(labels), first, second)
    unit = _together(labels[first - 1].unit, labels[second - 1].unit)
    meaning = Meaning.of(ColumnType.REAL, unit, "stat.variance" if first == second else "stat.covariance")
    return Operation(meaning, f"functions.vector_element({{0}}, {element})", (arguments[1],), place=place)


def _sigma(arguments: Values, source: QueryText, place: int) -> Expression:
    labels = _labels(arguments[0], arguments[1], source)
    names, weights = arguments[2::2], arguments[3::2]
    places = [_place(name, labels, source) for name in names]
    _different(places, names, source)
    units = {labels[place_ - 1].unit for place_ in places}
    meaning = Meaning.of(ColumnType.DOUBLE, units.pop() if len(units) == 1 else None, "stat.error")
    given = ", ".join(f"{{{number}}}" for number in range(1, len(weights) + 1))
    template = f"functions.combination_error({{0}}, {len(labels)}, {_array(places)}, ARRAY[{given}])"
    return Operation(meaning, template, (arguments[1], *weights), place=place)


def _mahalanobis(arguments: Values, source: QueryText, place: int) -> Expression:
    own, other = _labels(arguments[0], arguments[1], source), _labels(arguments[2], arguments[3], source)
    names, values, others = arguments[4::3], arguments[5::3], arguments[6::3]
    places = [_place(name, own, source) for name in names]
    other_places = [_place(name, other, source) for name in names]
    _different(places, names, source)
    for name, first, second in zip(names, places, other_places, strict=True):
        if own[first - 1].unit != other[second - 1].unit:
            message = f"the two models give this label in different units, {own[first - 1].unit} and {other[second - 1].unit}"
            source.fail(AdqlTypeError, message, name.place)
    differences = ", ".join(f"{{{2 + 2 * number}}} - {{{3 + 2 * number}}}" for number in range(len(names)))
    template = (
        f"functions.mahalanobis({{0}}, {len(own)}, {_array(places)}, {{1}}, {len(other)}, {_array(other_places)}, ARRAY[{differences}])"
    )
    pairs = (value for pair in zip(values, others, strict=True) for value in pair)
    return Operation(Meaning.of(ColumnType.DOUBLE), template, (arguments[1], arguments[3], *pairs), place=place)


def _array(places: list[int]) -> str:
    return f"ARRAY[{', '.join(map(str, places))}]"


def _flag(arguments: Values, source: QueryText, place: int) -> Expression:
    model = _name(arguments[0], "model with flags", QUALITY_FLAGS, source)
    mask = masks(model)[_name(arguments[2], f"flag of {model}", masks(model), source)]
    meaning = Meaning.of(ColumnType.INTEGER, None, "meta.code.qual")
    return Operation(meaning, f"CAST(({{0}} & {mask}) <> 0 AS integer)", (arguments[1],), place=place)


def _sigma_form(count: int) -> Form:
    pairs = ", ".join(f"label{number} TEXT, weight{number} DOUBLE PRECISION" for number in range(1, count + 1))
    return Form(Signature.read(f"kiel_sigma(model TEXT, covariance REAL[], {pairs}) -> DOUBLE PRECISION"), _sigma)


def _mahalanobis_form(count: int) -> Form:
    triples = ", ".join(
        f"label{number} TEXT, value{number} DOUBLE PRECISION, other_value{number} DOUBLE PRECISION" for number in range(1, count + 1)
    )
    text = f"kiel_mahalanobis(model TEXT, covariance REAL[], other_model TEXT, other_covariance REAL[], {triples}) -> DOUBLE PRECISION"
    return Form(Signature.read(text), _mahalanobis)


LABEL_FUNCTIONS: tuple[UserFunction, ...] = (
    function(
        "The covariance of two labels of a model, out of its packed triangle; of one label twice, its variance.",
        ("kiel_cov(model TEXT, covariance REAL[], label1 TEXT, label2 TEXT) -> REAL", _covariance),
    ),
    function(
        "1 if the named bit of a model's quality_flags is set, else 0.",
        ("kiel_flag(model TEXT, quality_flags BIGINT, flag TEXT) -> INTEGER", _flag),
    ),
    UserFunction(
        "kiel_sigma",
        "The standard error of weight1 * label1 + weight2 * label2 + ... by a model's covariances, 1 to 6 labels.",
        tuple(_sigma_form(count) for count in range(1, _MOST_LABELS + 1)),
    ),
    UserFunction(
        "kiel_mahalanobis",
        "The distance between two models' values of 1 to 6 labels in units of their joint error: sqrt(d' (C1 + C2)^-1 d); NULL where the sum "
        "of the covariances is not positive definite.",
        tuple(_mahalanobis_form(count) for count in range(1, _MOST_LABELS + 1)),
    ),
)
