"""The models' covariances and flags by name, against numpy."""

import re

import numpy as np
import pytest

from catalog import labels
from catalog.labels import Label, triangle_element
from catalog.quality import QUALITY_FLAGS
from tap_service.adql import AdqlError, translate
from tap_service.table_set import TableSet, TapColumn, TapTable

ONE = (Label("teff", "K"), Label("logg"), Label("fe_h"), Label("alpha_fe"))
OTHER = (Label("fe_h"), Label("teff", "K"), Label("logg"))
IN_KILOKELVIN = (Label("teff", "kK"),)


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three models with triangles: what the functions know of models is this description alone."""
    for name, described in (("one", ONE), ("other", OTHER), ("kilokelvin", IN_KILOKELVIN)):
        monkeypatch.setitem(labels.COVARIANCE_LABELS, name, described)


def matrix(size, seed):
    """A covariance matrix with errors of very different size, as float32 rounds it."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size + 2)) * np.geomspace(100, 0.01, size)[:, None]
    return (root @ root.T).astype(np.float32).astype(float)


def triangle(covariance):
    return covariance[np.triu_indices(len(covariance))].astype(">f4").tobytes()


def row(packed, x=None, i=None):
    return (i, x, None, None, packed, None)


@pytest.mark.parametrize("size", range(1, 8))
def test_elements_stand_where_numpys_upper_triangle_has_them(size):
    places = {pair: number for number, pair in enumerate(zip(*np.triu_indices(size), strict=True), 1)}
    for (first, second), place in places.items():
        assert triangle_element(size, first + 1, second + 1) == triangle_element(size, second + 1, first + 1) == place


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 5), (5, 5)])
def test_a_label_beyond_the_triangle_is_an_error(first, second):
    with pytest.raises(ValueError, match="a triangle of 4 labels has no element"):
        triangle_element(4, first, second)


def test_every_covariance_comes_out_of_the_triangle(evaluate):
    covariance = matrix(4, 1)
    names = [label.name for label in ONE]
    for i, first in enumerate(names):
        selected = ", ".join(f"kiel_cov('one', c, '{first}', '{second}') AS c{j}" for j, second in enumerate(names))
        (found,) = evaluate(selected, [row(triangle(covariance))])
        assert np.float32(found).tolist() == np.float32(covariance[i]).tolist()
    assert evaluate("kiel_cov('ONE', c, 'TEFF', 'logg') AS c") == [(None,)]
    assert evaluate("kiel_cov('one', c, 'alpha_fe', 'alpha_fe') AS c", [row(triangle(covariance)[:-4])]) == [(None,)]


@pytest.mark.parametrize(
    ("expression", "unit", "ucd"),
    [
        ("kiel_cov('one', cov, 'teff', 'logg')", "K", "stat.covariance"),
        ("kiel_cov('one', cov, 'logg', 'teff')", "K", "stat.covariance"),
        ("kiel_cov('one', cov, 'teff', 'teff')", "K**2", "stat.variance"),
        ("kiel_cov('one', cov, 'logg', 'fe_h')", None, "stat.covariance"),
        ("kiel_sigma('one', cov, 'teff', 2)", "K", "stat.error"),
        ("kiel_sigma('one', cov, 'logg', 1, 'fe_h', 1)", None, "stat.error"),
        ("kiel_sigma('one', cov, 'logg', 1, 'teff', 1)", None, "stat.error"),
        ("kiel_flag('scatter_vae', quality_flags, 'incomplete')", None, "meta.code.qual"),
    ],
)
def test_values_have_the_unit_of_their_labels(expression, unit, ucd):
    table = TapTable("labels", "one", None, (TapColumn("cov", "float", "10"), TapColumn("quality_flags", "int")), permanent="x")
    (column,) = translate(f"SELECT {expression} FROM labels.one", TableSet(1, (table,))).columns
    assert (column.unit, column.ucd) == (unit, ucd)


@pytest.mark.parametrize("weights", [{"teff": 1.0}, {"teff": 0.001, "logg": -2}, {"fe_h": 1, "alpha_fe": 0.75, "teff": 1e-4}, {"logg": 0}])
def test_the_error_of_a_combination_is_that_of_numpy(evaluate, weights):
    covariance, names = matrix(4, 2), [label.name for label in ONE]
    given = ", ".join(f"'{name}', {weight}" for name, weight in weights.items())
    w = np.array([weights.get(name, 0.0) for name in names])
    ((sigma,),) = evaluate(f"kiel_sigma('one', c, {given}) AS s", [row(triangle(covariance))])
    assert sigma == pytest.approx(np.sqrt(w @ covariance @ w), rel=1e-6)


def test_weights_may_be_columns_and_what_is_missing_makes_null(evaluate):
    covariance = matrix(4, 2)
    packed = triangle(covariance)
    found = evaluate("kiel_sigma('one', c, 'teff', x) AS s", [row(packed, 3.0), row(packed), row(None, 3.0), row(packed[:-8], 3.0)])
    assert found[0][0] == pytest.approx(3 * np.sqrt(covariance[0, 0]), rel=1e-6) and found[1:] == [(None,)] * 3


