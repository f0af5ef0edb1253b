"""TAP_SCHEMA of a publication, from the descriptions of the public views (TAP 1.1 section 4)."""

from collections.abc import Collection, Mapping, Sequence

from catalog.schema.column import Column, PublicView

_RESERVED = frozenset({"size", "distance"})
"""Names of public columns that are reserved in ADQL 2.1: they stand quoted in TAP_SCHEMA (TAP 1.1 section 4.3)."""

_TAP_SCHEMA_KEYS = (
    ("tap_schema.tables", "tap_schema.schemas", "schema_name", "schema_name"),
    ("tap_schema.columns", "tap_schema.tables", "table_name", "table_name"),
    ("tap_schema.keys", "tap_schema.tables", "from_table", "table_name"),
    ("tap_schema.keys", "tap_schema.tables", "target_table", "table_name"),
    ("tap_schema.key_columns", "tap_schema.keys", "key_id", "key_id"),
)

Row = dict[str, object]


def tap_schema_rows(serial: int, schemas: Sequence[tuple[str, str, tuple[PublicView, ...]]]) -> dict[str, list[Row]]:
    """The rows of the five tables ``tap_schemas`` ... ``tap_key_columns`` for (schema name, description, views) of a publication."""
    rows: dict[str, list[Row]] = {"tap_schemas": [], "tap_tables": [], "tap_columns": [], "tap_keys": [], "tap_key_columns": []}
    for schema_index, (schema, description, views) in enumerate(schemas):
        rows["tap_schemas"].append(
            {"serial": serial, "schema_name": schema, "utype": None, "description": description, "schema_index": schema_index}
        )
        for table_index, view in enumerate(views):
            table = f"{schema}.{view.name}"
            rows["tap_tables"].append(
                {
                    "serial": serial,
                    "schema_name": schema,
                    "table_name": table,
                    "table_type": "view",
                    "utype": None,
                    "description": view.description,
                    "table_index": table_index,
                }
            )
            rows["tap_columns"] += _columns(serial, table, view)
    columns = {f"{schema}.{view.name}": {column.name for column in view.columns} for schema, _, views in schemas for view in views}
    for number, (source, target, column, target_column) in enumerate(_keys(columns), 1):
        key = f"key_{number:03d}"
        rows["tap_keys"].append(
            {"serial": serial, "key_id": key, "from_table": source, "target_table": target, "description": None, "utype": None}
        )
        rows["tap_key_columns"].append({"serial": serial, "key_id": key, "from_column": column, "target_column": target_column})
    return rows


def _keys(columns: Mapping[str, Collection[str]]) -> list[tuple[str, str, str, str]]:
    """Joins of tables (name: columns): TAP_SCHEMA's own five, what has a source_id to its release's gaia_source, chunks and labels to their run."""
    present = sorted(columns)
    keys = [key for key in _TAP_SCHEMA_KEYS if key[0] in present]
    for table in present:
        schema, name = table.split(".")
        kind, _, suffix = schema.partition("_")
        suffix = suffix if kind in ("labels", "surveys") else schema.removeprefix("gaia")
        target = f"gaia{suffix}.gaia_source"
        if suffix and target in present and table != target and "source_id" in columns[table]:
            keys.append((table, target, "source_id", "source_id"))
        if (schema.startswith("labels_") and name != "all_models") or table == "runs.run_chunk":
            keys.append((table, "runs.run", "run_id", "run_id"))
    return keys


def _columns(serial: int, table: str, view: PublicView) -> list[Row]:
    return [_column(serial, table, view, column, index) for index, column in enumerate(view.columns)]


def _column(serial: int, table: str, view: PublicView, column: Column, index: int) -> Row:
    arraysize = column.arraysize
    position = view.position
    indexed = column.name in view.indexed or (position is not None and column.name in (position.lon, position.lat))
    return {
        "serial": serial,
        "table_name": table,
        "column_name": f'"{column.name}"' if column.name in _RESERVED else column.name,
        "datatype": column.type.votable,
        "arraysize": arraysize,
        "xtype": column.type.xtype,
        "size": int(arraysize) if arraysize and arraysize.isdigit() else None,
        "description": column.description,
        "utype": None,
        "unit": column.unit,
        "ucd": column.ucd,
        "indexed": int(indexed),
        "principal": int(column.principal),
        "std": int(view.schema == "tap_schema"),
        "column_index": index,
    }
