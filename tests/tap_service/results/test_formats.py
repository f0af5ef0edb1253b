"""Names of formats in requests."""

import pytest

from tap_service.errors import ParameterError
from tap_service.results.formats import FORMATS, format_named

NAMES = {
    "votable": "application/x-votable+xml;serialization=BINARY2",
    "VOTable": "application/x-votable+xml;serialization=BINARY2",
    "votable/td": "application/x-votable+xml;serialization=TABLEDATA",
    "application/x-votable+xml": "application/x-votable+xml",
    "application/x-votable xml": "application/x-votable+xml",
    "application/x-votable+xml; serialization=tabledata": "application/x-votable+xml;serialization=TABLEDATA",
    "votable/b2": "application/x-votable+xml;serialization=BINARY2",
    "vot": "application/x-votable+xml;serialization=BINARY2",
    "votable/b": "application/x-votable+xml;serialization=BINARY",
    "application/x-votable+xml;serialization=binary": "application/x-votable+xml;serialization=BINARY",
    "votable_plain": "application/x-votable+xml;serialization=TABLEDATA",
    "text/xml": "text/xml",
    "csv": "text/csv;header=present",
    "text/csv": "text/csv;header=present",
    "text/csv; header=absent": "text/csv;header=absent",
    "tsv": "text/tab-separated-values",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_gives_its_media_type(name: str) -> None:
    assert format_named(name).media_type.startswith(NAMES[name])


@pytest.mark.parametrize("name", [name for known in FORMATS for name in (known.media_type, *known.aliases)])
def test_every_declared_name_works(name: str) -> None:
    assert format_named(name)


@pytest.mark.parametrize("name", ["fits", "application/json", "votable/zip", ""])
def test_an_unknown_name_is_answered_with_what_there_is(name: str) -> None:
    with pytest.raises(ParameterError, match="choose one of votable"):
        format_named(name)
