"""A file that is offered for ingest: where its bytes are, their SHA-256, and how to read them decompressed.

A file is known by its bytes, not by its name. A member of a zip archive counts as a file of its own, named ``archive.zip!member``,
when the archive holds a format that readers know; any other zip (an .npz, say) stays one file.
"""

import errno
import hashlib
import io
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

from isal import igzip, isal_zlib

from catalog.errors import DataError, UsageError

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
MEMBER_MARK = "!"
BROKEN_STREAM = (zlib.error, cast(type[Exception], isal_zlib.error))
"""What a damaged compressed stream raises, beside EOFError and BadGzipFile: zlib's error from zip, ISA-L's from gzip."""
HEAD_BYTES = 64 << 10
"""Enough for the header line of any survey table."""


SIMULATED_SKY = "sky.json"
"""The settings that `kiel sky make` leaves in its folder: everything under it is simulated."""


class Digest(NamedTuple):
    """SHA-256 (hexadecimal), length in bytes, and MD5 (hexadecimal) where it was asked for."""

    sha256: str
    size: int
    md5: str | None


@dataclass
class Position:
    """How many stored bytes of a file have been read, asked of the stream that is open."""

    stream: IO[bytes] | None = None

    def __call__(self) -> int:
        """The bytes read so far; 0 before the first and after the last."""
        return 0 if self.stream is None or self.stream.closed else self.stream.tell()


@dataclass(frozen=True)
class SourceFile:
    """A file on disk, or one member of a zip archive on disk."""

    path: Path
    member: str | None = None
    position: Position = field(default_factory=Position, compare=False, repr=False)

    @classmethod
    def named(cls, name: str) -> "SourceFile":
        """The file of a ledger name: a path, or ``path!member``; DataError when it is no longer there, or cannot be reached."""
        if _is_file(name):
            return cls(Path(name))
        path, mark, member = name.partition(MEMBER_MARK)
        while mark:
            if _is_file(path):
                return cls(Path(path), member)
            head, mark, member = member.partition(MEMBER_MARK)
            path = f"{path}{MEMBER_MARK}{head}"
        raise DataError(f"{name} is not there any more; put it back, or add it at its new place with --retry")

    @property
    def name(self) -> str:
        """The name in the ledger."""
        return str(self.path) if self.member is None else f"{self.path}{MEMBER_MARK}{self.member}"

    @contextmanager
    def _stored(self) -> Iterator[BinaryIO]:
        """The bytes as they are stored (a zip member: as zip gives them)."""
        if self.member is None:
            with self.path.open("rb") as stream:
                self.position.stream = stream
                yield stream
            return
        with ExitStack() as opened:
            try:
                archive = opened.enter_context(zipfile.ZipFile(self.path))
                member = archive.open(self.member)
                opened.callback(member.close)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, KeyError) as error:
                raise DataError(f"{self.name} cannot be taken out of its zip archive ({error}); fetch the archive again") from error
            self.position.stream = member
            yield io.BufferedReader(cast(io.RawIOBase, member))

    def digest(self, *, with_md5: bool = False, seen: Callable[[int], None] = lambda size: None) -> Digest:
        """The sums and the length of the stored bytes, in one reading; ``seen`` hears how many bytes have been read."""
        sha256, size = hashlib.sha256(), 0
        md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
        with self._stored() as stream:
            while block := stream.read(1 << 20):
                sha256.update(block)
                if md5 is not None:
                    md5.update(block)
                size += len(block)
                seen(size)
        return Digest(sha256.hexdigest(), size, md5.hexdigest() if md5 is not None else None)

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The content, decompressed; reading it to its end checks gzip's and zip's own checksums."""
        with self._stored() as stored:
            if cast(io.BufferedReader, stored).peek(2)[:2] != GZIP_MAGIC:
                yield stored
                return
            with igzip.IGzipFile(fileobj=stored) as content:
                yield cast(BinaryIO, content)

    @contextmanager
    def seekable(self) -> Iterator[IO[bytes]]:
        """The content as a real file, for formats that are read by jumping (FITS, Parquet): a temporary copy where it is compressed."""
        with self._stored() as stored:
            plain = self.member is None and cast(io.BufferedReader, stored).peek(2)[:2] != GZIP_MAGIC
        if plain:
            with self.path.open("rb") as stream:
                yield stream
            return
        with tempfile.TemporaryFile() as copy:  # it has no name, so nothing is left behind by a loader that is killed
            with self.stream() as content:
                shutil.copyfileobj(content, copy, 1 << 20)
            copy.flush()
            copy.seek(0)
            with os.fdopen(os.dup(copy.fileno()), "rb") as stream:
                yield stream

    def head(self) -> bytes:
        """The first bytes of the content, by which formats are told apart."""
        with self.stream() as content:
            return content.read(HEAD_BYTES)


def files_under(paths: Iterable[Path], unreadable: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """Every regular file named by or under ``paths``, in a fixed order; UsageError for a path that does not exist.

    ``unreadable`` is told of folders that cannot be listed and of links that lead nowhere. Links to folders are not followed.
    """
    for path in paths:
        if path.is_dir():
            found = [
                Path(folder, name)
                for folder, _, names in os.walk(path, onerror=lambda e: unreadable(Path(e.filename), e))
                for name in names
            ]
            yield from (each for each in sorted(found) if _is_regular(each, unreadable))
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"there is no file or folder {path}")


def is_simulated(path: Path) -> bool:
    """Whether a file lies in the folder of a simulated sky: the folder of its table, and that of the sky with its settings, are above it."""
    return any((folder / SIMULATED_SKY).is_file() for folder in list(path.absolute().parents)[:3])


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # with the name of a member
            return False
        raise DataError(f"{name} cannot be reached ({error.strerror}); correct that and add it again with --retry") from error


def _is_regular(path: Path, unreadable: Callable[[Path, OSError], None]) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        unreadable(path, error)
        return False


def source_files(path: Path, is_known: Callable[[bytes], bool]) -> Iterator[SourceFile]:
    """The file; or the members of a whole zip archive of which at least one has a format that readers know."""
    with path.open("rb") as stream:
        is_zip = stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    if is_zip and zip_damage(path) is None:
        with zipfile.ZipFile(path) as archive:
            members = [SourceFile(path, info.filename) for info in archive.infolist() if not info.is_dir()]
        if any(is_known(_head_or_nothing(member)) for member in members):
            yield from members
            return
    yield SourceFile(path)


def zip_damage(path: Path) -> str | None:
    """What is wrong with a zip archive (truncated, a wrong checksum, encrypted), None if every member can be taken out."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, struct.error, zlib.error) as error:
        return str(error) or type(error).__name__
    return f"member {damaged} does not match its checksum" if damaged is not None else None


def _head_or_nothing(member: SourceFile) -> bytes:
    try:
        return member.head()
    except (EOFError, OSError, *BROKEN_STREAM):  # a damaged .gz inside: told when it is loaded
        return b""
