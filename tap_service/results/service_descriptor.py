"""The DataLink service descriptor of a result (DataLink 1.1 section 4): from a row's source_id to what there is about the source."""

import re
from collections.abc import Sequence

from tap_service.results.field_types import Field
from tap_service.results.xml_text import attribute

SKY_SYSTEM, TIME_SYSTEM = "ICRS", "UTC"
"""IDs of the systems that positions and times of a document are in."""
SYSTEMS = (SKY_SYSTEM, TIME_SYSTEM)
DATALINK_STANDARD = "ivo://ivoa.net/std/DataLink#links-1.1"
DATALINK_TYPE = "application/x-votable+xml;content=datalink"
"""Media type of a links document."""
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_DESCRIPTOR = """<RESOURCE type="meta" utype="adhoc:service" name="links_{column}">
<DESCRIPTION>Spectra, labels, surveys and other rows of a source.</DESCRIPTION>
<PARAM name="standardID" datatype="char" arraysize="*" value="{standard}"/>
<PARAM name="accessURL" datatype="char" arraysize="*" value={address}/>
<PARAM name="contentType" datatype="char" arraysize="*" value="{media_type}"/>
<GROUP name="inputParams">
<PARAM name="ID" datatype="char" arraysize="*" value="" ref="{column}"/>
<PARAM name="RELEASE" datatype="char" arraysize="*" value={release}/>
</GROUP>
</RESOURCE>
"""


def field_id(fields: Sequence[Field], number: int) -> str | None:
    """The XML ID of a column that holds identifiers of sources, by its number from 0; None for any other.

    It is the column's name wherever that may be an ID: readers such as astroquery call a column that has an ID by it.
    """
    field = fields[number]
    if field.source_release is None:
        return None
    may_be_id = _NAME.fullmatch(field.name) and field.name not in SYSTEMS
    return field.name if may_be_id else f"source-{number + 1}"


def descriptors(fields: Sequence[Field], address: str) -> str:
    """A descriptor for each such column; ``address`` is that of the links service."""
    return "".join(
        _DESCRIPTOR.format(
            column=column,
            standard=DATALINK_STANDARD,
            media_type=DATALINK_TYPE,
            address=attribute(address),
            release=attribute(field.source_release or ""),
        )
        for number, field in enumerate(fields)
        if (column := field_id(fields, number)) is not None
    )
