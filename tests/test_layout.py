"""The layout: packages come from this checkout, layers hold, names say what a file is for, and starting is cheap."""

import ast
import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.version import ROOT

PACKAGES = [name for name in ("catalog", "ingest", "models", "tap_service") if (ROOT / name).is_dir()]
EMPTY_WORDS = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "base", "core", "new", "old", "final", "tools", "stuff"}
SOURCES = sorted(
    path
    for path in ROOT.rglob("*")
    if path.suffix in (".py", ".sql") and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts)
)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_come_from_this_checkout_and_from_nowhere_else(package: str) -> None:
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file).parent == ROOT / package
    others = [name for name in importlib.metadata.packages_distributions().get(package, []) if name != "kiel"]
    assert others == [], f"{package} is also the name of a package of {others}"


def test_no_module_is_named_like_the_standard_library() -> None:
    roots = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in SOURCES}
    assert roots.isdisjoint(sys.stdlib_module_names)


def test_file_names_say_what_is_in_them() -> None:
    empty = [str(path.relative_to(ROOT)) for path in SOURCES if EMPTY_WORDS & set(path.stem.split("_"))]
    assert empty == []


def test_every_file_begins_with_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.suffix == ".py" and not path.read_text().lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []


@pytest.mark.parametrize(
    "package", [path.parent for path in SOURCES if path.name == "__init__.py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_package_says_what_each_of_its_modules_is_for(package: Path) -> None:
    told = (ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or "").replace(",", " ").split()
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert (modules | folders) - {word.strip("():") for word in told} == set()


def test_no_package_lies_under_tests() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == [], "tests/models/__init__.py would become the package models"


def test_layers_hold() -> None:
    check = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("catalog.commands", ("torch", "dask", "distributed", "starlette", "gaiaxpy")),
        ("tap_service.app", ("torch", "dask", "distributed", "gaiaxpy")),
        ("kiel_main", ("torch", "dask", "sqlalchemy", "psycopg", "numpy", "astropy")),
        ("tap_service.adql.parse", ("sqlalchemy", "psycopg", "numpy", "astropy", "healpy")),
    ],
)
def test_starting_a_part_does_not_load_what_another_part_needs(module: str, forbidden: tuple[str, ...]) -> None:
    if not ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file():
        pytest.skip(f"needs the module {module}")
    loaded = subprocess.run(
        [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(forbidden).isdisjoint(loaded)


def test_the_repository_carries_no_path_of_a_machine_and_no_registry() -> None:
    for path in SOURCES:
        if path == Path(__file__):
            continue
        text = path.read_text()
        for word in ("/work/", "pypi.org", "/home/", "download.pytorch"):
            assert word not in text, f"{path.relative_to(ROOT)} carries {word}"
