"""ADQL over infrared photometry: cones by a survey's own positions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from pyvo.dal import TAPService

from catalog.database import Database
from ingest.load import add_paths


def test_a_cone_of_unwise_gives_what_the_file_holds_with_magnitudes(database: Database, serve: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    ra, dec = (120 + random.uniform(-1, 1, 2000)) % 360, random.uniform(29, 31, 2000)
    lines = [f"0000p000o{i:07d},{float(ra[i])!r},{float(dec[i])!r},{100 + i},1" for i in range(2000)]
    (tmp_path / "unwise.csv").write_text("unwise_objid,ra,dec,flux_w1,dflux_w1\n" + "\n".join(lines) + "\n")
    (file,) = add_paths(database, "gaia_dr3", [tmp_path], work=True).files
    assert file.rows_loaded == 2000
    near = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(120.1, 30.05, unit="deg")).deg < 0.2
    with serve(database) as service:
        found = TAPService(service.url).search(
            "SELECT survey_id, w1_mag FROM surveys_dr3.unwise WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 120.1, 30.05, 0.2))"
        )
    assert near.sum() > 20
    assert sorted(found["survey_id"]) == [f"0000p000o{i:07d}" for i in np.flatnonzero(near)]
    assert sorted(found["w1_mag"]) == pytest.approx(sorted(22.5 - 2.5 * np.log10(100 + np.flatnonzero(near))), abs=1e-5)
