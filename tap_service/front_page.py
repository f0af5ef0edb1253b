"""The page that people see at the service's address."""

from html import escape
from urllib.parse import urlencode

from catalog.version import VERSION
from tap_service.address import CONES, DATALINK, TAP
from tap_service.limits import Limits
from tap_service.publication_tables import PublicationTables
from tap_service.table_set import TapTable

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Kiel: stellar labels from Gaia spectra</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }} code, pre {{ background: #f2f2f2 }}
td, th {{ text-align: left; vertical-align: top; padding: .2em 1em .2em 0 }}</style></head>
<body>
<h1>Kiel</h1>
<p>A TAP service of Gaia spectra and the stellar labels that published models give them (version {version}). Its address, for TOPCAT
(VO, Table Access Protocol), pyvo and astroquery:</p>
<pre>{tap}</pre>
<p>In Python: <code>pyvo.dal.TAPService("{tap}").search("SELECT TOP 10 * FROM tap_schema.tables")</code></p>
<p>In a browser: <a href="{list}">the list of tables as CSV</a>. <a href="{tap}/examples">Example queries</a> to begin with.</p>
<p>A query may take {seconds:g} s; a job (asynchronous query) {job_minutes:g} minutes, or up to {job_hard_minutes:g} if it asks for them. A result has at
most {default_rows:,} rows, or as many as MAXREC says up to {hard_rows:,}; one that was cut says so.</p>
<h2>Tables</h2>
{tables}
<p>A cone search takes RA, DEC and SR in degrees: <code>{root}{cones}/TABLE?RA=56.75&amp;DEC=24.12&amp;SR=0.5</code>. What there is about a source:
<code>{root}{datalink}/links?ID=SOURCE_ID</code>.</p>
<p>For programs: <a href="{tap}/capabilities">capabilities</a>, <a href="{tap}/tables">tables</a>,
<a href="{tap}/availability">availability</a>.</p>
</body></html>
"""


def front_page(root: str, limits: Limits, published: PublicationTables | None) -> str:
    """The page as HTML; ``root`` is the address that /tap follows, ``published`` is None while the database does not answer."""
    tap = escape(root + TAP)
    if published is None:
        listed = "<p>The database does not answer just now.</p>"
    else:
        rows = "\n".join(_row(escape(root), tap, table) for table in published.tables)
        listed = f"<table><tr><th>Name</th><th>What it holds</th><th></th></tr>\n{rows}\n</table>"
    asked = {"LANG": "ADQL", "FORMAT": "csv", "QUERY": "SELECT table_name, description FROM tap_schema.tables"}
    return _PAGE.format(
        version=VERSION,
        root=escape(root),
        tap=tap,
        cones=CONES,
        datalink=DATALINK,
        list=f"{tap}/sync?{escape(urlencode(asked))}",
        tables=listed,
        seconds=limits.seconds,
        job_minutes=limits.job_seconds / 60,
        job_hard_minutes=limits.job_hard_seconds / 60,
        default_rows=limits.default_rows,
        hard_rows=limits.hard_rows,
    )


def _row(root: str, tap: str, table: TapTable) -> str:
    name = escape(table.qualified_name)
    cone = f'<a href="{root}{CONES}/{name}?RA=132.85&amp;DEC=11.81&amp;SR=0.5">cone search</a>' if table.position is not None else ""
    return f'<tr><td><a href="{tap}/tables/{name}">{name}</a></td><td>{escape(table.description or "")}</td><td>{cone}</td></tr>'
