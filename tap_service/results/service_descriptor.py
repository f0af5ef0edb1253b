"""The DataLink service descriptor of a result (DataLink 1.1 section 4): from a row's source_id to what there is about the source."""

import re
from collections.abc import Iterable

from tap_service.results.field_types import Field
from tap_service.results.xml_text import attribute

SKY_SYSTEM, TIME_SYSTEM = SYSTEMS = ("ICRS", "UTC")
"""IDs of the document's systems of coordinates and times."""
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

_DESCRIPTOR = """<RESOURCE type="meta" utype="adhoc:service" name="links_{column}">
<DESCRIPTION>Spectra, labels, surveys and other rows of a source.</DESCRIPTION>
<PARAM name="standardID" datatype="char" arraysize="*" value="ivo://ivoa.net/std/DataLink#links-1.1"/>
<PARAM name="accessURL" datatype="char" arraysize="*" value={address}/>
<PARAM name="contentType" datatype="char" arraysize="*" value="application/x-votable+xml;content=datalink"/>
<GROUP name="inputParams">
<PARAM name="ID" datatype="char" arraysize="*" value="" ref="{column}"/>
<PARAM name="RELEASE" datatype="char" arraysize="*" value={release}/>
</GROUP>
</RESOURCE>
"""


def field_id(field: Field) -> str | None:
    """The XML ID of a column that holds identifiers of sources; None for any other, and for a name that cannot be an ID.

    It is the column's name, because astropy calls a column by its ID where it has one.
    """
    return field.name if field.source_release is not None and _ID.fullmatch(field.name) and field.name not in SYSTEMS else None


def descriptors(fields: Iterable[Field], address: str) -> str:
    """A descriptor for each such column; ``address`` is that of the links service."""
    return "".join(
        _DESCRIPTOR.format(column=column, address=attribute(address), release=attribute(field.source_release or ""))
        for field in fields
        if (column := field_id(field)) is not None
    )
