"""The documents at .../capabilities (VOSI 1.1 section 2): what the TAP service, a cone search and the DataLink service can do, and no more.

Why the features of ADQL stand under ``ivo://ivoa.net/std/TAPRegExt#...``: identifiers of the IVOA are equal without regard to case, TAPRegExt 1.0
writes them so, ADQL 2.1 section 4.1 in lower case. pyvo takes either; STILTS 3.4.7, TOPCAT's editor and the ADQL library of CDS compare letter by
letter with this spelling, and do not know a user-defined function that is declared under the other.
"""

from xml.etree import ElementTree as ET

from tap_service.adql.geometry import GEOMETRY
from tap_service.adql.udf import UDFS
from tap_service.limits import Limits
from tap_service.results.formats import FORMATS
from tap_service.results.service_descriptor import DATALINK_STANDARD, DATALINK_TYPE
from tap_service.results.votable import MEDIA_TYPE
from tap_service.xml_document import CAPABILITIES, XSI_TYPE, add, document, root

_FEATURE = "ivo://ivoa.net/std/TAPRegExt#features-"
FEATURES: dict[str, tuple[str, ...]] = {
    f"{_FEATURE}adqlgeo": tuple(GEOMETRY),
    f"{_FEATURE}adql-string": ("LOWER", "UPPER", "ILIKE"),
    f"{_FEATURE}adql-sets": ("UNION", "EXCEPT", "INTERSECT"),
    f"{_FEATURE}adql-common-table": ("WITH",),
    f"{_FEATURE}adql-type": ("CAST",),
    f"{_FEATURE}adql-unit": ("IN_UNIT",),
    f"{_FEATURE}adql-offset": ("OFFSET",),
}
"""Optional parts of ADQL 2.1 that the service has, by the identifiers of its section 4.1."""

FUNCTIONS: tuple[tuple[str, str], ...] = (
    (
        "COALESCE(a DOUBLE PRECISION, b DOUBLE PRECISION) -> DOUBLE PRECISION",
        "The first argument that is not null: any number of arguments of any one type. A function of the language in ADQL 2.1.",
    ),
)
"""Functions beyond ADQL 2.0 that have no group of their own there. COALESCE would be #features-adql-conditional, which STILTS 3.4.7 calls unknown."""


def tap_capabilities(base: str, limits: Limits) -> bytes:
    """Capabilities of the TAP service at ``base`` (TAPRegExt 1.0)."""
    element = root(CAPABILITIES, "capabilities", "vr", "vs", "tr")
    tap = _capability(element, "ivo://ivoa.net/std/TAP", "tr:TableAccess")
    _interface(tap, base, "base", "1.1")
    _language(tap)
    for result_format in FORMATS:
        output = add(tap, "outputFormat", attributes={"ivo-id": result_format.ivo_id} if result_format.ivo_id else {})
        add(output, "mime", result_format.media_type)
        for alias in result_format.aliases:
            add(output, "alias", alias)
    for method in ("inline", "http", "https"):
        add(tap, "uploadMethod", attributes={"ivo-id": f"ivo://ivoa.net/std/TAPRegExt#upload-{method}"})
    _limit(tap, "retentionPeriod", limits.retention_seconds, limits.retention_hard_seconds)
    _limit(tap, "executionDuration", limits.job_seconds, limits.job_hard_seconds)
    _limit(tap, "outputLimit", limits.default_rows, limits.hard_rows, "row")
    _limit(tap, "uploadLimit", limits.upload_bytes, limits.upload_bytes, "byte")
    _resources(element, base)
    _interface(_capability(element, "ivo://ivoa.net/std/VOSI#tables-1.1"), f"{base}/tables", "full", "1.1")
    examples = add(_capability(element, "ivo://ivoa.net/std/DALI#examples"), "interface", attributes={XSI_TYPE: "vr:WebBrowser"})
    add(examples, "accessURL", f"{base}/examples", {"use": "full"})
    return document(element)


def cone_capabilities(base: str, max_rows: int) -> bytes:
    """Capabilities of a cone search at ``base`` (SimpleDALRegExt 1.1 section 3.1): any radius, VERB understood."""
    element = root(CAPABILITIES, "capabilities", "vr", "vs", "cs")
    cone = _capability(element, "ivo://ivoa.net/std/ConeSearch", "cs:ConeSearch")
    interface = _interface(cone, base, "base")
    add(interface, "queryType", "GET")
    add(interface, "resultType", MEDIA_TYPE)
    add(cone, "maxSR", "180")
    add(cone, "maxRecords", str(max_rows))
    add(cone, "verbosity", "true")
    test = add(cone, "testQuery")
    for name, value in (("ra", "45"), ("dec", "0.5"), ("sr", "0.1")):
        add(test, name, value)
    _resources(element, base)
    return document(element)


def datalink_capabilities(base: str) -> bytes:
    """Capabilities of the DataLink service at ``base``, whose documents come from ``{base}/links`` (DataLink 1.1 section 2.1)."""
    element = root(CAPABILITIES, "capabilities", "vr", "vs")
    interface = _interface(_capability(element, DATALINK_STANDARD), f"{base}/links", "base", "1.1")
    add(interface, "resultType", DATALINK_TYPE)
    _resources(element, base)
    return document(element)


def _language(tap: ET.Element) -> None:
    language = add(tap, "language")
    add(language, "name", "ADQL")
    for version in ("2.0", "2.1"):
        add(language, "version", version, {"ivo-id": f"ivo://ivoa.net/std/ADQL#v{version}"})
    add(language, "description", "ADQL; regions of the sky are found through an index over source_id in all their forms.")
    for kind, forms in FEATURES.items():
        features = add(language, "languageFeatures", attributes={"type": kind})
        for form in forms:
            add(add(features, "feature"), "form", form)
    features = add(language, "languageFeatures", attributes={"type": f"{_FEATURE}udf"})
    for signature, sentence in (*FUNCTIONS, *((form, udf.description) for udf in UDFS.values() for form in udf.signatures)):
        feature = add(features, "feature")
        add(feature, "form", signature)
        add(feature, "description", sentence)


def _limit(tap: ET.Element, name: str, default: int, hard: int, unit: str | None = None) -> None:
    """A limit; times are in seconds and have no unit here (TAPRegExt 1.0 section 2.6)."""
    limit = add(tap, name)
    for kind, value in (("default", default), ("hard", hard)):
        add(limit, kind, str(value), {"unit": unit} if unit else {})


def _resources(element: ET.Element, base: str) -> None:
    """Where the service at ``base`` tells of itself."""
    for name in ("capabilities", "availability"):
        _interface(_capability(element, f"ivo://ivoa.net/std/VOSI#{name}"), f"{base}/{name}", "full")


def _capability(element: ET.Element, standard: str, kind: str | None = None) -> ET.Element:
    capability = add(element, "capability", attributes={"standardID": standard})
    if kind is not None:
        capability.set(XSI_TYPE, kind)
    return capability


def _interface(capability: ET.Element, url: str, use: str, version: str | None = None) -> ET.Element:
    interface = add(
        capability, "interface", attributes={XSI_TYPE: "vs:ParamHTTP", "role": "std"} | ({"version": version} if version else {})
    )
    add(interface, "accessURL", url, {"use": use})
    return interface
