"""One description of a column: name, type, unit, UCD and sentence. DDL, TAP_SCHEMA, VOTable FIELDs and docs come from it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


class ColumnType(Enum):
    """A column's type: its PostgreSQL form, and the VOTable datatype and xtype (VOTable 1.4 section 2.1) that it is served as."""

    SMALLINT = ("smallint", "short", None)
    INTEGER = ("integer", "int", None)
    BIGINT = ("bigint", "long", None)
    REAL = ("real", "float", None)
    DOUBLE = ("double precision", "double", None)
    BOOLEAN = ("boolean", "boolean", None)
    TEXT = ("text", "char", None)
    TIMESTAMP = ("timestamp with time zone", "char", "timestamp")
    JSON = ("jsonb", "char", "json")
    BYTES = ("bytea", "unsignedByte", None)
    VECTOR = ("bytea", "float", None)
    """Float32 numbers, big-endian, packed one after the other in a bytea: the bytes of a VOTable BINARY2 float array."""
    INTEGER_ARRAY = ("bytea", "int", None)
    """Whole numbers of 32 bits, packed likewise."""
    DOUBLE_ARRAY = ("double precision[]", "double", None)
    # What only a table that a person uploads has: numbers without a type of their own in PostgreSQL, and packed arrays as BINARY2 has them.
    BIT = ("smallint", "bit", None)
    UNSIGNED_BYTE = ("smallint", "unsignedByte", None)
    BOOLEAN_ARRAY = ("bytea", "boolean", None)
    """The letters T, F and ? (unknown)."""
    BIT_ARRAY = ("bytea", "bit", None)
    """A byte 0 or 1 for each bit."""
    SMALLINT_ARRAY = ("bytea", "short", None)
    BIGINT_ARRAY = ("bytea", "long", None)
    COMPLEX = ("bytea", "floatComplex", None)
    """One or more pairs of float32, big-endian."""
    DOUBLE_COMPLEX = ("bytea", "doubleComplex", None)
    # Places on the sky, ICRS degrees, in the order of DALI 1.1 section 3.3: lon lat; lon lat radius; lon1 lat1 lon2 lat2 ...
    POINT = ("double precision[]", "double", "point")
    CIRCLE = ("double precision[]", "double", "circle")
    POLYGON = ("double precision[]", "double", "polygon")

    def __init__(self, postgres: str, votable: str, xtype: str | None) -> None:
        self.postgres = postgres
        self.votable = votable
        self.xtype = xtype

    @property
    def is_array(self) -> bool:
        """Whether a value has elements, so that no order and no text goes with it."""
        return self.postgres in ("bytea", "double precision[]")

    @property
    def arraysize(self) -> str | None:
        """The VOTable arraysize that goes with the type: of places their numbers, ``*`` for text and other arrays, None for scalars."""
        if self.xtype in _NUMBERS_OF_PLACES:
            return _NUMBERS_OF_PLACES[self.xtype]
        return "*" if self.votable == "char" or self.is_array else None


_NUMBERS_OF_PLACES: dict[str | None, str] = {"point": "2", "circle": "3", "polygon": "*"}

_SQLALCHEMY: dict[ColumnType, sa.types.TypeEngine[Any]] = {
    ColumnType.SMALLINT: sa.SmallInteger(),
    ColumnType.INTEGER: sa.Integer(),
    ColumnType.BIGINT: sa.BigInteger(),
    ColumnType.REAL: sa.REAL(),
    ColumnType.DOUBLE: sa.DOUBLE_PRECISION(),
    ColumnType.BOOLEAN: sa.Boolean(),
    ColumnType.TEXT: sa.Text(),
    ColumnType.TIMESTAMP: sa.DateTime(timezone=True),
    ColumnType.JSON: postgresql.JSONB(),
    ColumnType.BYTES: postgresql.BYTEA(),
    ColumnType.VECTOR: postgresql.BYTEA(),
    ColumnType.INTEGER_ARRAY: postgresql.BYTEA(),
    ColumnType.DOUBLE_ARRAY: postgresql.ARRAY(sa.DOUBLE_PRECISION()),
    ColumnType.BIT: sa.SmallInteger(),
    ColumnType.UNSIGNED_BYTE: sa.SmallInteger(),
    ColumnType.BOOLEAN_ARRAY: postgresql.BYTEA(),
    ColumnType.BIT_ARRAY: postgresql.BYTEA(),
    ColumnType.SMALLINT_ARRAY: postgresql.BYTEA(),
    ColumnType.BIGINT_ARRAY: postgresql.BYTEA(),
    ColumnType.COMPLEX: postgresql.BYTEA(),
    ColumnType.DOUBLE_COMPLEX: postgresql.BYTEA(),
    ColumnType.POINT: postgresql.ARRAY(sa.DOUBLE_PRECISION()),
    ColumnType.CIRCLE: postgresql.ARRAY(sa.DOUBLE_PRECISION()),
    ColumnType.POLYGON: postgresql.ARRAY(sa.DOUBLE_PRECISION()),
}


