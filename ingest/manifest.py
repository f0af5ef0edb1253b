"""The archive's list of MD5 sums that lies beside its files: ``_MD5SUM.txt``, one ``<md5><two spaces><name>`` a line (GNU md5sum's output)."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import DataError

NAME = "_MD5SUM.txt"

_LINE = re.compile(r"([0-9a-fA-F]{32}) [ *](.+)", re.DOTALL)


@dataclass(frozen=True)
class Manifest:
    """The sums of a folder: name -> MD5 (lower case); ``not_understood`` holds the numbers of lines that are none."""

    path: Path
    sums: dict[str, str]
    not_understood: tuple[int, ...]

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """The manifest in a file; DataError where it cannot be read."""
        try:
            lines = [os.fsdecode(line.removesuffix(b"\r")) for line in path.read_bytes().split(b"\n")]
        except OSError as error:
            raise DataError(f"the manifest {path} cannot be read ({error.strerror}); correct that, or move it away") from error
        sums: dict[str, str] = {}
        wrong: list[int] = []
        for number, line in enumerate(lines, 1):
            if match := _LINE.fullmatch(line):
                sums[match[2].removeprefix("./")] = match[1].lower()
            elif line.strip():
                wrong.append(number)
        return cls(path, sums, tuple(wrong))

    def missing(self) -> list[str]:
        """The names to which no file belongs."""
        return [name for name in self.sums if not (self.path.parent / name).is_file()]

    def notes(self) -> list[str]:
        """What an operator should know of it: files that are not there, lines that say nothing."""
        notes = []
        if missing := self.missing():
            notes.append(f"{self.path} names {len(self.sums)} files, of which {len(missing)} are not there: {_some(missing)}")
        if self.not_understood:
            notes.append(f"{self.path} has lines that are no MD5 sum: {_some([str(number) for number in self.not_understood])}")
        return notes


def manifest_sum(path: Path) -> str | None:
    """The MD5 that the manifest in a file's folder has for it; None where there is no manifest, or it does not name the file."""
    manifest = path.parent / NAME
    return Manifest.read(manifest).sums.get(path.name) if manifest.is_file() else None


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
