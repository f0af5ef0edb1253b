"""What can be typed, set or read in a flag stands in the docs."""

import ast
import importlib
import re
from pathlib import Path

import click
import pytest

from catalog.quality import QUALITY_FLAGS
from catalog.schema.ingest_ledger import FILE_STATES
from catalog.schema.public_views import PUBLIC_VIEWS
from catalog.schema.table_pages import FOLDER, pages
from catalog.settings import Settings
from catalog.version import ROOT
from ingest.product import Product
from ingest.registry import PRODUCTS
from kiel_main import WORDS

GUIDE = (ROOT / "docs" / "operator_guide.md").read_text()
INGEST = (ROOT / "docs" / "ingest.md").read_text()
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
    assert f"kiel {verb}" in GUIDE + INGEST + README


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"KIEL_{name.upper()}" in GUIDE


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_every_product_is_documented_with_its_table_view_and_key(product: Product) -> None:
    row = next(line for line in INGEST.splitlines() if line.startswith(f"| `{product.name}` |"))
    _, _, _, table, view, key, _, _ = row.split("|")
    assert table.strip() == f"`{product.table.name}`"
    assert key.split("(")[0].strip() == ", ".join(product.key)
    schema, name = view.strip(" `").split(".")
    assert any(
        view.name == name and schema in (f"{view.schema}dr3", f"{view.schema}_dr3", f"{view.schema}dr4", view.archive_schema)
        for view in PUBLIC_VIEWS
    )


@pytest.mark.parametrize("state", FILE_STATES)
def test_every_state_of_a_file_is_documented(state: str) -> None:
    assert f"| `{state}` |" in INGEST


def reject_reasons() -> set[str]:
    """The reasons that checks of rows write as they are, without those that are put together of a column's name."""
    calls = (
        node for path in (ROOT / "ingest").rglob("*.py") for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    )
    seconds = (call.args[1] for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "reject" and len(call.args) > 1)
    return {second.value for second in seconds if isinstance(second, ast.Constant) and isinstance(second.value, str)}


def test_every_reason_of_a_reject_is_documented() -> None:
    reasons = reject_reasons() | {product.duplicate_reason for product in PRODUCTS}
    assert len(reasons) > 15
    assert {reason for reason in reasons if f"`{reason}`" not in INGEST and not reason.startswith("wrong_number_of_")} == set()


def test_every_page_is_linked_from_the_readme() -> None:
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md") if path.parent != FOLDER} | {"docs/tables/README.md"}
    assert {page for page in pages if f"]({page})" not in README} == set()


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^):]+)\)", page.read_text())]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("model", list(QUALITY_FLAGS))
def test_every_quality_flag_is_documented_with_its_rule(model: str) -> None:
    page = (ROOT / "docs" / "models" / f"{model}.md").read_text()
    for flag in QUALITY_FLAGS[model]:
        assert f"| {flag.bit} ({flag.mask}) | `{flag.name}` | {flag.rule} |" in page


def test_the_tables_pages_are_those_that_the_schema_gives() -> None:
    written = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    assert written == pages(), "run `python -m catalog.schema.table_pages`"
