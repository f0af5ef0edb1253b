"""User-defined functions of numbers and times: the catalogue's examples, and numpy as the oracle."""

import re
import statistics

import numpy as np
import psycopg
import pytest
from astropy.time import Time

from tap_service.adql import AdqlError, translate
from tap_service.table_set import TableSet


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ("-3, -2, 2, 3", 0),
        ("-2, 55.3, 2, 3", 1),
        ("2, 3, -2, 55.3", 1),
        ("-2, 55.3, 3, 2", 0),
        ("3, 2, -2, 55.3", 0),
        ("-2, 2, 2, 3", 1),
        ("2, 3, -2, 2", 1),
        ("9007199254740992, 9007199254740992, 9007199254740993, 9007199254740994", 0),
        ("NULL, 2, 2, 3", None),
        ("NULL, 2, 3, 2", 0),
    ],
)
def test_intervals_overlap_as_in_the_catalogues_examples(evaluate, bounds, expected):
    assert evaluate(f"ivo_interval_overlaps({bounds}) AS res") == [(expected,)]


def test_a_histogram_counts_what_numpy_counts(evaluate):
    rng = np.random.default_rng(3)
    values = [*rng.normal(2, 1.5, 500).tolist(), 0.5, 3.5, 1.0, None, float("nan"), float("inf"), float("-inf")]
    rows = [(None, value, None, None, None, None) for value in values]
    ((packed,),) = evaluate("ivo_histogram(x, 0.5, 3.5, 8) AS h", rows)
    counts = np.frombuffer(packed, ">i4")
    numbers = np.array([value for value in values if value is not None])
    inside = numbers[(numbers >= 0.5) & (numbers < 3.5)]
    assert counts[1:-1].tolist() == np.histogram(inside, 8, (0.5, 3.5))[0].tolist()
    assert counts[0] == (numbers < 0.5).sum() + 1, "NULL is an underflow"
    assert counts[-1] == len(values) - counts[:-1].sum()


def test_a_histogram_is_made_for_every_group_and_of_any_expression(evaluate):
    rows = [(i % 2, float(i), None, None, None, None) for i in range(10)]
    found = evaluate("i, ivo_histogram(x * 10, i, 100 + i, 4) AS h", rows, tail="GROUP BY i ORDER BY i")
    for i, h in found:
        values = np.array([x * 10 for k, x, *_ in rows if k == i])
        assert np.frombuffer(h, ">i4")[1:-1].tolist() == np.histogram(values, 4, (i, 100 + i))[0].tolist()


@pytest.mark.parametrize(("bins", "size"), [("8", "10"), ("visits", "*")])
def test_a_histogram_is_an_array_of_int_whose_size_is_known_where_it_is_written(table_set: TableSet, bins, size):
    (column,) = translate(f"SELECT ivo_histogram(ra, 0, 1, {bins}) FROM sky.main GROUP BY visits", table_set).columns
    assert (column.datatype, column.arraysize) == ("int", size)


def test_histograms_of_parts_of_a_group_add_up(tap_reader):
    add = "SELECT functions.histogram_together(%s, %s)"
    assert tap_reader.execute(add, ([1, 2, 3], [10, 20, 30])).fetchone() == ([11, 22, 33],)
    assert tap_reader.execute(add, (None, [10, 20])).fetchone() == ([10, 20],)
    assert tap_reader.execute(add, ([1, 2], None)).fetchone() == ([1, 2],)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("ivo_histogram(ra, 0, 1, 0)", "a histogram has 1 to 10000 bins, not 0"),
        ("ivo_histogram(ra, 0, 1, 10001)", "a histogram has 1 to 10000 bins"),
        ("ivo_histogram(ra, 1, 1, 5)", "the lower limit of a histogram lies below the upper one, but here are 1 and 1"),
        ("ivo_histogram(name, 0, 1, 5)", "val of ivo_histogram is a number, but this is text"),
        ("ivo_histogram(ra, 0, 1, 5.5)", "nbins of ivo_histogram is a whole number"),
        ("ivo_to_jd(3)", "d of ivo_to_jd is a timestamp, or text that holds one, but this is a whole number"),
        ("ivo_to_jd('yesterday')", "'yesterday' is no timestamp; write YYYY-MM-DD"),
        ("ivo_interval_overlaps(1, 2, name, 4)", "a2 of ivo_interval_overlaps is a number, but this is text"),
        ("ivo_normal_random(1)", "ivo_normal_random is called as ivo_normal_random(mu REAL, sigma REAL) -> REAL"),
        ("ivo_normal_random(DISTINCT 1, 2)", "IVO_NORMAL_RANDOM takes neither DISTINCT nor *"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_should_be(table_set: TableSet, expression, message):
    with pytest.raises(AdqlError, match=re.escape(message)):
        translate(f"SELECT {expression} FROM sky.main", table_set)


@pytest.mark.parametrize(("lower", "bins"), [("i", "3"), ("0", "i")])
def test_limits_that_only_the_rows_tell_are_checked_there(evaluate, lower, bins):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="1 to 10000 bins"):
        evaluate(f"ivo_histogram(x, {lower}, 0.5, {bins}) AS h", [(0 if bins == "i" else 7, 1.0, None, None, None, None)])


def test_normal_random_numbers_have_their_mean_and_deviation_and_differ(evaluate):
    rows = [(None, None, None, None, None, None)] * 4000
    found = [value for (value,) in evaluate("ivo_normal_random(10, 5) AS res", rows)]
    assert len(set(found)) > 3990
    assert statistics.fmean(found) == pytest.approx(10, abs=0.5) and statistics.stdev(found) == pytest.approx(5, abs=0.4)
    assert sum(abs(value - 10) > 15 for value in found) == pytest.approx(4000 * 0.0027, abs=11)


@pytest.mark.parametrize(
    "moment", ["2000-01-02T12:00:00", "1910-12-31T06:00:00", "2016-01-01T00:00:00.123456", "1858-11-17", "2024-02-29T23:59:59Z"]
)
def test_julian_dates_are_astropys_for_a_literal_a_cast_a_text_and_a_column(evaluate, moment):
    expected = Time(moment.removesuffix("Z"), scale="tai")  # no leap seconds: the catalogue's function is naive
    row = (None, None, moment, moment, None, None)
    for argument in (f"'{moment}'", f"CAST('{moment}' AS TIMESTAMP)", "s", "seen"):
        ((jd, mjd),) = evaluate(f"ivo_to_jd({argument}) AS jd, ivo_to_mjd({argument}) AS mjd", [row])
        assert jd == pytest.approx(expected.jd, abs=1e-9) and mjd == pytest.approx(expected.mjd, abs=1e-11)


def test_julian_dates_of_the_catalogues_examples(evaluate):
    examples = "ivo_to_jd(CAST('2000-01-02T12:00:00' AS TIMESTAMP)) AS a, ivo_to_jd('1910-12-31T06:00:00') AS b, ivo_to_mjd('1910-12-31T06:00:00') AS c"
    assert evaluate(f"{examples}, ivo_to_jd(NULL) AS d, ivo_to_mjd(NULL) AS e") == [(2451546.0, 2419036.75, 19036.25, None, None)]
