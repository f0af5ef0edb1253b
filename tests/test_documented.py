"""What can be typed, set or read in a flag stands in the docs."""

import importlib

import click
import pytest

from catalog.quality import QUALITY_FLAGS
from catalog.schema.table_pages import FOLDER, pages
from catalog.settings import Settings
from catalog.version import ROOT
from kiel_main import WORDS

GUIDE = (ROOT / "docs" / "operator_guide.md").read_text()
README = (ROOT / "README.md").read_text()


def verbs() -> list[str]:
    """Every ``kiel WORD [VERB]``."""
    found: list[str] = []
    for word, (module, _sentence) in WORDS.items():
        if word == "test":
            found.append(word)
            continue
        command = importlib.import_module(module).command
        found += [f"{word} {verb}" for verb in command.commands] if isinstance(command, click.Group) else [word]
    return found


@pytest.mark.parametrize("verb", verbs())
def test_every_command_is_documented(verb: str) -> None:
    assert f"kiel {verb}" in GUIDE + README


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"KIEL_{name.upper()}" in GUIDE


@pytest.mark.parametrize("model", list(QUALITY_FLAGS))
def test_every_quality_flag_is_documented_with_its_rule(model: str) -> None:
    page = (ROOT / "docs" / "models" / f"{model}.md").read_text()
    for flag in QUALITY_FLAGS[model]:
        assert f"| {flag.bit} ({flag.mask}) | `{flag.name}` | {flag.rule} |" in page


def test_the_tables_pages_are_those_that_the_schema_gives() -> None:
    written = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    assert written == pages(), "run `python -m catalog.schema.table_pages`"
