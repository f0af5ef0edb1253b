"""VOSI 1.1: /tables and /availability."""

from datetime import datetime
from xml.etree import ElementTree as ET

from tap_service.publication_tables import PublicationTables
from tap_service.table_set import TapColumn, TapTable
from tap_service.xml_document import AVAILABILITY, TABLES, TAP_PLUS, XSI_TYPE, add, add_known, document, root


def availability(problem: str | None, up_since: datetime) -> bytes:
    """Whether queries can be answered just now (VOSI 1.1 section 3); ``problem`` says why not."""
    element = root(AVAILABILITY, "availability")
    # This schema qualifies its elements, unlike the other two.
    add(element, f"{{{AVAILABILITY}}}available", "false" if problem else "true")
    add(element, f"{{{AVAILABILITY}}}upSince", up_since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    add(element, f"{{{AVAILABILITY}}}note", problem or "The database answers.")
    return document(element)


def tables(published: PublicationTables, *, full: bool = True, tap_plus: bool = False) -> bytes:
    """All tables of a publication (VOSI 1.1 section 4); those that are not in full have neither columns nor keys.

    ``tap_plus`` gives each column the attribute ``flags`` of ESA's dialect, without which astroquery (0.4.11) reads no column; VOSI's
    schema has no place for it.
    """
    tableset = root(TABLES, "tableset", "vs")  # no version attribute: validators with the schema of VOSI 1.0 refuse it
    for schema in published.schemas:
        element = add(tableset, "schema")
        _described(element, schema.name, schema.description, schema.utype)
        for table in published.tables:
            if table.schema == schema.name:
                _table(add(element, "table"), published, table, full=full)
    if tap_plus:
        for column in tableset.iter("column"):
            column.set(f"{{{TAP_PLUS}}}flags", "0")
    return document(tableset)


def table(published: PublicationTables, name: str) -> bytes:
    """One table in full; NotFoundError if there is none of that name."""
    element = root(TABLES, "table", "vs")
    _table(element, published, published.table(name), full=True)
    return document(element)


def _table(element: ET.Element, published: PublicationTables, table: TapTable, *, full: bool) -> None:
    element.set("type", table.table_type)
    _described(element, table.qualified_name, table.description, None)
    if not full:
        return
    for column in table.columns:
        delimited = (table.qualified_name, column.name) in published.delimited
        _column(element, column, f'"{column.name}"' if delimited else column.name)
    for key in published.keys_from(table.qualified_name):
        foreign = add(element, "foreignKey")
        add(foreign, "targetTable", key.target_table)
        for source, target in key.columns:
            pair = add(foreign, "fkColumn")
            add(pair, "fromColumn", source)
            add(pair, "targetColumn", target)
        add_known(foreign, description=key.description, utype=key.utype)


def _column(table: ET.Element, column: TapColumn, name: str) -> None:
    element = add(table, "column", attributes={"std": "true"} if column.std else {})
    add(element, "name", name)
    add_known(element, description=column.description, unit=column.unit, ucd=column.ucd, utype=column.utype)
    data_type = add(element, "dataType", column.datatype, {XSI_TYPE: "vs:VOTableType"})
    if column.arraysize is not None:
        data_type.set("arraysize", column.arraysize)
    if column.xtype is not None:
        data_type.set("extendedType", column.xtype)
    if column.indexed:
        add(element, "flag", "indexed")
    if column.principal:
        add(element, "flag", "principal")


def _described(element: ET.Element, name: str, description: str | None, utype: str | None) -> None:
    add(element, "name", name)
    add_known(element, description=description, utype=utype)
