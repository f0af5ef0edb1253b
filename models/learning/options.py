"""Options of the commands that train: preset, release, and settings as NAME=VALUE."""

import json
from typing import Any

import click

from catalog.errors import UsageError

preset_option = click.option(
    "--preset", default=None, help="Training preset; default: the model's first, for results; short is for a demonstration."
)
release_option = click.option("--release", "release_name", default="gaia_dr3", show_default=True, help="Release whose stars to learn from.")
settings_option = click.option(
    "--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Replace a setting of the preset (JSON value)."
)


def assigned(assignments: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE words as settings; a value that is no JSON is a word."""
    found: dict[str, Any] = {}
    for word in assignments:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, not {word!r}.")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found
