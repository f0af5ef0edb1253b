"""DataLink (DataLink 1.1): at /datalink/links, what there is about each source: its spectra, labels, and rows of other tables.

A link is the address of a query at /sync that gives the rows. Only what is there is linked: one statement looks all identifiers up in all
tables. An identifier is a source_id, of the release that RELEASE names (a schema such as gaiadr3; else the default one), or it brings its
release: ``gaiadr3/123`` or ``ivo://AUTHORITY/gaiadr3?123``. Every identifier gets an answer; one that is not known, a fault.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg import sql
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from catalog.schema.label_table import LABEL_TABLES
from catalog.version import VERSION
from tap_service.address import DATALINK, root_address, tap_address
from tap_service.capabilities import datalink_capabilities
from tap_service.documents import Document
from tap_service.errors import ParameterError
from tap_service.parameters import maxrec_of, request_content
from tap_service.publication_tables import PublicationTables
from tap_service.results.field_types import Field
from tap_service.results.formats import format_named
from tap_service.results.service_descriptor import DATALINK_STANDARD, DATALINK_TYPE
from tap_service.results.votable import MEDIA_TYPE, Info, TableData, VOTable
from tap_service.results.xml_text import content
from tap_service.service import Service
from tap_service.table_set import TapTable

_BIGGEST = 2**63 - 1
_WITH_RELEASE = re.compile(r"(?:ivo://[^?#\s]*/)?(\w+)[/?](\d+)")
_IDS_A_PART = 500


@dataclass(frozen=True)
class Link:
    """A table that has rows of a source, and what they are to it (``semantics``: http://www.ivoa.net/rdf/datalink/core)."""

    kind: str
    """Kind of the schema: gaia, labels or surveys."""
    table: str
    semantics: str
    description: str


LINKS: tuple[Link, ...] = (
    Link("gaia", "gaia_source", "#this", "Astrometry and photometry."),
    Link("gaia", "xp_continuous_mean_spectrum", "#progenitor", "Continuous XP spectrum: coefficients, errors, correlations."),
    Link("gaia", "xp_sampled_mean_spectrum", "#progenitor", "Sampled XP spectrum, 336 to 1020 nm."),
    Link("gaia", "rvs_mean_spectrum", "#progenitor", "RVS spectrum, 846 to 870 nm."),
    *(Link("labels", model, "#derivation", f"Labels of the published run of {model}.") for model in LABEL_TABLES),
    Link("labels", "no_label", "#derivation", "Why a published run gave no label."),
    Link("gaia", "astrophysical_parameters", "#derivation", "Parameters that the archive derived."),
    Link("gaia", "gaiaedr3_spurious", "#auxiliary", "Fidelity of the astrometry."),
    Link("gaia", "reddening", "#auxiliary", "Reddening from a map of the dust."),
    Link("gaia", "two_mass", "#auxiliary", "Infrared photometry of 2MASS."),
    Link("surveys", "unwise", "#auxiliary", "Infrared photometry of unWISE."),
    Link("surveys", "apogee", "#auxiliary", "Labels of APOGEE."),
    Link("surveys", "astronn", "#auxiliary", "Labels of astroNN from APOGEE spectra."),
    Link("surveys", "galah", "#auxiliary", "Labels of GALAH."),
    Link("surveys", "lamost", "#auxiliary", "Labels of LAMOST."),
    Link("surveys", "hot_payne", "#auxiliary", "Labels of Hot Payne from LAMOST spectra."),
    Link("surveys", "reference_label", "#auxiliary", "Reference labels."),
)
"""In the order of the answer. (#counterpart would say more of other surveys, but validators with the vocabulary of 2022 call it unknown.)"""

FIELDS: tuple[Field, ...] = (
    Field("ID", "char", "*", ucd="meta.id;meta.main", description="Identifier as it was given."),
    Field("access_url", "char", "*", ucd="meta.ref.url", description="Address of the linked rows."),
    Field("service_def", "char", "*", ucd="meta.ref", description="Service that the link needs; none does."),
    Field("error_message", "char", "*", ucd="meta.code.error", description="Why there is no link."),
    Field("description", "char", "*", ucd="meta.note", description="What the link leads to."),
    Field("semantics", "char", "*", ucd="meta.code", description="What the link is to the source (http://www.ivoa.net/rdf/datalink/core)."),
    Field("content_type", "char", "*", ucd="meta.code.mime", description="Media type of the linked document."),
    Field("content_length", "long", unit="byte", ucd="phys.size;meta.file", description="Its length; not known before the query has run."),
)
"""Columns of a links document (DataLink 1.1 section 3.2)."""


@dataclass(frozen=True)
class _Asked:
    """An identifier as it was given, and the source that it means, or a fault."""

    identifier: str
    release: str = ""
    source_id: int = 0
    fault: str = ""


@dataclass(frozen=True)
class _Found:
    """The identifiers of a request in their order, and the names of the linked tables that have rows of each (release, source_id)."""

    asked: list[_Asked]
    tables: dict[tuple[str, int], list[str]]
    published: PublicationTables


def datalink_routes(service: Service) -> list[BaseRoute]:
    """The links, and what the service says of itself."""

    async def links(request: Request) -> Response:
        pairs = (await request_content(request, service.limits, None)).pairs
        identifiers = [value.strip() for name, value in pairs if name.upper() == "ID"]
        if len(identifiers) > service.limits.datalink_ids:
            raise ParameterError(
                f"{len(identifiers)} identifiers are too many for one request; send at most {service.limits.datalink_ids}."
            )
        values = {name.upper(): value for name, value in pairs}
        if named := values.get("RESPONSEFORMAT"):
            _check_format(named)
        maxrec = maxrec_of(values.get("MAXREC"))
        async with service.place():
            found = await service.in_thread(_look_up, service, identifiers, values.get("RELEASE"))
        return StreamingResponse(_in_parts(service, _document(found, tap_address(request), maxrec)), media_type=DATALINK_TYPE)

    async def capabilities(request: Request) -> Response:
        return Document(datalink_capabilities(f"{root_address(request)}{DATALINK}")).response(request)

    return [Route(f"{DATALINK}/links", links, methods=["GET", "POST"]), Route(f"{DATALINK}/capabilities", capabilities)]


async def _in_parts(service: Service, document: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The parts as they are made, each in a thread: a client that leaves ends the making, and nobody else waits for it."""
    while (part := await service.in_thread(next, document, None)) is not None:
        yield part


def _check_format(named: str) -> None:
    plain = named.replace(" ", "").lower()
    if plain not in ("votable", MEDIA_TYPE, DATALINK_TYPE, "text/xml") and not format_named(named).media_type.startswith(MEDIA_TYPE):
        raise ParameterError(f"RESPONSEFORMAT {named!r} is not offered for links; they are a VOTable ({DATALINK_TYPE}).")


def _asked(identifier: str, release: str | None, published: PublicationTables) -> _Asked:
    """What an identifier means."""
    releases = published.gaia_schemas.values()
    with_release = _WITH_RELEASE.fullmatch(identifier)
    if with_release is not None:
        release, number = with_release.groups()
    else:
        release, number = release or published.default_gaia_schema or "", identifier
    if release not in releases:
        return _Asked(identifier, fault=f"NotFoundFault: there is no release {release}; there are {', '.join(releases)}")
    if not (number.isascii() and number.isdigit()):
        return _Asked(
            identifier, fault=f"UsageFault: {identifier!r} is no source_id; write one as 123, gaiadr3/123 or ivo://AUTHORITY/gaiadr3?123"
        )
    if len(number) > len(str(_BIGGEST)) or int(number) > _BIGGEST:
        return _Asked(identifier, fault=f"NotFoundFault: {identifier} is larger than any source_id")
    return _Asked(identifier, release, int(number))


def _tables_of(release: str, published: PublicationTables) -> list[tuple[Link, TapTable]]:
    """The linked tables of a release, each under the schema of its kind (not the default release's second name)."""
    found = []
    for link in LINKS:
        there = [table for table in published.tables if table.source_release == release and table.name == link.table]
        of_kind = [
            table for table in there if (table.schema == release if link.kind == "gaia" else table.schema.startswith(f"{link.kind}_"))
        ]
        found += [(link, table) for table in of_kind[:1]]
    return found


def _look_up(service: Service, identifiers: list[str], release: str | None) -> _Found:
    """What there is of each identifier, in one publication (blocks)."""
    with service.reading() as (connection, published):
        asked = [_asked(identifier, release, published) for identifier in identifiers]
        wanted: dict[str, set[int]] = {}
        for one in asked:
            if not one.fault:
                wanted.setdefault(one.release, set()).add(one.source_id)
        tables: dict[tuple[str, int], list[str]] = {}
        for named, source_ids in wanted.items():
            for table, source_id in _rows(connection, _tables_of(named, published), sorted(source_ids)):
                tables.setdefault((named, source_id), []).append(table)
        return _Found(asked, tables, published)


def _rows(connection: psycopg.Connection[Any], tables: list[tuple[Link, TapTable]], source_ids: list[int]) -> list[tuple[str, int]]:
    """(table, source_id) of every row there is, in the order of the links."""
    parts = [
        sql.SQL("SELECT {} AS number, {} AS name, source_id FROM {} WHERE source_id = ANY ({})").format(
            sql.Literal(number), sql.Literal(table.name), sql.Identifier(table.permanent, table.name), sql.Placeholder("ids")
        )
        for number, (_, table) in enumerate(tables)
    ]
    query = sql.SQL("SELECT DISTINCT number, name, source_id FROM ({}) AS rows ORDER BY number").format(sql.SQL(" UNION ALL ").join(parts))
    return [(name, source_id) for _, name, source_id in connection.execute(query, {"ids": source_ids})]


def _document(found: _Found, tap: str, maxrec: int | None) -> Iterator[bytes]:
    """The document in parts; all links of one identifier stand together (DataLink 1.1 section 3.1)."""
    infos = (
        Info("standardID", DATALINK_STANDARD),
        Info("server_software", f"kiel/{VERSION}"),
        Info("publication", str(found.published.serial)),
    )
    writer = VOTable(FIELDS, infos, TableData(FIELDS))
    yield writer.begin()
    tables = {release: _tables_of(release, found.published) for release in {one.release for one in found.asked if not one.fault}}
    left, cut = maxrec, False
    part: list[str] = []
    for number, one in enumerate(found.asked, 1):
        for row in _links(one, found.tables.get((one.release, one.source_id), []), tables.get(one.release, []), tap):
            cut = left == 0
            if cut:
                break
            left = None if left is None else left - 1
            part.append("<TR>" + "".join(f"<TD>{content(cell)}</TD>" for cell in row) + "</TR>\n")
        if cut:
            break
        if number % _IDS_A_PART == 0:
            yield "".join(part).encode()
            part = []
    yield "".join(part).encode() + writer.end(cut)


def _links(one: _Asked, there: list[str], tables: list[tuple[Link, TapTable]], tap: str) -> Iterator[tuple[str, ...]]:
    """The rows of one identifier; a fault is a row too."""
    if one.fault or not there:
        fault = one.fault or f"NotFoundFault: {one.release} has no source {one.source_id}"
        yield one.identifier, "", "", fault, "", "#this", "", ""
        return
    for link, table in tables:
        if link.table in there:
            query = f"SELECT * FROM {table.qualified_name} WHERE source_id = {one.source_id}"  # noqa: S608 - a number, and a name of our own
            url = f"{tap}/sync?{urlencode({'LANG': 'ADQL', 'QUERY': query})}"
            yield one.identifier, url, "", "", link.description, link.semantics, MEDIA_TYPE, ""
