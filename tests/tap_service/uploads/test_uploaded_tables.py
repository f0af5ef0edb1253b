"""Tables that come with a query, over HTTP: they can be read, joined, and are gone afterwards."""

from typing import Any

import httpx
import pyvo
from astropy.table import Table


def document(fields: str, rows: str) -> bytes:
    return f'<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>'.encode()


def asked(service: Any, query: str, table: bytes, **more: Any) -> httpx.Response:
    return httpx.post(
        f"{service.url}/sync",
        data={"QUERY": query, "LANG": "ADQL", "UPLOAD": "t1,param:x", **more},
        files={"x": ("x.xml", table)},
        timeout=60,
    )


def test_a_table_is_read_back(service: Any) -> None:
    answer = asked(
        service,
        "SELECT * FROM TAP_UPLOAD.t1",
        document(
            '<FIELD name="a" datatype="int"/><FIELD name="b c" datatype="char" arraysize="*"/>',
            "<TR><TD>1</TD><TD>one</TD></TR><TR><TD/><TD>two</TD></TR>",
        ),
        FORMAT="csv",
    )
    assert (answer.status_code, answer.text) == (200, 'a,b c\n1,"one"\n,"two"\n'), answer.text


def test_pyvo_uploads(service: Any) -> None:
    table = Table({"source_id": [1, 2, 3], "x": [0.5, 1.5, 2.5]})
    found = (
        pyvo.dal.TAPService(service.url)
        .search("SELECT t.x, t.source_id FROM TAP_UPLOAD.mine AS t WHERE t.x > 1", uploads={"mine": table})
        .to_table()
    )
    assert list(found["source_id"]) == [2, 3]
