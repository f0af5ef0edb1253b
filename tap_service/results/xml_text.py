"""Text as XML 1.0 can hold it."""

from xml.sax.saxutils import escape, quoteattr

NOT_XML = dict.fromkeys((*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF))
"""Characters that no XML 1.0 document may hold; they are dropped."""


def attribute(value: str) -> str:
    """A quoted XML attribute; line ends and tabs survive the parser's normalisation as character references."""
    return quoteattr(value.translate(NOT_XML), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def content(value: str) -> str:
    """Character data of an element."""
    return escape(value.translate(NOT_XML), {"\r": "&#13;"})
