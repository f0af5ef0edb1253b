"""VOSI 1.1: /capabilities (with TAPRegExt 1.0), /tables and /availability as XML documents."""

from datetime import datetime
from xml.etree import ElementTree as ET

from tap_service.adql.geometry import GEOMETRY
from tap_service.limits import Limits
from tap_service.publication_tables import PublicationTables
from tap_service.results.formats import FORMATS
from tap_service.table_set import TapColumn, TapTable

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CAPABILITIES = "http://www.ivoa.net/xml/VOSICapabilities/v1.0"
_AVAILABILITY = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"
_TABLES = "http://www.ivoa.net/xml/VOSITables/v1.0"
_TYPE = f"{{{_XSI}}}type"
_PREFIXES = {
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
}
_FEATURE = "ivo://ivoa.net/std/tapregext#features-"
FEATURES: dict[str, tuple[str, ...]] = {
    f"{_FEATURE}adqlgeo": tuple(GEOMETRY),
    f"{_FEATURE}adql-string": ("LOWER", "UPPER", "ILIKE"),
    f"{_FEATURE}adql-sets": ("UNION", "EXCEPT", "INTERSECT"),
    f"{_FEATURE}adql-common-table": ("WITH",),
    f"{_FEATURE}adql-type": ("CAST",),
    f"{_FEATURE}adql-conditional": ("COALESCE",),
    f"{_FEATURE}adql-unit": ("IN_UNIT",),
    f"{_FEATURE}adql-offset": ("OFFSET",),
}
"""Optional parts of ADQL 2.1 that the service has, by the identifiers of its section 4.1 (lower case)."""

ET.register_namespace("xsi", _XSI)
ET.register_namespace("vosi", _CAPABILITIES)
ET.register_namespace("avail", _AVAILABILITY)
ET.register_namespace("vtm", _TABLES)


def capabilities(base: str, limits: Limits) -> bytes:
    """The service's capabilities (VOSI 1.1 section 2; TAPRegExt 1.0): only what it really does."""
    root = _root(_CAPABILITIES, "capabilities", "vr", "vs", "tr")
    tap = _capability(root, "ivo://ivoa.net/std/TAP", "tr:TableAccess")
    _interface(tap, base, "base", "1.1")
    language = _add(tap, "language")
    _add(language, "name", "ADQL")
    for version in ("2.0", "2.1"):
        _add(language, "version", version, {"ivo-id": f"ivo://ivoa.net/std/ADQL#v{version}"})
    _add(language, "description", "ADQL; cones are answered through an index over source_id in all their forms.")
    for kind, forms in FEATURES.items():
        features = _add(language, "languageFeatures", attributes={"type": kind})
        for form in forms:
            _add(_add(features, "feature"), "form", form)
    for result_format in FORMATS:
        output = _add(tap, "outputFormat", attributes={"ivo-id": result_format.ivo_id} if result_format.ivo_id else {})
        _add(output, "mime", result_format.media_type)
        for alias in result_format.aliases:
            _add(output, "alias", alias)
    duration = _add(tap, "executionDuration")
    rows = _add(tap, "outputLimit")
    for name, seconds, row_limit in (("default", limits.seconds, limits.default_rows), ("hard", limits.seconds, limits.hard_rows)):
        _add(duration, name, str(int(seconds)))
        _add(rows, name, str(row_limit), {"unit": "row"})
    _interface(_capability(root, "ivo://ivoa.net/std/VOSI#capabilities"), f"{base}/capabilities", "full")
    _interface(_capability(root, "ivo://ivoa.net/std/VOSI#availability"), f"{base}/availability", "full")
    _interface(_capability(root, "ivo://ivoa.net/std/VOSI#tables-1.1"), f"{base}/tables", "full", "1.1")
    return _document(root)


