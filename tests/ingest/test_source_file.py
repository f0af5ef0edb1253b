"""A file is its bytes: digests, compression and zip members, whatever the names."""

import errno
import gzip
import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import DataError, UsageError
from ingest.reader import is_known
from ingest.source_file import SourceFile, files_under, source_files, zip_damage

TEXT = b"source_id,ra,dec\n1,2,3\n"


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_the_digest_is_that_of_the_stored_bytes_and_the_stream_is_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "file"  # no .gz in the name
    path.write_bytes(gzip.compress(TEXT))
    source = SourceFile(path)
    assert source.digest() == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, None)
    assert source.head() == TEXT
    with source.stream() as stream:
        assert stream.read() == TEXT
    with source.seekable() as stream:
        assert stream.read() == TEXT
        stream.seek(3)
        assert stream.read(3) == TEXT[3:6]


def test_members_of_a_zip_with_tables_are_files_of_their_own(tmp_path: Path) -> None:
    path = zipped(tmp_path / "download!.zip", {"a b.csv": TEXT, "inner!.csv.gz": gzip.compress(TEXT), "folder/notes": b"\x00\x01"})
    members = list(source_files(path, is_known))
    assert [member.name for member in members] == [f"{path}!a b.csv", f"{path}!inner!.csv.gz", f"{path}!folder/notes"]
    assert [member.head() for member in members] == [TEXT, TEXT, b"\x00\x01"]
    assert [SourceFile.named(member.name) for member in members] == members
    assert members[0].digest()[0] == hashlib.sha256(TEXT).hexdigest()
    with members[1].seekable() as stream:
        assert stream.read() == TEXT


def test_a_zip_without_tables_is_one_file(tmp_path: Path) -> None:
    path = zipped(tmp_path / "weights.npz", {"a.npy": b"\x93NUMPY\x01", "b.npy": b"\x93NUMPY\x01"})
    assert list(source_files(path, is_known)) == [SourceFile(path)]
    assert zip_damage(path) is None


@pytest.mark.parametrize("where", ["truncated", "flipped"])
def test_a_damaged_zip_is_one_file_that_tells_its_damage(where: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "download.zip", {"a.csv": TEXT * 50, "b.csv": TEXT})
    content = bytearray(path.read_bytes())
    if where == "truncated":
        content = content[:-30]
    else:
        content[45] ^= 0xFF
    path.write_bytes(content)
    assert list(source_files(path, is_known)) == [SourceFile(path)]
    assert zip_damage(path)


def test_a_file_that_has_gone_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--retry"):
        SourceFile.named(str(tmp_path / "gone.zip!member"))


def _none(path: Path, error: OSError) -> None:
    raise AssertionError(path) from error


def test_folders_are_walked_in_a_fixed_order_and_a_wrong_path_is_refused(tmp_path: Path) -> None:
    for name in ("b", "a/c", "a/b/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(TEXT)
    assert list(files_under([tmp_path], _none)) == [tmp_path / name for name in ("a/b/d", "a/c", "b")]
    with pytest.raises(UsageError, match="no file or folder"):
        list(files_under([tmp_path / "nothing"], _none))


def test_links_that_lead_nowhere_are_told_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(TEXT)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/loop").symlink_to(tmp_path)
    (tmp_path / "folder/gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    told: list[Path] = []
    assert list(files_under([tmp_path], lambda path, error: told.append(path))) == [tmp_path / "file"]
    assert told == [tmp_path / "folder/gone", tmp_path / "itself"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "file").write_bytes(TEXT)
    scan = os.scandir

    def refusing(path: str) -> Any:  # for root no folder is closed
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    told: list[str] = []
    assert list(files_under([tmp_path], lambda path, error: told.append(f"{path.name}: {error.strerror}"))) == [tmp_path / "file"]
    assert told == ["closed: Permission denied"]
