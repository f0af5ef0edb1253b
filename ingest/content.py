"""Whether a file holds the bytes that were added: before it is read, after it has been read, and as its folder's manifest has them.

What was read is what was hashed when nothing wrote to the file in between. The system keeps count of that: size, inode, times of change (the
last cannot be set back by a program). Only where they moved, or where the last change was so recent that one more might share its time, the
file is hashed a second time; so a large file is read twice, not three times.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import DataError
from ingest.faults import file_faults
from ingest.manifest import NAME, manifest_sum
from ingest.source_file import SourceFile

_RECENT_NS = 2_000_000_000
"""The coarsest step of change times in use (2 s of FAT; kernels' own is some 4 ms)."""

_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Content:
    """A file's bytes as verified: they were ``sha256``, and ``md5`` where its folder's manifest has a sum for it."""

    source: SourceFile
    sha256: str
    md5: str | None
    _stamp: _Stamp
    _settled: bool

    def require_unchanged(self) -> None:
        """DataError when the file does not hold the same bytes any more."""
        try:
            same = (self._settled and _stamp(self.source.path) == self._stamp) or self.source.digest().sha256 == self.sha256
        except (OSError, DataError):
            same = False
        if not same:
            raise DataError(f"{self.source.name} changed while it was read; add it again when it is whole")


def verified(source: SourceFile, sha256: str, seen: Callable[[int], None] = lambda size: None) -> Content:
    """The file's bytes, hashed; ``seen`` hears how many have been. DataError when they are not those added, or not the manifest's."""
    with file_faults(source.name):
        before = _stamp(source.path)
        expected = manifest_sum(source.path)
        digest = source.digest(with_md5=expected is not None and source.member is None, seen=seen)
        if digest.sha256 != sha256:
            raise DataError(f"{source.name} has changed since it was added (its SHA-256 is {digest.sha256}, it was {sha256}); add it again")
        md5 = digest.md5 if expected is None or source.member is None else _md5_of(source.path)
    if expected is not None and md5 != expected:
        raise DataError(f"{source.path} has the MD5 sum {md5}, {source.path.parent / NAME} says {expected}; fetch the file again")
    return Content(source, sha256, md5, before, time.time_ns() - max(before[2:]) > _RECENT_NS)


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _md5_of(archive: Path) -> str:
    """The sum of the zip archive of which a member is loaded: that is what a manifest names."""
    with archive.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
