"""The registry of user-defined functions: what /capabilities and the guide say of them, and what a call does."""

import re

import pytest

from catalog.version import ROOT
from tap_service.adql import AdqlError, translate
from tap_service.adql.udf import UDFS
from tap_service.adql.user_function import Signature, UserFunction, function
from tap_service.table_set import TableSet

FORM = re.compile(r"[A-Za-z]\w*\((\w+ [A-Z]+( [A-Z]+)?(\[\])?(, )?)*\) -> [A-Z]+( [A-Z]+)?(\[\])?")
"""``f(a T, b T) -> T`` of TAPRegExt 1.0 section 2.3, as validators read it."""
WANTED = """ivo_healpix_index ivo_healpix_center ivo_string_agg ivo_hasword ivo_hashlist_has ivo_nocasematch ivo_interval_overlaps ivo_histogram
ivo_normal_random ivo_epoch_prop_pos ivo_geom_transform ivo_to_jd ivo_to_mjd ivo_hms_to_degrees ivo_dms_to_degrees gaia_healpix_index kiel_cov
kiel_flag kiel_sigma kiel_mahalanobis"""
GUIDE = (ROOT / "docs" / "query_guide.md").read_text()


def test_every_function_that_is_promised_is_there():
    assert {function.name for function in UDFS.values()} == set(WANTED.split())
    assert all(key == function.name.upper() for key, function in UDFS.items())


@pytest.mark.parametrize("signature", [text for function in UDFS.values() for text in function.signatures])
def test_a_signature_has_the_form_of_tapregext_and_comes_back_from_its_text(signature):
    assert FORM.fullmatch(signature)
    assert str(Signature.read(signature)) == signature


@pytest.mark.parametrize("text", ["f", "f(a)", "f(a INTEGER)", "f(a WORD) -> INTEGER", "f(a INTEGER b TEXT) -> TEXT", ""])
def test_what_is_no_signature_cannot_be_declared(text):
    with pytest.raises((ValueError, IndexError)):
        function("Nothing.", (text, "{0}"))


@pytest.mark.parametrize("found", UDFS.values(), ids=lambda found: found.name)
def test_a_function_is_described_in_a_sentence(found: UserFunction):
    assert found.description[0].isupper() or found.description[0].isdigit()
    assert found.description.endswith(".") and len(found.description) < 400
    assert len({form.signature.name for form in found.forms}) == 1


def row_of_guide(found: UserFunction) -> str:
    if len(found.forms) > 2:
        signatures = f"`{found.signatures[1]}`, with 1 to {len(found.forms)} labels"
    else:
        signatures = "<br>".join(f"`{signature}`" for signature in found.signatures)
    return f"| {signatures} | {found.description} |"


def test_the_guide_lists_the_functions_as_they_are_declared():
    rows = re.findall(r"^\| `(?:ivo|gaia|kiel)_.*$", GUIDE, re.MULTILINE)
    assert rows == [row_of_guide(found) for found in UDFS.values()]


@pytest.mark.parametrize("found", UDFS.values(), ids=lambda found: found.name)
def test_a_call_with_another_number_of_arguments_shows_the_signatures(table_set: TableSet, found: UserFunction):
    with pytest.raises(AdqlError) as caught:
        translate(f"SELECT {found.name}(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) FROM sky.main", table_set)
    assert caught.value.message.startswith(f"{found.name} is called as {found.signatures[0]}")
    assert caught.value.message.endswith("here are 11 arguments")


def test_every_function_of_the_templates_is_there(tap_reader):
    """All that the SQL of this package calls in the schema ``functions``."""
    sources = "".join(path.read_text() for path in (ROOT / "tap_service" / "adql").glob("*.py"))
    called = set(re.findall(r"functions\.(\w+)\(", sources))
    there = {name for (name,) in tap_reader.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'functions'::regnamespace")}
    assert called and called <= there


def test_functions_that_everybody_may_call_tell_what_they_do(tap_reader):
    silent = tap_reader.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'functions'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL"
    ).fetchall()
    assert silent == []
