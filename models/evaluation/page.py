"""An evaluation as one HTML page that needs nothing else: tables, figures as inline images with alternative texts, and where it all comes from.

The template is page.html beside this file; every text is escaped by it.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from models.evaluation.drawing import Drawing

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class NumberTable:
    """A table of text and numbers with a caption; numbers are shown to three significant digits."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Section:
    """A part of a page: words, then tables, then figures."""

    title: str
    words: str = ""
    tables: Sequence[NumberTable] = ()
    drawings: Sequence[Drawing] = ()


@dataclass(frozen=True)
class Page:
    """A whole page. ``warning`` stands above everything else (that all stars are simulated); ``facts`` are names with values, such as the command."""

    title: str
    warning: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section] = field(default_factory=list)

    def html(self) -> str:
        """The page."""
        environment = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters |= {"number": number, "anchor": anchor, "inline": inline}
        return environment.get_template("page.html").render(page=self)


def number(value: Any) -> str:
    """Text as it is, whole numbers with separators, others to three significant digits, nothing for what is not there."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if value != value:
        return "–"
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        text = f"{value:.3g}"
        return f"{value:.0f}" if "e" in text else text
    return f"{value:.2e}"


def anchor(title: str) -> str:
    """A title as the name of its place on the page."""
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower()).strip("-")


def inline(png: bytes) -> str:
    """An image as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
