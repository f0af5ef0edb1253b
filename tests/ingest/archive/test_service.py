"""One answer of a service: whole, cut, empty or wrong, by every way in which services say so (DALI 1.1, section 4.4.1)."""

from io import BytesIO

import pytest

from ingest.archive.politeness import PassingError
from ingest.archive.service import RefusedError, TooLargeError, results_of

ROW = "<TR><TD>1</TD></TR>"


def answer(before: str | None, after: str | None = None, rows: str = ROW, around: str = "") -> BytesIO:
    """A VOTable with a status before its table, after it, and below the root."""
    first, last, outside = (f'<INFO name="QUERY_STATUS" value="{value}">words</INFO>' if value else "" for value in (before, after, around))
    table = f'<TABLE><FIELD name="source_id" datatype="long"/><DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE>' if rows != "none" else ""
    return BytesIO(
        f'<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">{outside}<RESOURCE type="results">{first}{table}{last}</RESOURCE></VOTABLE>'.encode()
    )


@pytest.mark.parametrize(("document", "rows"), [(answer("OK"), 1), (answer(None), 1), (answer("OK", rows=""), 0), (answer("OK", "OK"), 1)],
                         ids=["one row", "no status", "empty", "twice well"])  # fmt: skip
def test_a_whole_answer_is_taken(document: BytesIO, rows: int) -> None:
    assert len(results_of(document)) == rows


@pytest.mark.parametrize(
    "document",
    [answer("OVERFLOW"), answer("OK", "OVERFLOW"), answer("OVERFLOW", "OK"), answer("overflow"), answer("OK", around="OVERFLOW")],
    ids=["before", "after", "before, and well after", "in lower case", "below the root"],
)
def test_an_answer_that_was_cut_is_never_taken(document: BytesIO) -> None:
    with pytest.raises(TooLargeError, match="cut"):
        results_of(document)


@pytest.mark.parametrize(
    ("document", "fault"),
    [(answer("ERROR", rows="none"), RefusedError), (answer("OK", "ERROR"), PassingError), (answer("ERROR", "OK"), PassingError),
     (answer("OK", rows="none"), PassingError), (BytesIO(b"<html>busy</html>"), PassingError), (BytesIO(b""), PassingError)],
    ids=["no table", "after the table", "before the table, and well after", "no table at all", "a page for people", "nothing"],
)  # fmt: skip
def test_an_error_is_none_whatever_the_status_of_http(document: BytesIO, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        results_of(document)
