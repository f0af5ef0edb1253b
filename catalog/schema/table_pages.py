"""The docs' page of each public table, from the same descriptions as DDL and TAP_SCHEMA. ``python -m catalog.schema.table_pages`` writes them."""

from pathlib import Path

from catalog.schema.column import Column, PublicView
from catalog.schema.public_views import OF_DEFAULT_RELEASE, PER_RELEASE, PUBLIC_VIEWS
from catalog.version import ROOT

FOLDER = ROOT / "docs" / "tables"

_QUERIED_AS = {kind: name.format(suffix="dr3") for kind, name in PER_RELEASE.items()}
"""Schemas that are made once a release, under the name that they have for Gaia DR3."""


def page_name(view: PublicView) -> str:
    """The page's file name."""
    return f"{view.schema}.{view.name}.md"


def page(view: PublicView) -> str:
    """A table's page in Markdown: what it is, how it is queried, and every column."""
    schema = _QUERIED_AS.get(view.schema, view.schema)
    lines = [f"# {view.schema}.{view.name}", "", view.description, "", f"    SELECT TOP 10 * FROM {schema}.{view.name}", ""]  # noqa: S608
    if view.schema in OF_DEFAULT_RELEASE:
        lines += [f"`{view.schema}.{view.name}` is the same table of the default release; other releases have schemas of their own.", ""]
    if view.archive_schema is not None:
        lines += [f"`{view.archive_schema}.{view.name}`, the archive's own name, is the same table of Gaia DR3.", ""]
    if view.position is not None:
        lines += [
            f"Positions are found through the index: `DISTANCE({view.position.lon}, {view.position.lat}, lon, lat) < r` in degrees.",
            "",
        ]
    lines += ["| column | type | unit | UCD | description |", "|---|---|---|---|---|", *map(_row, view.columns)]
    return "\n".join(lines) + "\n"


def _row(column: Column) -> str:
    array = f"[{column.arraysize}]" if column.arraysize and column.type.votable != "char" else ""
    return f"| `{column.name}` | {column.type.votable}{array} | {column.unit or ''} | {column.ucd or ''} | {column.description} |"


def index() -> str:
    """The list of all pages."""
    lines = ["# Tables", "", "Made from the schema by `python -m catalog.schema.table_pages`.", "", "| table | what |", "|---|---|"]
    lines += [f"| [{view.schema}.{view.name}]({page_name(view)}) | {view.description} |" for view in PUBLIC_VIEWS]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {page_name(view): page(view) for view in PUBLIC_VIEWS} | {"README.md": index()}


def write_pages(folder: Path = FOLDER) -> None:
    """Write every page, and remove those of tables that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for old in folder.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write_pages()
