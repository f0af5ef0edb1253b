"""Verbs that every model answers in its own way: ``kiel model VERB MODEL``, each model's command with options of its own.

A model's commands are the click commands of those names in its module here, imported when a verb is used.
"""

import importlib
from types import ModuleType

import click

from catalog.errors import UsageError

MODULES = {
    "scatter_vae": "models.scatter_vae_commands",
    "forward": "models.forward.commands",
}


def commands_of(model: str) -> ModuleType:
    """The module of a model's commands."""
    return importlib.import_module(MODULES[model])


class ModelCommands(click.Group):
    """A verb; its commands are the models that have it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: D102
        assert self.name is not None
        return [model for model in MODULES if hasattr(commands_of(model), self.name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: D102
        there = self.list_commands(ctx)
        if cmd_name not in there:
            raise UsageError(f"`kiel model {self.name}` is there for {', '.join(there)}, not for {cmd_name!r}.")
        found: click.Command = getattr(commands_of(cmd_name), str(self.name))
        return found


evaluate = ModelCommands("evaluate", help="Measure a version on held-out stars and keep the figures with it.")
predict = ModelCommands("predict", help="What a version says, for parameters that you give.")
residuals = ModelCommands("residuals", help="Flux residuals of stars that a run has labelled, recomputed.")

VERBS = (evaluate, predict, residuals)
