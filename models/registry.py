"""The models there are: one name everywhere (command, table suffix, view), one module each, imported on use."""

import importlib
from typing import cast

from catalog.errors import UsageError
from models.spec import ModelModule

MODELS: dict[str, str] = {
    "scatter_vae": "models.scatter_vae",
    "forward": "models.forward.model",
}


def model_module(name: str) -> ModelModule:
    """The module of a model; UsageError lists the names there are."""
    if name not in MODELS:
        raise UsageError(f"There is no model {name!r}; the models are {', '.join(MODELS)}.")
    return cast(ModelModule, importlib.import_module(MODELS[name]))
