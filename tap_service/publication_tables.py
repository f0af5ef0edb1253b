"""The tables of one publication, from its TAP_SCHEMA rows: what queries are resolved against and what /tables shows.

The rows of a publication never change, so they are read once. What a cover of the sky needs (how far sources lie outside the pixel
of their identifier) changes with every load and is read for each query, in the query's own snapshot.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg

from catalog.healpix import MAX_PADDING
from catalog.publish import Publication
from catalog.schema.column import PublicView
from catalog.schema.public_views import PER_RELEASE, PUBLIC_VIEWS
from catalog.statements import statement
from tap_service.errors import NotFoundError
from tap_service.names import close_names
from tap_service.table_set import TableSet, TapColumn, TapTable


@dataclass(frozen=True)
class TapSchema:
    """A schema as TAP_SCHEMA.schemas describes it (TAP 1.1 section 4.1)."""

    name: str
    utype: str | None
    description: str | None
    release_id: int | None = None


@dataclass(frozen=True)
class TapKey:
    """A foreign key with its columns (TAP 1.1 sections 4.4 and 4.5)."""

    key_id: str
    from_table: str
    target_table: str
    description: str | None
    utype: str | None
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PublicationTables:
    """Everything that TAP_SCHEMA says at one publication."""

    serial: int
    created: datetime
    schemas: tuple[TapSchema, ...]
    tables: tuple[TapTable, ...]
    keys: tuple[TapKey, ...]
    delimited: frozenset[tuple[str, str]]
    """(table, column) whose name TAP_SCHEMA writes in quotes, because it is a reserved word."""

    @property
    def default_gaia_schema(self) -> str | None:
        """The schema of the sources that ``labels`` and ``surveys`` tell of; None where there is no release."""
        releases = {schema.name: schema.release_id for schema in self.schemas}
        return self.gaia_schemas.get(releases.get("labels"))

    @cached_property
    def gaia_schemas(self) -> Mapping[int | None, str]:
        """The schema of the sources of each release, such as gaiadr3, by the release's number."""
        releases = {schema.name: schema.release_id for schema in self.schemas}
        return {releases[table.schema]: table.schema for table in self.tables if table.name == "gaia_source"}

    def keys_from(self, table: str) -> tuple[TapKey, ...]:
        """The keys that a table holds, by its qualified name."""
        return tuple(key for key in self.keys if key.from_table == table)

    def table(self, name: str) -> TapTable:
        """The table of that qualified name; NotFoundError."""
        for table in self.tables:
            if table.qualified_name == name:
                return table
        near = close_names(name, (table.qualified_name for table in self.tables))
        guess = f"did you mean {' or '.join(near)}?" if near else "/tap/tables lists those there are."
        raise NotFoundError(f"There is no table {name}; {guess}")

    def only(self, names: str) -> "PublicationTables":
        """The same with only the tables of a list of qualified names with commas between; NotFoundError for one that is not there."""
        kept = [self.table(name.strip()) for name in names.split(",")]
        schemas = {table.schema for table in kept}
        return replace(
            self,
            schemas=tuple(schema for schema in self.schemas if schema.name in schemas),
            tables=tuple(table for table in self.tables if table in kept),
        )


@dataclass(frozen=True)
class _ReleaseSky:
    """How the positions of one release lie to its identifiers."""

    epoch: float
    padding: float
    displaced: tuple[int, ...]


