"""Correlation matrices that are not positive definite are kept as they came, with a flag that says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.binary_copy import Rows
from catalog.releases import KNOWN_RELEASES
from catalog.spectra import CORRELATIONS, Layout, SpectrumFlag, unpack
from ingest.product import FileContext
from ingest.products.xp_continuous import XP_CONTINUOUS
from ingest.reader import blocks_of, is_known, open_table
from ingest.source_file import SourceFile

DR3 = KNOWN_RELEASES["gaia_dr3"]
GOOD = 4295806720
N = 55
BP, RP = SpectrumFlag.BP_NOT_POSITIVE_DEFINITE, SpectrumFlag.RP_NOT_POSITIVE_DEFINITE


def loaded(path: Path) -> Iterator[Rows]:
    with open_table(SourceFile(path)) as reader:
        for block in blocks_of(SourceFile(path), reader, list(range(len(reader.tables))), XP_CONTINUOUS.fields):
            checked = XP_CONTINUOUS.check(block, FileContext(DR3, path.name))
            assert len(checked.rejects) == 0
            yield checked.rows


def correlations(definite: bool) -> list[float]:
    """Neighbouring coefficients correlate as in a spectrum; where they must not be definite, two far ones contradict their neighbours."""
    matrix = 0.8 ** np.abs(np.subtract.outer(np.arange(N), np.arange(N)))
    if not definite:
        matrix[40, 3] = matrix[3, 40] = 0.99
    assert (np.linalg.eigvalsh(matrix)[0] > 0) == definite
    return [float(value) for value in matrix[np.tril_indices(N, -1)].astype(np.float32)]


@pytest.mark.parametrize("write", ["csv", "ecsv", "fits", "parquet", "votable"])
def test_an_indefinite_matrix_is_kept_and_flagged(write: str, archive: Any, tmp_path: Path) -> None:
    rows, expected = [], []
    for bp in (True, False, None):
        for rp in (True, False, None):
            row = archive.spectrum(GOOD + 128 * len(rows))
            for band, definite in (("bp", bp), ("rp", rp)):
                row[f"{band}_coefficient_correlations"] = None if definite is None else correlations(definite)
            rows.append(row)
            expected.append((BP if bp is False else 0) | (RP if rp is False else 0))
    (found,) = loaded(getattr(archive, write)(tmp_path / "file.gz" if write == "csv" else tmp_path / "file", rows))
    assert found["flags"].tolist() == [int(flags) for flags in expected]
    batch = unpack(found["source_id"], found["layout"], found["head"], found["correlations"], N, N)
    assert batch.bp_correlations is not None
    for index, row in enumerate(rows):
        kept = row["bp_coefficient_correlations"]
        assert bool(batch.has(Layout.BP_CORRELATIONS)[index]) == (kept is not None)
        if kept is not None:
            np.testing.assert_array_equal(batch.bp_correlations[index], np.array(kept, np.float32))


def test_no_real_spectrum_is_flagged(real_data: Path) -> None:
    flags: dict[int, int] = {}
    paths = [path for path in sorted((real_data / "xp_continuous").iterdir()) if is_known(SourceFile(path).head())]
    for path in paths:
        for rows in loaded(path):
            full = (rows["layout"] & int(CORRELATIONS)) != 0
            flags |= dict(zip(rows["source_id"][full].tolist(), rows["flags"][full].tolist(), strict=True))
    assert len(flags) == 667
    assert set(flags.values()) == {0}