@dataclass(frozen=True)
class Column:
    """A column as every part of the system knows it.

    ``unit`` is a VOUnits string or None; ``ucd`` a UCD1+ word list or None (never empty: NULL and empty differ in TAP_SCHEMA).
    ``length`` is the number of elements of a VECTOR (None where it varies from row to row).
    ``default`` is an SQL expression, ``identity`` marks a key that PostgreSQL counts.
    """

    name: str
    type: ColumnType
    description: str
    unit: str | None = None
    ucd: str | None = None
    nullable: bool = True
    length: int | None = None
    default: str | None = None
    identity: bool = False
    principal: bool = True

    @property
    def arraysize(self) -> str | None:
        """The VOTable arraysize: ``*`` for text, the element count or ``*`` for vectors, None for scalars."""
        if self.type.is_array and self.length is not None:
            return str(self.length)
        return self.type.arraysize

    def renamed(self, name: str, description: str | None = None) -> "Column":
        """The same column under another name, for views."""
        return replace(self, name=name, description=description or self.description)

    def sqlalchemy(self) -> "sa.Column[Any]":
        """The column as SQLAlchemy Core describes it, for DDL and migrations."""
        extra: list[Any] = [sa.Identity(always=False)] if self.identity else []
        return sa.Column(
            self.name,
            _SQLALCHEMY[self.type],
            *extra,
            nullable=self.nullable,
            server_default=sa.text(self.default) if self.default is not None else None,
        )


@dataclass(frozen=True)
class StoreTable:
    """A table of the schema ``store``.

    ``partition_by`` is ``release_id`` (then each release by source_id ranges) or ``run_id`` (one partition a run) or None.
    ``external`` names bytea columns whose bytes do not compress: STORAGE EXTERNAL. ``in_row``
    names those that stay in the row, whatever else has to leave it: STORAGE MAIN.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    partition_by: str | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[tuple[str, str], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    checks: tuple[tuple[str, str], ...] = ()
    external: tuple[str, ...] = ()
    in_row: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")

    def pick(self, *names: str) -> tuple[Column, ...]:
        """The named columns, in that order."""
        return tuple(self[name] for name in names)

    def without(self, *names: str) -> tuple[Column, ...]:
        """All columns but the named ones."""
        return tuple(column for column in self.columns if column.name not in names)

    def sqlalchemy(self, metadata: sa.MetaData) -> sa.Table:
        """The table in SQLAlchemy's terms, added to ``metadata``."""
        items: list[sa.schema.SchemaItem] = [column.sqlalchemy() for column in self.columns]
        items.append(sa.PrimaryKeyConstraint(*self.primary_key, name=f"{self.name}_pkey"))
        items += [sa.UniqueConstraint(*names, name=f"{self.name}_{'_'.join(names)}_key") for names in self.unique]
        items += [
            sa.ForeignKeyConstraint([name], [f"store.{target}"], name=f"{self.name}_{name}_fkey") for name, target in self.foreign_keys
        ]
        items += [sa.CheckConstraint(sa.text(rule), name=f"{self.name}_{name}_check") for name, rule in self.checks]
        items += [sa.Index(f"{self.name}_{'_'.join(names)}_idx", *names) for names in self.indexes]
        options: dict[str, Any] = {"postgresql_partition_by": f"LIST ({self.partition_by})"} if self.partition_by else {}
        return sa.Table(self.name, metadata, *items, schema="store", **options)


@dataclass(frozen=True)
class Position:
    """How a view's sky position is found: ``lon`` and ``lat`` in ICRS degrees, through HEALPix ranges over ``key``."""

    lon: str = "ra"
    lat: str = "dec"
    key: str = "source_id"


@dataclass(frozen=True)
class PublicView:
    """A view that people query: its SELECT is ``sql/views/{template}.sql``, its columns are described here in their order.

    ``schema`` is the public schema: ``gaia`` and ``labels`` are made once a release (``gaiadr3``, ``labels_dr3``), ``labels``
    once more for the default release; any other name is made once. ``model`` names the model whose published run it shows.
    ``archive_schema`` is where the Gaia archive keeps the table, where that is no schema of the release: Gaia DR3's view stands there as well, so
    that the archive's queries run as they are.
    """

    schema: str
    name: str
    description: str
    columns: tuple[Column, ...]
    template: str
    model: str | None = None
    position: Position | None = None
    indexed: tuple[str, ...] = ("source_id",)
    archive_schema: str | None = None
    is_union: bool = False
    """Whether its rows are those of several tables, one after the other (UNION ALL)."""


def names(columns: Iterable[Column]) -> list[str]:
    """The columns' names, in order."""
    return [column.name for column in columns]
