"""RESPONSEFORMAT (TAP 1.1 section 2.7.4, DALI 1.1 section 3.4.3): the formats of a result and their names."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from catalog.binary_copy import RawBlock
from tap_service.errors import ParameterError
from tap_service.results.delimited import Csv, Tsv
from tap_service.results.field_types import Field
from tap_service.results.gzipped import Gzipped
from tap_service.results.votable import MEDIA_TYPE, Binary2Data, BinaryData, Info, Serialization, TableData, VOTable


class ResultWriter(Protocol):
    """Turns one result into a document, block by block."""

    def begin(self) -> bytes:
        """Everything before the first row."""

    def rows(self, block: RawBlock) -> bytes:
        """The rows of a block."""

    def end(self, overflow: bool) -> bytes:
        """Everything after the last row."""

    def fail(self, message: str) -> bytes | None:
        """How the document says that it broke; None where it cannot."""


class Writer(Protocol):
    """Makes the writer of one result."""

    def __call__(
        self, fields: tuple[Field, ...], infos: Iterable[Info], epoch: float | None = None, links: str | None = None
    ) -> ResultWriter:
        """The writer; ``links`` is the address of the DataLink service, where results lead to it."""


@dataclass(frozen=True)
class ResultFormat:
    """A format: what Content-Type says, its names in requests (lower case), and what writes it."""

    media_type: str
    aliases: tuple[str, ...]
    writer: Writer
    ivo_id: str | None = None


def _votable(data: Callable[[tuple[Field, ...]], Serialization]) -> Writer:
    return lambda fields, infos, epoch=None, links=None: VOTable(fields, infos, data(fields), epoch, links)


def _gzipped(fields: tuple[Field, ...], infos: Iterable[Info], epoch: float | None = None, links: str | None = None) -> ResultWriter:
    return Gzipped(VOTable(fields, infos, Binary2Data(fields), epoch, links))


BINARY2 = ResultFormat(
    f"{MEDIA_TYPE};serialization=BINARY2",
    ("votable", "votable/b2", "vot", "votable/binary2", MEDIA_TYPE),
    _votable(Binary2Data),
    "ivo://ivoa.net/std/TAPRegExt#output-votable-binary2",
)
TABLEDATA = ResultFormat(
    f"{MEDIA_TYPE};serialization=TABLEDATA",
    ("votable/td", "votable_plain", "votable/tabledata"),
    _votable(TableData),
    "ivo://ivoa.net/std/TAPRegExt#output-votable-td",
)
FORMATS: tuple[ResultFormat, ...] = (
    BINARY2,
    TABLEDATA,
    ResultFormat(
        f"{MEDIA_TYPE};serialization=BINARY",
        ("votable/b", "votable/binary"),
        _votable(BinaryData),
        "ivo://ivoa.net/std/TAPRegExt#output-votable-binary",
    ),
    ResultFormat("text/xml", (), _votable(TableData)),
    ResultFormat("application/gzip", ("votable_gzip",), _gzipped),
    ResultFormat("text/csv;header=present", ("csv", "text/csv"), lambda fields, infos, epoch=None, links=None: Csv(fields)),
    ResultFormat("text/csv;header=absent", (), lambda fields, infos, epoch=None, links=None: Csv(fields, header=False)),
    ResultFormat("text/tab-separated-values", ("tsv",), lambda fields, infos, epoch=None, links=None: Tsv(fields)),
)


def format_named(name: str) -> ResultFormat:
    """The format that a request names; ParameterError lists what there is.

    The answer carries the media type that was asked for (TAP 1.1 section 2.7.4). A ``+`` that a client forgot to escape arrives as a space.
    """
    asked = ";".join(part.strip() for part in name.split(";")).lower().replace("x-votable xml", "x-votable+xml")
    for result_format in FORMATS:
        if asked == result_format.media_type.lower() or asked in result_format.aliases:
            plain = asked == MEDIA_TYPE
            return replace(result_format, media_type=asked) if plain else result_format
    short = ", ".join(alias for result_format in FORMATS for alias in result_format.aliases[:1])
    raise ParameterError(f"RESPONSEFORMAT {name!r} is not offered; choose one of {short}, or a media type that /capabilities lists.")
