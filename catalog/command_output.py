"""What a command prints: one sentence for people, or with ``--json`` one JSON object for programs."""

import json
from collections.abc import Mapping
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a sentence.")


def report(result: Mapping[str, Any], sentence: str, as_json: bool) -> None:
    """Prints the result of a command; values that JSON does not know (paths, times) become text."""
    click.echo(json.dumps(result, default=str) if as_json else sentence)