class TableCache:
    """The tables of the newest publication that was asked for, kept in memory; safe in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: PublicationTables | None = None
        self._sky: dict[int, _ReleaseSky] = {}
        self._table_set: TableSet | None = None

    def tables(self, connection: psycopg.Connection[Any], publication: Publication) -> PublicationTables:
        """What TAP_SCHEMA says at a publication."""
        with self._lock:
            if self._tables is None or self._tables.serial != publication.serial:
                self._tables = read_tables(connection, publication)
                self._table_set = None
            return self._tables

    def table_set(self, connection: psycopg.Connection[Any], publication: Publication) -> tuple[TableSet, float | None]:
        """The tables to resolve a query against, and the epoch of positions where all releases share one."""
        tables = self.tables(connection, publication)
        sky = _read_sky(connection)
        with self._lock:
            if self._table_set is None or self._table_set.serial != tables.serial or self._sky != sky:
                self._table_set = TableSet(tables.serial, tuple(_with_sky(table, publication, sky) for table in tables.tables))
                self._sky = sky
            epochs = {release.epoch for release in sky.values()}
            return self._table_set, epochs.pop() if len(epochs) == 1 else None


def read_tables(connection: psycopg.Connection[Any], publication: Publication) -> PublicationTables:
    """The tables of a publication from the database."""
    key = {"serial": publication.serial}
    created = connection.execute(statement("publication_created"), key).fetchone()
    assert created is not None
    columns: dict[str, list[TapColumn]] = {}
    delimited: set[tuple[str, str]] = set()
    for table, written, *about in connection.execute(statement("tap_columns_of"), key):
        name = _bare(written)
        columns.setdefault(table, []).append(TapColumn(name, *about))
        if name != written:
            delimited.add((table, name))
    tables = []
    described = connection.execute(statement("tap_tables_of"), key).fetchall()
    gaia = {publication.schemas[schema].release_id: schema for schema, qualified, *_ in described if qualified == f"{schema}.gaia_source"}
    for schema, qualified, table_type, _utype, description in described:
        name = qualified.removeprefix(f"{schema}.")
        view = _view(publication, schema, name)
        tables.append(
            TapTable(
                schema,
                name,
                description,
                tuple(columns.get(qualified, ())),
                table_type,
                permanent=publication.schemas[schema].permanent,
                position=view.position if view else None,
                is_union=view is not None and view.is_union,
                source_release=gaia.get(publication.schemas[schema].release_id),
            )
        )
    return PublicationTables(
        publication.serial,
        created[0],
        tuple(
            TapSchema(name, utype, description, publication.schemas[name].release_id)
            for name, utype, description in connection.execute(statement("tap_schemas_of"), key)
        ),
        tuple(tables),
        _keys(connection, key),
        frozenset(delimited),
    )


def _bare(name: str) -> str:
    """A column's name without the quotes that TAP_SCHEMA gives to a reserved word."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _keys(connection: psycopg.Connection[Any], key: dict[str, int]) -> tuple[TapKey, ...]:
    found: dict[str, TapKey] = {}
    for key_id, source, target, description, utype, from_column, target_column in connection.execute(statement("tap_keys_of"), key):
        known = found.get(key_id) or TapKey(key_id, source, target, description, utype, ())
        found[key_id] = replace(known, columns=(*known.columns, (from_column, target_column)))
    return tuple(found.values())


def _view(publication: Publication, schema: str, name: str) -> PublicView | None:
    """The description of a view; views of a release stand under the kind of their schema there."""
    kind = schema
    if publication.schemas[schema].release_id is not None:
        kind = next((kind for kind in PER_RELEASE if schema.startswith(kind)), schema)
    return next((view for view in PUBLIC_VIEWS if (view.schema, view.name) == (kind, name)), None)


def _read_sky(connection: psycopg.Connection[Any]) -> dict[int, _ReleaseSky]:
    return {
        release_id: _ReleaseSky(epoch, min(offset, MAX_PADDING), tuple(displaced))
        for release_id, epoch, offset, displaced in connection.execute(statement("sky_of_releases"))
    }


def _with_sky(table: TapTable, publication: Publication, sky: dict[int, _ReleaseSky]) -> TapTable:
    release_id = publication.schemas[table.schema].release_id
    if table.position is None or release_id is None or table.position.key != "source_id":
        return table  # any other key is made from the position itself
    release = sky[release_id]
    return replace(table, padding=release.padding, displaced=release.displaced)