def availability(problem: str | None, up_since: datetime) -> bytes:
    """Whether queries can be answered just now (VOSI 1.1 section 3); ``problem`` says why not."""
    root = _root(_AVAILABILITY, "availability")
    # This schema qualifies its elements, unlike the other two.
    _add(root, f"{{{_AVAILABILITY}}}available", "false" if problem else "true")
    _add(root, f"{{{_AVAILABILITY}}}upSince", up_since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _add(root, f"{{{_AVAILABILITY}}}note", problem or "The database answers.")
    return _document(root)


def tables(published: PublicationTables, *, detail: str = "max") -> bytes:
    """All tables of a publication (VOSI 1.1 section 4); ``detail`` min leaves columns and keys out."""
    root = _root(_TABLES, "tableset", "vs")  # no version attribute: validators with the schema of VOSI 1.0 refuse it
    for schema in published.schemas:
        element = _add(root, "schema")
        _described(element, schema.name, schema.description, schema.utype)
        for table in published.tables:
            if table.schema == schema.name:
                _table(_add(element, "table"), published, table, full=detail != "min")
    return _document(root)


def table(published: PublicationTables, name: str) -> bytes | None:
    """One table in full; None if there is none of that name."""
    for found in published.tables:
        if found.qualified_name == name:
            root = _root(_TABLES, "table", "vs")
            _table(root, published, found, full=True)
            return _document(root)
    return None


def _table(element: ET.Element, published: PublicationTables, table: TapTable, *, full: bool) -> None:
    element.set("type", table.table_type)
    _described(element, table.qualified_name, table.description, None)
    if not full:
        return
    for column in table.columns:
        delimited = (table.qualified_name, column.name) in published.delimited
        _column(element, column, f'"{column.name}"' if delimited else column.name)
    for key in published.keys_from(table.qualified_name):
        foreign = _add(element, "foreignKey")
        _add(foreign, "targetTable", key.target_table)
        for source, target in key.columns:
            pair = _add(foreign, "fkColumn")
            _add(pair, "fromColumn", source)
            _add(pair, "targetColumn", target)
        _optional(foreign, description=key.description, utype=key.utype)


def _column(table: ET.Element, column: TapColumn, name: str) -> None:
    element = _add(table, "column", attributes={"std": "true"} if column.std else {})
    _add(element, "name", name)
    _optional(element, description=column.description, unit=column.unit, ucd=column.ucd, utype=column.utype)
    data_type = _add(element, "dataType", column.datatype, {_TYPE: "vs:VOTableType"})
    if column.arraysize is not None:
        data_type.set("arraysize", column.arraysize)
    if column.xtype is not None:
        data_type.set("extendedType", column.xtype)
    if column.indexed:
        _add(element, "flag", "indexed")
    if column.principal:
        _add(element, "flag", "principal")


def _described(element: ET.Element, name: str, description: str | None, utype: str | None) -> None:
    _add(element, "name", name)
    _optional(element, description=description, utype=utype)


def _capability(root: ET.Element, standard: str, kind: str | None = None) -> ET.Element:
    element = _add(root, "capability", attributes={"standardID": standard})
    if kind is not None:
        element.set(_TYPE, kind)
    return element


def _interface(capability: ET.Element, url: str, use: str, version: str | None = None) -> None:
    attributes = {_TYPE: "vs:ParamHTTP", "role": "std"} | ({"version": version} if version else {})
    _add(_add(capability, "interface", attributes=attributes), "accessURL", url, {"use": use})


def _root(namespace: str, name: str, *prefixes: str) -> ET.Element:
    # xsi:type values name their namespaces by prefix, which ElementTree does not see: declared by hand.
    return ET.Element(f"{{{namespace}}}{name}", {f"xmlns:{prefix}": _PREFIXES[prefix] for prefix in prefixes})


def _add(parent: ET.Element, name: str, text: str | None = None, attributes: dict[str, str] | None = None) -> ET.Element:
    element = ET.SubElement(parent, name, attributes or {})
    element.text = text
    return element


def _optional(parent: ET.Element, **texts: str | None) -> None:
    for name, text in texts.items():
        if text is not None:
            _add(parent, name, text)


def _document(root: ET.Element) -> bytes:
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document
