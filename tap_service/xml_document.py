"""VOSI's documents as XML: namespaces, elements, and the bytes that leave."""

from xml.etree import ElementTree as ET

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
CAPABILITIES = "http://www.ivoa.net/xml/VOSICapabilities/v1.0"
AVAILABILITY = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"
TABLES = "http://www.ivoa.net/xml/VOSITables/v1.0"
TAP_PLUS = "http://esa.int/xml/EsaTapPlus"
_PREFIXES = {
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    "cs": "http://www.ivoa.net/xml/ConeSearch/v1.0",
}

ET.register_namespace("xsi", "http://www.w3.org/2001/XMLSchema-instance")
ET.register_namespace("vosi", CAPABILITIES)
ET.register_namespace("avail", AVAILABILITY)
ET.register_namespace("vtm", TABLES)
ET.register_namespace("esatapplus", TAP_PLUS)


def root(namespace: str, name: str, *prefixes: str) -> ET.Element:
    """The root element; ``prefixes`` are those that values of xsi:type in it begin with."""
    # ElementTree does not see prefixes inside values, so their namespaces are declared by hand.
    return ET.Element(f"{{{namespace}}}{name}", {f"xmlns:{prefix}": _PREFIXES[prefix] for prefix in prefixes})


def add(parent: ET.Element, name: str, text: str | None = None, attributes: dict[str, str] | None = None) -> ET.Element:
    """A new last child."""
    element = ET.SubElement(parent, name, attributes or {})
    element.text = text
    return element


def add_known(parent: ET.Element, **texts: str | None) -> None:
    """A child for each text that is not None, in their order."""
    for name, text in texts.items():
        if text is not None:
            add(parent, name, text)


def document(element: ET.Element) -> bytes:
    """The whole document in UTF-8."""
    ET.indent(element)
    written: bytes = ET.tostring(element, encoding="UTF-8", xml_declaration=True)
    return written
