"""Publications: which set of permanent view schemas people read, and what TAP_SCHEMA says of it."""

from catalog.schema.column import Column, ColumnType, StoreTable

_SERIAL = Column("serial", ColumnType.INTEGER, "Publication that the row describes.", nullable=False)


def _text(name: str, description: str, nullable: bool = True) -> Column:
    return Column(name, ColumnType.TEXT, description, nullable=nullable)


def _number(name: str, description: str, nullable: bool = True) -> Column:
    return Column(name, ColumnType.INTEGER, description, nullable=nullable)


PUBLICATION = StoreTable(
    "publication",
    "Every publication, by serial: the views of serial 7 stand in schemas that end in __p0007. The newest is the current one.",
    (
        Column("serial", ColumnType.INTEGER, "Number of the publication.", nullable=False),
        Column("schemas", ColumnType.JSON, "Public schema name to permanent schema name.", nullable=False),
        Column("cause", ColumnType.TEXT, "What called for the publication.", nullable=False),
        Column("created", ColumnType.TIMESTAMP, "When it became current.", nullable=False, default="now()"),
        Column("dropped", ColumnType.TIMESTAMP, "When its schemas went, after their last reader."),
    ),
    primary_key=("serial",),
)

TAP_SCHEMAS = StoreTable(
    "tap_schemas",
    "TAP_SCHEMA.schemas of each publication (TAP 1.1 section 4.1).",
    (
        _SERIAL,
        _text("schema_name", "Schema name as used in queries.", False),
        _text("utype", "UTYPE of the schema."),
        _text("description", "What the schema holds."),
        _number("schema_index", "Place in a list."),
    ),
    primary_key=("serial", "schema_name"),
)

TAP_TABLES = StoreTable(
    "tap_tables",
    "TAP_SCHEMA.tables of each publication (TAP 1.1 section 4.2).",
    (
        _SERIAL,
        _text("schema_name", "Schema of the table.", False),
        _text("table_name", "Table name as used in queries.", False),
        _text("table_type", "Kind of the table: table or view.", False),
        _text("utype", "UTYPE of the table."),
        _text("description", "What the table holds."),
        _number("table_index", "Place in a list."),
    ),
    primary_key=("serial", "table_name"),
)

TAP_COLUMNS = StoreTable(
    "tap_columns",
    "TAP_SCHEMA.columns of each publication (TAP 1.1 section 4.3).",
    (
        _SERIAL,
        _text("table_name", "Table of the column.", False),
        _text("column_name", "Column name as used in queries.", False),
        _text("datatype", "VOTable datatype.", False),
        _text("arraysize", "VOTable arraysize."),
        _text("xtype", "DALI xtype."),
        _number("size", "Length of a one-dimensional column of fixed length."),
        _text("description", "What the column holds."),
        _text("utype", "UTYPE of the column."),
        _text("unit", "Unit in VOUnits."),
        _text("ucd", "UCD1+."),
        _number("indexed", "Whether a condition on the column is fast: 1 if so.", False),
        _number("principal", "Whether the column belongs to a first look: 1 if so.", False),
        _number("std", "Whether a standard defines the column: 1 if so.", False),
        _number("column_index", "Place in the table."),
    ),
    primary_key=("serial", "table_name", "column_name"),
)

TAP_KEYS = StoreTable(
    "tap_keys",
    "TAP_SCHEMA.keys of each publication (TAP 1.1 section 4.4).",
    (
        _SERIAL,
        _text("key_id", "Identifier of the key.", False),
        _text("from_table", "Table that holds the key.", False),
        _text("target_table", "Table that the key points to.", False),
        _text("description", "What the key joins."),
        _text("utype", "UTYPE of the key."),
    ),
    primary_key=("serial", "key_id"),
)

TAP_KEY_COLUMNS = StoreTable(
    "tap_key_columns",
    "TAP_SCHEMA.key_columns of each publication (TAP 1.1 section 4.5).",
    (
        _SERIAL,
        _text("key_id", "Identifier of the key.", False),
        _text("from_column", "Column of from_table.", False),
        _text("target_column", "Column of target_table.", False),
    ),
    primary_key=("serial", "key_id", "from_column"),
)

TAP_SCHEMA_TABLES = (TAP_SCHEMAS, TAP_TABLES, TAP_COLUMNS, TAP_KEYS, TAP_KEY_COLUMNS)
