"""The page that people see at the service's address."""

from html import escape

from catalog.version import VERSION
from tap_service.address import CONES, TAP
from tap_service.limits import Limits
from tap_service.publication_tables import PublicationTables
from tap_service.table_set import TapTable

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Kiel: stellar labels from Gaia spectra</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }} code, pre {{ background: #f2f2f2 }}
td, th {{ text-align: left; vertical-align: top; padding: .2em 1em .2em 0 }}</style></head>
<body>
<h1>Kiel</h1>
<p>A TAP service of Gaia spectra and the stellar labels that published models give them (version {version}). Its address, for TOPCAT
(VO, Table Access Protocol), pyvo and astroquery:</p>
<pre>{base}</pre>
<p>In Python: <code>pyvo.dal.TAPService("{base}").search("SELECT TOP 10 * FROM tap_schema.tables")</code></p>
<p>In a browser: <a href="{base}/sync?LANG=ADQL&amp;FORMAT=csv&amp;QUERY={example}">the list of tables as CSV</a>.</p>
<p>A query may take {seconds:g} s. A result has at most {default_rows:,} rows, or as many as MAXREC says up to {hard_rows:,}; one that was cut says so.</p>
<h2>Tables</h2>
{tables}
<p><a href="{base}/examples">Examples of queries</a>. For programs: <a href="{base}/capabilities">capabilities</a>, <a href="{base}/tables">tables</a>,
<a href="{base}/availability">availability</a>.</p>
</body></html>
"""


def front_page(base: str, limits: Limits, published: PublicationTables | None) -> str:
    """The page as HTML; ``published`` is None while the database does not answer."""
    if published is None:
        listed = "<p>The database does not answer just now.</p>"
    else:
        rows = (
            f'<tr><td><a href="{escape(base)}/tables/{escape(table.qualified_name)}">{escape(table.qualified_name)}</a></td>'
            f"<td>{escape(table.description or '')}</td><td>{_cone(base, table)}</td></tr>"
            for table in published.tables
        )
        listed = "<table><tr><th>Name</th><th>What it holds</th><th>Cone search</th></tr>\n" + "\n".join(rows) + "\n</table>"
    return _PAGE.format(
        version=VERSION,
        base=escape(base),
        example="SELECT+table_name,description+FROM+tap_schema.tables",
        tables=listed,
        seconds=limits.seconds,
        default_rows=limits.default_rows,
        hard_rows=limits.hard_rows,
    )


def _cone(base: str, table: TapTable) -> str:
    """Where the table's cone search is, for TOPCAT, Aladin and pyvo; empty for a table without positions."""
    if table.position is None:
        return ""
    address = escape(f"{base.removesuffix(TAP)}{CONES}/{table.qualified_name}")
    return f'<a href="{address}?RA=132.85&amp;DEC=11.81&amp;SR=0.5">{address}</a>'
