"""The tables that people may query, as TAP_SCHEMA describes them at one publication: what the resolver looks names up in.

Built once a publication from TAP_SCHEMA and kept in memory; nothing here asks the database.
"""

from dataclasses import dataclass, field
from functools import cached_property

from catalog.schema.column import ColumnType, Position
from tap_service.names import close_names, same_name

UPLOADS = "tap_upload"
"""The schema of tables that come with a query (TAP 1.1 section 2.5)."""
STORED_UPLOADS = "pg_temp"
"""What the database calls that schema."""

SCALARS = {
    "boolean": ColumnType.BOOLEAN,
    "short": ColumnType.SMALLINT,
    "int": ColumnType.INTEGER,
    "long": ColumnType.BIGINT,
    "float": ColumnType.REAL,
    "double": ColumnType.DOUBLE,
    "bit": ColumnType.BIT,
    "unsignedByte": ColumnType.UNSIGNED_BYTE,
    "floatComplex": ColumnType.COMPLEX,
    "doubleComplex": ColumnType.DOUBLE_COMPLEX,
}
"""The stored type of one number by its VOTable datatype."""
ARRAYS = {
    "boolean": ColumnType.BOOLEAN_ARRAY,
    "bit": ColumnType.BIT_ARRAY,
    "unsignedByte": ColumnType.BYTES,
    "short": ColumnType.SMALLINT_ARRAY,
    "int": ColumnType.INTEGER_ARRAY,
    "long": ColumnType.BIGINT_ARRAY,
    "float": ColumnType.VECTOR,
    "double": ColumnType.DOUBLE_ARRAY,
    "floatComplex": ColumnType.COMPLEX,
    "doubleComplex": ColumnType.DOUBLE_COMPLEX,
}
"""The stored type of an array by the VOTable datatype of its elements."""
_GEOMETRY = {"point": ColumnType.POINT, "circle": ColumnType.CIRCLE, "polygon": ColumnType.POLYGON}
_CHARACTERS = {"timestamp": ColumnType.TIMESTAMP, "json": ColumnType.JSON}


@dataclass(frozen=True)
class TapColumn:
    """A column as TAP_SCHEMA.columns describes it (TAP 1.1 section 4.3); ``name`` is bare, without the quotes of a delimited name.

    ``stored_name`` and ``stored_type`` are given where the database knows the column by another name, or in another type than its
    datatype, arraysize and xtype tell: columns of uploads.
    """

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    indexed: bool = False
    principal: bool = True
    std: bool = False
    stored_name: str | None = None
    stored_type: ColumnType | None = None

    @property
    def type(self) -> ColumnType:
        """The column's type in the database, which datatype, arraysize and xtype determine; ValueError if they do not."""
        if self.stored_type is not None:
            return self.stored_type
        if self.datatype in ("char", "unicodeChar"):
            return _CHARACTERS.get(self.xtype or "", ColumnType.TEXT)
        if self.datatype == "double" and self.arraysize is not None and self.xtype in _GEOMETRY:
            return _GEOMETRY[self.xtype]
        known = (SCALARS if self.arraysize is None else ARRAYS).get(self.datatype)
        if known is None:
            raise ValueError(f"column {self.name} has datatype {self.datatype} and arraysize {self.arraysize}, which no stored type gives")
        return known


@dataclass(frozen=True, eq=False)  # each is itself alone, so that what is made of one is found again without a look at its columns
class TapTable:
    """A table or view that people query.

    ``permanent`` is the name of the schema that the emitted SQL reads, so that one query reads one publication.
    ``position`` says how a place on the sky is found; ``padding`` (degrees) is how far a source may lie outside the HEALPix pixel
    that its key tells, and ``displaced`` lists the keys of the sources beyond it, which every cover includes one by one.
    """

    schema: str
    name: str
    description: str | None
    columns: tuple[TapColumn, ...]
    table_type: str = "view"
    permanent: str = ""
    position: Position | None = None
    padding: float = 0.0
    displaced: tuple[int, ...] = ()
    is_union: bool = False
    """Whether it is a view of several tables' rows one after the other (UNION ALL)."""
    source_release: str | None = None
    """The schema of the release that the table's source_id belongs to, such as gaiadr3."""

    @property
    def qualified_name(self) -> str:
        """The name to use in queries."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class TableSet:
    """All tables of one publication; regular identifiers match without regard to case, delimited ones exactly (ADQL 2.1 section 2.1.3)."""

    serial: int
    tables: tuple[TapTable, ...] = field(repr=False)

    @cached_property
    def _by_name(self) -> dict[str, tuple[TapTable, ...]]:
        found: dict[str, tuple[TapTable, ...]] = {}
        for table in self.tables:
            key = table.name.casefold()
            found[key] = (*found.get(key, ()), table)
        return found

    def find(self, name: str, schema: str | None = None, *, exact_name: bool = False, exact_schema: bool = False) -> tuple[TapTable, ...]:
        """The tables of that name, in any schema unless one is given; ``exact_...`` is True for a delimited identifier."""
        return tuple(
            table
            for table in self._by_name.get(name.casefold(), ())
            if same_name(table.name, name, exact_name) and (schema is None or same_name(table.schema, schema, exact_schema))
        )

    def suggest(self, name: str, schema: str | None = None) -> tuple[str, ...]:
        """Qualified names of tables that the writer may have meant, best first."""
        wanted = f"{schema}.{name}" if schema else name
        names = [table.qualified_name for table in self.tables]
        same = [table.qualified_name for table in self._by_name.get(name.casefold(), ())]
        bare = close_names(name, (table.name for table in self.tables))
        close = close_names(wanted, names) + tuple(table.qualified_name for near in bare for table in self._by_name[near.casefold()])
        return tuple(dict.fromkeys((*same, *close)))[:3]
