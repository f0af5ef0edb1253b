"""The examples as DALI wants them (DALI 1.1 section 2.3: XHTML with RDFa, read by TOPCAT and pyvo), and as a section of the query guide.

``python -m tap_service.examples_page`` writes the section.
"""

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from catalog.version import ROOT
from tap_service.examples import EXAMPLES, GUIDE_SCHEMA, Example

GUIDE = ROOT / "docs" / "query_guide.md"
_GUIDE_WIDTH = 150
_BEGIN, _END = "<!-- examples: python -m tap_service.examples_page -->", "<!-- end of examples -->"

_PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en">
<head><title>Kiel: example queries</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }} pre {{ background: #f2f2f2; padding: .5em }}</style></head>
<body vocab="http://www.ivoa.net/rdf/examples#">
<h1>Example queries</h1>
<p>Each runs as it stands. Paste it into TOPCAT, pyvo or the address <code>{base}/sync</code>.</p>
{examples}
</body></html>
"""

_EXAMPLE = """<div typeof="example" id="{key}" resource="#{key}">
<h2 property="name">{name}</h2>
<p>{text}</p>
<pre property="query">{query}</pre>
<p>Tables: {tables}</p>
</div>"""


def page(examples: Iterable[Example], base: str) -> bytes:
    """The document at /examples."""
    parts = (
        _EXAMPLE.format(
            key=example.key,
            name=escape(example.name),
            text=escape(example.text),
            query=escape(example.query),
            tables=", ".join(f'<code property="table">{table}</code>' for table in example.tables),
        )
        for example in examples
    )
    return _PAGE.format(base=escape(base), examples="\n".join(parts)).encode()


def guide_section() -> str:
    """The section of the query guide."""
    parts = [_BEGIN]
    for example in EXAMPLES:
        shown = example.on(GUIDE_SCHEMA)
        indented = "\n".join(f"    {line}" for line in shown.query.splitlines())
        parts.append(f"### {shown.name}\n\n{textwrap.fill(shown.text, _GUIDE_WIDTH, break_on_hyphens=False)}\n\n{indented}")
    return "\n\n".join([*parts, _END])


def with_section(guide: str) -> str:
    """The guide with its section as it should be; ValueError if it has no place for it."""
    written, found = re.subn(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", lambda _: guide_section(), guide, flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"the guide has {found} places between {_BEGIN} and {_END}, not one")
    return written


def write_section(path: Path = GUIDE) -> None:
    """Bring the guide up to date."""
    path.write_text(with_section(path.read_text()))


if __name__ == "__main__":
    write_section()
