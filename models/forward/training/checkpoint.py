"""Where a training stands, kept in a file so that one that was killed goes on from there and ends in the same weights.

The file is replaced whole, by a rename, and goes when the training has ended. It belongs to one identity: model, settings, sample and seed.
"""

import os
import time
from pathlib import Path
from typing import Any

import torch

from catalog.errors import TransientError

INTERVAL = 20.0
"""Seconds between two writes; what a killed training loses at most."""


class Checkpoint:
    """The file of one training. ``interval`` in seconds, 0 writes each time it is asked."""

    def __init__(self, path: Path, interval: float = INTERVAL) -> None:
        self.path, self.interval = path, interval
        self._written = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """What was kept, or None. A file that cannot be read (its disk was full, its format is older) counts as none."""
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception:  # torch raises whatever its readers raise; a new start costs time only
            self.discard()
            return None
        return state

    def due(self) -> bool:
        """Whether the interval has passed since the last write."""
        return time.monotonic() - self._written >= self.interval

    def save(self, state: dict[str, Any]) -> None:
        """Replace what is kept; TransientError where the disk does not take it, with what was kept before still there."""
        new = self.path.with_suffix(f".{os.getpid()}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, new)
            new.replace(self.path)
        except (OSError, RuntimeError) as error:  # torch's own writer raises RuntimeError
            if new.exists():
                new.unlink()
            raise TransientError(
                f"the training's state could not be written to {self.path} ({error}): free some room, or set KIEL_HOME to a larger disk, and train again."
            ) from error
        self._written = time.monotonic()

    def discard(self) -> None:
        """Remove the file, if it is there."""
        self.path.unlink(missing_ok=True)
