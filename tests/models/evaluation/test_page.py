"""The page: self-contained, every text escaped, every figure with an alternative text, numbers as people read them."""

import base64
import re
from html.parser import HTMLParser

import pytest

from models.evaluation.drawing import Drawing
from models.evaluation.page import NumberTable, Page, Section, anchor, number

NUMBERS = {
    "text": ("a word", "a word"), "nothing": (None, ""), "whole": (1234567, "1,234,567"), "yes": (True, "yes"), "not a number": (float("nan"), "–"),
    "three digits": (0.123456, "0.123"), "large": (123456.7, "123457"), "huge": (1.5e9, "1.50e+09"), "tiny": (1.23456e-9, "1.23e-09"),
    "zero": (0.0, "0"), "negative": (-12.34, "-12.3"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "text"), NUMBERS.values(), ids=NUMBERS.keys())
def test_a_number_is_shown(value, text) -> None:
    assert number(value) == text


def test_the_page_holds_everything_and_escapes_it() -> None:
    drawing = Drawing("figure_1", "Title <b>", 'A "caption" & more.', lambda figure: None, (1.0, 1.0))
    section = Section("One & two", "Words <script>", [NumberTable("Caption", ("a", "b"), (("x<y", 0.5), (None, 2)))], [drawing])
    page = Page("Evaluation <1>", "All stars are simulated.", (("Command", "kiel model evaluate"),), [section]).html()
    assert "<script>" not in page
    assert "x&lt;y" in page
    assert f'src="data:image/png;base64,{base64.b64encode(drawing.png).decode()}"' in page
    assert "All stars are simulated." in page
    assert "kiel model evaluate" in page
    assert f'href="#{anchor(section.title)}"' in page
    assert f'id="{anchor(section.title)}"' in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "the page names something outside itself"
    seen = _Tags()
    seen.feed(page)
    assert seen.open == []
    assert seen.alternatives == ['Title <b> A "caption" & more.']


def test_a_page_of_real_stars_has_no_warning() -> None:
    assert 'class="warning"' not in Page("t", "", ()).html()


class _Tags(HTMLParser):
    """Looks whether every tag is closed, and what the images' alternative texts are."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.alternatives: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.alternatives.append(dict(attrs).get("alt"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
