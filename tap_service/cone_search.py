"""Simple Cone Search (SCS 1.03, with MAXREC and RESPONSEFORMAT of the draft of 1.1) on each table with positions, at /scs/{schema.table}.

A cone becomes an ADQL query and runs as one at /sync does: through the index, streamed, limited, and ended when its client leaves.

| parameter | what |
|---|---|
| RA, DEC | centre, ICRS degrees |
| SR | radius, degrees; 0 gives the columns without rows (SCS 1.03 section 2.2) |
| VERB | 1: identifier and position; 2 (default): principal columns; 3: all |
| MAXREC, RESPONSEFORMAT | as for a query; MAXREC=0 gives the columns, and needs no cone |
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Send

from tap_service.address import CONES, links_address, root_address
from tap_service.answer import Answer
from tap_service.capabilities import cone_capabilities
from tap_service.documents import Document
from tap_service.errors import NotFoundError, ParameterError, TapError
from tap_service.parameters import QueryParameters, RequestContent, maxrec_of
from tap_service.publication_tables import PublicationTables
from tap_service.results.field_types import Field
from tap_service.results.formats import TABLEDATA, format_named
from tap_service.results.votable import Info, error_document
from tap_service.service import Service
from tap_service.sync import SyncAnswer, SyncQuery, query_route, send_document
from tap_service.table_set import TapColumn, TapTable

_MAIN_ID = "meta.id;meta.main"
_MARKS = {_MAIN_ID: "ID_MAIN", "pos.eq.ra;meta.main": "POS_EQ_RA_MAIN", "pos.eq.dec;meta.main": "POS_EQ_DEC_MAIN"}
_NAMES = ("RA", "DEC", "SR", "VERB", "MAXREC", "RESPONSEFORMAT", "FORMAT")


def cone_routes(service: Service) -> list[BaseRoute]:
    """The cone search of each table, and what it says of itself."""

    async def search(request: Request) -> Response:
        table = cone_table(await service.in_thread(service.tables), request.path_params["table"])
        return SyncAnswer(_ConeQuery(request, service, table))

    async def capabilities(request: Request) -> Response:
        published = await service.in_thread(service.tables)
        table = cone_table(published, request.path_params["table"])
        address = f"{root_address(request)}{CONES}/{table.qualified_name}"
        return Document(cone_capabilities(address, service.limits.hard_rows), modified=published.created).response(request)

    return [
        query_route(f"{CONES}/{{table}}", search),
        Route(f"{CONES}/{{table}}/capabilities", capabilities),
    ]


def cone_tables(published: PublicationTables) -> list[TapTable]:
    """The tables that can be searched."""
    return [table for table in published.tables if table.position is not None]


def cone_table(published: PublicationTables, name: str) -> TapTable:
    """The table of that qualified name; NotFoundError if there is none, or it has no positions."""
    table = published.table(name)
    if table.position is None:
        near = ", ".join(found.qualified_name for found in cone_tables(published) if found.schema == table.schema)
        raise NotFoundError(f"{name} has no positions, so there is no cone search on it{f'; there is one on {near}' if near else ''}.")
    return table


class _ConeQuery(SyncQuery):
    """The answer to one cone search."""

    def __init__(self, request: Request, service: Service, table: TapTable) -> None:
        super().__init__(request, service)
        self._table = table

    def _read(self, content: RequestContent) -> QueryParameters:
        return read_cone(content.pairs, self._table)

    def _answer(self, parameters: QueryParameters) -> Answer:
        return _ConeAnswer(self._query, parameters, links=links_address(self._request))

    async def _send_error(self, send: Send, error: TapError) -> None:
        """Both INFOs, and a wrong request is answered with 200: programs of SCS 1.03 read the reason only then (STILTS shows a bare 400 else)."""
        status = HTTPStatus.OK if error.status == HTTPStatus.BAD_REQUEST else error.status
        await send_document(send, error, int(status), error_document(str(error), [Info("Error", str(error))]))


class _ConeAnswer(Answer):
    """A cone's document: identifier and position are marked as SCS 1.03 section 2.2 and its programs (pyvo) want them, all else as at /sync."""

    standard = "ivo://ivoa.net/std/ConeSearch"

    def fields(self) -> tuple[Field, ...]:
        """The columns with the three words of SCS 1.03."""
        return tuple(replace(field, ucd=_MARKS.get(field.ucd or "", field.ucd)) for field in self.query.fields)


def read_cone(pairs: Iterable[tuple[str, str]], table: TapTable) -> QueryParameters:
    """The parameters of a cone search as those of a query; ParameterError says which one is wrong. Unknown ones are ignored."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if (name := name.upper()) in _NAMES:
            if name in values:
                raise ParameterError(f"{name} stands more than once in the request; give it one value.")
            values[name] = value.strip()
    named = values.get("RESPONSEFORMAT") or values.get("FORMAT")
    maxrec = maxrec_of(values.get("MAXREC"))
    query = cone_query(table, _cone(values, needed=maxrec != 0), _columns(table, values.get("VERB") or "2"))
    return QueryParameters(query, format=format_named(named) if named else TABLEDATA, maxrec=maxrec)


def cone_query(table: TapTable, cone: tuple[float, float, float] | None, columns: Iterable[TapColumn]) -> str:
    """The ADQL of a cone (centre and radius, degrees); without one, or with radius 0, of no rows."""
    assert table.position is not None
    names = ", ".join(f'"{column.name}"' for column in columns)
    condition = "1 = 0"
    if cone is not None and cone[2] > 0:
        ra, dec, radius = cone
        condition = f'DISTANCE("{table.position.lon}", "{table.position.lat}", {ra!r}, {dec!r}) <= {radius!r}'
    return f"SELECT {names} FROM {table.qualified_name} WHERE {condition}"  # noqa: S608 - names are the table's own, the rest are numbers


def _columns(table: TapTable, verbosity: str) -> list[TapColumn]:
    """The columns of a VERB; identifier and position are always among them."""
    if verbosity not in ("1", "2", "3"):
        raise ParameterError(f"VERB={verbosity} is not 1 (identifier and position), 2 (principal columns) or 3 (all).")
    assert table.position is not None
    needed = {table.position.lon, table.position.lat, *(column.name for column in table.columns if column.ucd == _MAIN_ID)}
    return [
        column
        for column in table.columns
        if column.name in needed or verbosity == "3" or (verbosity == "2" and column.principal)
    ]  # fmt: skip


def _cone(values: dict[str, str], *, needed: bool) -> tuple[float, float, float] | None:
    """RA, DEC and SR; None where they are missing and not needed."""
    missing = [name for name in ("RA", "DEC", "SR") if not values.get(name)]
    if missing:
        if not needed:
            return None
        raise ParameterError(
            f"{' and '.join(missing)} missing: a cone search needs RA, DEC and SR in degrees, such as RA=56.75&DEC=24.12&SR=0.5."
        )
    ra, dec, radius = (_degrees(name, values[name]) for name in ("RA", "DEC", "SR"))
    if not -90 <= dec <= 90:
        raise ParameterError(f"DEC={values['DEC']} is not between -90 and 90 degrees.")
    if not 0 <= radius <= 180:
        raise ParameterError(f"SR={values['SR']} is not between 0 and 180 degrees.")
    return ra % 360.0, dec, radius


def _degrees(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ParameterError(f"{name}={text} is not a number of degrees, such as {name}=10.5.")
    return value
