"""A loader's memory is that of a few blocks, however large the file is."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from isal import igzip

from catalog.database import Database
from catalog.version import ROOT
from ingest.load import add_paths
from ingest.products.gaia_source import ARCHIVE_COLUMNS, FIELDS

DR3 = "gaia_dr3"
GOOD = 4295806720
MB = 1 << 20

_LOADER = """
import re, sys
from pathlib import Path
from catalog.database import Database
from ingest.load import load_pending
(file,) = load_pending(Database(sys.argv[1], sys.argv[2]), "gaia_dr3").files
assert file.state == "loaded", file
# getrusage's maximum would also be that of the process before exec
print(file.rows_loaded, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def spectra(archive: Any, size: int) -> Iterator[str]:
    header, row = archive.text([archive.spectrum(GOOD)], brackets="[]", separator=",", null="null").splitlines()
    yield header
    rest = row.split(",", 1)[1]
    for number in range(size // len(row)):
        yield f"{GOOD + 128 * number},{rest}"


def sources(archive: Any, size: int) -> Iterator[str]:
    given = archive.source(GOOD, ra=44.997, dec=0.006)
    others = dict.fromkeys(sorted(ARCHIVE_COLUMNS - {field.name for field in FIELDS}), 1.23456789)
    header, row = archive.text([given | others]).splitlines()
    yield header
    rest = row.split(",", 1)[1]
    for number in range(size // len(row)):
        yield f"{GOOD + number},{rest}"


# Whatever the size, allocators keep some 20 MB more or less, by the moments at which they give memory back. The larger files are so large that a
# loader which kept a third of what it reads would need 50 MB more.
@pytest.mark.parametrize("rows, small, large", [(spectra, 40, 210), (sources, 40, 210)])
def test_peak_memory_does_not_grow_with_the_file(
    rows: Any, small: int, large: int, archive: Any, database: Database, tmp_path: Path
) -> None:
    peaks = []
    for size in (small, large):
        path = tmp_path / f"{size}.csv.gz"
        with igzip.open(path, "wt", compresslevel=1) as file:
            file.writelines(f"{line}\n" for line in rows(archive, size * MB))
        add_paths(database, DR3, [path])
        command = [sys.executable, "-c", _LOADER, database.url, database.tap_url]
        loaded, peak = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        assert int(loaded) > 0
        peaks.append(int(peak) << 10)
        path.unlink()
    assert peaks[1] < peaks[0] + 0.3 * (large - small) * MB, peaks
    assert peaks[1] < 600 * 10**6, peaks
