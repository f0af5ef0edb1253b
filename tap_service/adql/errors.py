"""What can be wrong with a query, always with its place in the text.

AdqlError
|-- AdqlSyntaxError        the text does not follow the grammar
|-- AdqlNameError          a table, column or function that is not there, or a name that means two things
|-- AdqlTypeError          values that do not go together
`-- AdqlUnsupportedError   right ADQL that this service does not offer
"""

from dataclasses import dataclass
from typing import NoReturn

from catalog.errors import UsageError

_EXCERPT = 60
"""Characters of the line that are shown before and after the place."""


class AdqlError(UsageError):
    """A query that cannot be answered as written; ``str`` gives the message, the line and a caret under the place.

    ``line`` and ``column`` count from 1; ``message`` is the sentence alone.
    """

    def __init__(self, message: str, text: str, place: int) -> None:
        before = text[:place]
        start = before.rfind("\n") + 1
        end = text.find("\n", place)
        self.message = message
        self.line = before.count("\n") + 1
        self.column = place - start + 1
        end = end if end >= 0 else len(text)
        first, last = max(start, place - _EXCERPT), min(end, place + _EXCERPT)
        excerpt = "".join(c if c.isprintable() else " " for c in text[first:last])
        excerpt = f"{'...' if first > start else ''}{excerpt}{'...' if last < end else ''}"
        caret = " " * (place - first + (3 if first > start else 0)) + "^"
        super().__init__(f"{message} (line {self.line}, column {self.column})\n  {excerpt}\n  {caret}")


class AdqlSyntaxError(AdqlError):
    """The text does not follow the grammar of ADQL."""


class AdqlNameError(AdqlError):
    """A name that means nothing here, or more than one thing."""


class AdqlTypeError(AdqlError):
    """Values that do not go together, or a value in the place of a condition."""


class AdqlUnsupportedError(AdqlError):
    """Right ADQL that this service does not offer; the message names what it does."""


@dataclass(frozen=True)
class QueryText:
    """The text of the query in hand, for messages that point into it."""

    text: str

    def fail(self, kind: type[AdqlError], message: str, place: int) -> NoReturn:
        """Raise an error of a kind that points at a place."""
        raise kind(message, self.text, place)
