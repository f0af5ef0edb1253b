"""ADQL over the surveys as they were given: cones by their own positions, bits of flags above 31."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from pyvo.dal import TAPService

from catalog.database import Database
from ingest.load import add_paths


def test_a_cone_of_apogee_gives_what_the_file_holds_with_every_bit(database: Database, serve: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    n = 2000
    ra, dec = random.uniform(119, 121, n), random.uniform(29, 31, n)
    names = [f"2M{i:08d}+0000000" for i in range(n)]
    flags = np.int64(1) << random.integers(30, 42, n)
    columns = [
        fits.Column("APOGEE_ID", "18A", array=names), fits.Column("RA", "D", array=ra), fits.Column("DEC", "D", array=dec),
        *(fits.Column(name, "E", array=np.full(n, 1.0)) for name in ("TEFF", "LOGG", "FE_H")), fits.Column("STARFLAG", "K", array=np.zeros(n)),
        fits.Column("ASPCAPFLAG", "K", array=flags),
    ]  # fmt: skip
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "allStar-dr17.fits")
    (file,) = add_paths(database, "gaia_dr3", [tmp_path], work=True).files
    assert file.rows_loaded == n
    near = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(120.1, 30.05, unit="deg")).deg < 0.2
    with serve(database) as service:
        found = TAPService(service.url).search(
            "SELECT apogee_id, aspcapflag FROM surveys.apogee WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 120.1, 30.05, 0.2))"
        )
    assert near.sum() > 20
    told = dict(zip(map(str, found["apogee_id"]), map(int, found["aspcapflag"]), strict=True))
    assert told == {names[i]: int(flags[i]) for i in np.flatnonzero(near)}
