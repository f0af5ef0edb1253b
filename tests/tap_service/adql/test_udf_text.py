"""User-defined functions on text: the catalogue's examples and their edges."""

import pytest


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ivo_nocasematch('abcabc', 'ab%')", 1),
        ("ivo_nocasematch('ABcabc', 'ab__bc')", 1),
        ("ivo_nocasematch('abcabc', '%BC')", 1),
        ("ivo_nocasematch('abcabc', 'ABCABC')", 1),
        ("ivo_nocasematch('abcabc', 'abcab')", 0),
        ("ivo_nocasematch(NULL, 'abcab')", None),
        (r"ivo_nocasematch('a\b', 'A\B')", 1),
        (r"ivo_nocasematch('a%', 'a\%')", 0),
        ("ivo_hasword('Miller and Urey have', 'miller')", 1),
        ("ivo_hasword('shown that a primordial', 'show')", 0),
        ("ivo_hasword('shown that a primordial', 'soup')", 0),
        ("ivo_hasword('shown that a primordial', 'shown primordial')", 1),
        ("ivo_hasword('shown that a primordial', 'PRIMORDIAL, shown')", 1),
        ("ivo_hasword('shown that a primordial', 'shown soup')", 0),
        ("ivo_hasword(NULL, 'shown')", None),
        ("ivo_hashlist_has('red#green#blue', 'red')", 1),
        ("ivo_hashlist_has('Red#green#blue', 'red')", 1),
        ("ivo_hashlist_has('red#green#blue', 'GREEN')", 1),
        ("ivo_hashlist_has('red#green#blue', 're')", 0),
        ("ivo_hashlist_has('red#green#blue', 'red#green')", 0),
        ("ivo_hashlist_has('red', 'red')", 1),
        ("ivo_hashlist_has('', 'red')", 0),
        ("ivo_hashlist_has(NULL, 'red')", None),
        ("ivo_hashlist_has('', NULL)", None),
        ("ivo_hashlist_has('red', NULL)", None),
    ],
)
def test_text_functions_give_what_the_catalogues_examples_say(evaluate, expression, expected):
    assert evaluate(f"{expression} AS res") == [(expected,)]


def test_texts_of_a_group_are_joined_without_the_nulls(evaluate):
    rows = [(1, None, text, None, None, None) for text in ("a", None, "b'", "%s {0}")] + [(2, None, None, None, None, None)]
    found = evaluate("i, ivo_string_agg(s, ' <//> ') AS joined", rows, tail="GROUP BY i ORDER BY i")
    assert found[0][0] == 1 and sorted(found[0][1].split(" <//> ")) == ["%s {0}", "a", "b'"]
    assert found[1] == (2, None)