def test_a_combination_that_cancels_has_no_error_and_an_impossible_triangle_no_number(evaluate):
    same = np.full((4, 4), np.float64(np.float32(0.1)))
    impossible = np.array([[1.0, 5, 0, 0], [5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert evaluate("kiel_sigma('one', c, 'teff', 1, 'logg', -1) AS s", [row(triangle(same)), row(triangle(impossible))]) == [
        (0.0,),
        (None,),
    ]


SHARED = ["teff", "logg", "fe_h"]


@pytest.mark.parametrize("shared", [SHARED[:1], SHARED[1:], SHARED, SHARED[::-1]])
def test_the_distance_of_two_models_is_that_of_numpy(evaluate, tap_reader, shared):
    own, other = matrix(4, 3), matrix(3, 4)
    in_own = [[label.name for label in ONE].index(name) for name in shared]
    in_other = [[label.name for label in OTHER].index(name) for name in shared]
    values, others = np.arange(1.0, 1 + len(shared)), np.arange(len(shared), 0, -1) * 0.5
    together = own[np.ix_(in_own, in_own)] + other[np.ix_(in_other, in_other)]
    difference = values - others
    expected = np.sqrt(difference @ np.linalg.solve(together, difference))
    # The second triangle stands in another row: both are read in a join of the table with itself.
    given = ", ".join(f"'{name}', {value}, {another}" for name, value, another in zip(shared, values, others, strict=True))
    expression = f"kiel_mahalanobis('one', v.c, 'other', w.c, {given}) AS d"
    ((found,),) = evaluate(expression, [row(triangle(own), i=1), row(triangle(other), i=2)], tail="JOIN t.v AS w ON v.i = 1 AND w.i = 2")
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "covariance",
    [np.zeros((3, 3)), -np.eye(3), np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]), np.diag([1, np.nan, 1]), np.diag([1.0, 0, 1])],
)
def test_no_distance_is_told_where_the_covariance_is_not_positive_definite(evaluate, covariance):
    given = "'fe_h', 1, 2, 'teff', 3, 4, 'logg', 1, 1"
    expression = f"kiel_mahalanobis('other', c, 'other', c, {given}) AS d"
    assert evaluate(expression, [row(triangle(covariance)), row(None), row(b"\0" * 20)]) == [(None,)] * 3


def test_named_bits_are_read_from_flags(evaluate):
    flags = QUALITY_FLAGS["scatter_vae"]
    for flag in flags:
        rows = [row(None, i=value) for value in (0, flag.mask, 127, 127 - flag.mask, None)]
        found = evaluate(f"kiel_flag('scatter_vae', i, '{flag.name}') AS f", rows)
        assert [value for (value,) in found] == [0, 1, 1, 0, None]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "kiel_cov('onne', cov, 'teff', 'logg')",
            "there is no model with covariances 'onne'; did you mean 'one'? there are forward, one, other, kilokelvin",
        ),
        ("kiel_cov('one', NULL, 'tef', 'logg')", "there is no label 'tef'; did you mean 'teff'? there are teff, logg, fe_h, alpha_fe"),
        ("kiel_cov('other', cov, 'teff', 'logg')", "the covariances of other are 6 numbers, but this column has 3"),
        ("kiel_cov(name, cov, 'teff', 'logg')", "the model with covariances is written in quotes, such as 'forward'"),
        ("kiel_cov('one', mag, 'teff', 'logg')", "covariance of kiel_cov is an array column of packed numbers, but this is a number"),
        (
            "kiel_cov('one', cov, 'teff')",
            "kiel_cov is called as kiel_cov(model TEXT, covariance REAL[], label1 TEXT, label2 TEXT) -> REAL; here are 3",
        ),
        ("kiel_sigma('kilokelvin', NULL, 'teff', 1, 'teff', 2)", "each label stands here once"),
        ("kiel_sigma('one', NULL, 'teff', 'logg')", "weight1 of kiel_sigma is a number, but this is text"),
        ("kiel_mahalanobis('one', NULL, 'other', NULL, 'alpha_fe', 1, 2)", "there is no label 'alpha_fe'"),
        ("kiel_mahalanobis('one', NULL, 'kilokelvin', NULL, 'teff', 1, 2)", "the two models give this label in different units, K and kK"),
        ("kiel_flag('scatter', flags, 'incomplete')", "there is no model with flags 'scatter'; did you mean 'scatter_vae'?"),
        (
            "kiel_flag('scatter_vae', flags, 'incomplet')",
            "there is no flag of scatter_vae 'incomplet'; did you mean 'incomplete'? there are flux_from_g_mag",
        ),
        ("kiel_flag('scatter_vae', ra, 'incomplete')", "quality_flags of kiel_flag is a whole number, but this is a number"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(table_set: TableSet, expression, message):
    with pytest.raises(AdqlError, match=re.escape(message)):
        translate(f"SELECT {expression} FROM sky.main", table_set)


def test_without_any_triangle_the_error_says_so(table_set: TableSet, monkeypatch):
    for name in list(labels.COVARIANCE_LABELS):
        monkeypatch.delitem(labels.COVARIANCE_LABELS, name)
    with pytest.raises(AdqlError, match="there is no model with covariances 'scatter_vae'; no model has one yet"):
        translate("SELECT kiel_cov('scatter_vae', cov, 'teff', 'logg') FROM sky.main", table_set)
