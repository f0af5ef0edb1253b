"""How far the sources of a file lie outside the pixels of their identifiers: pads every sky cover of the release (catalog.healpix)."""

import psycopg

from catalog.binary_copy import Rows
from catalog.errors import DataError
from catalog.healpix import MAX_PADDING, pixel_offset
from catalog.releases import DataRelease
from catalog.statements import statement

MOST_DISPLACED = 20
DISPLACED_SHARE = 1e-3
"""A file with more sources beyond the padding than both of these is taken for wrong. Of 25,897 real sources none is."""


class PixelOffsets:
    """How far the rows of a file lie outside the pixels of their identifiers (design of the sky covers: catalog.healpix)."""

    def __init__(self) -> None:
        self._rows = 0
        self._largest = 0.0
        self._displaced: dict[int, float] = {}

    def measure(self, rows: Rows) -> None:
        """Every good row counts, also one that another row of its source replaces: so the order of files does not matter."""
        if not len(rows):
            return
        offsets = pixel_offset(rows["source_id"], rows["ra"], rows["dec"])
        self._rows += len(rows)
        near = offsets <= MAX_PADDING
        self._largest = max(self._largest, float(offsets[near].max(initial=0.0)))
        for source_id, offset in zip(rows["source_id"][~near].tolist(), offsets[~near].tolist(), strict=True):
            self._displaced[source_id] = max(offset, self._displaced.get(source_id, 0.0))

    def keep(self, connection: psycopg.Connection, release: DataRelease) -> None:
        """Raise the release's padding, and list the sources beyond it; DataError where these are too many to be true.

        Every cone asks for the listed sources one by one, so a file whose positions are of another frame or unit must not fill the list.
        """
        if len(self._displaced) > max(MOST_DISPLACED, DISPLACED_SHARE * self._rows):
            raise DataError(
                f"{len(self._displaced)} of {self._rows} rows lie more than {MAX_PADDING * 3600:.0f} arcsec outside the pixel of their source_id: "
                "ra and dec are not ICRS degrees, or belong to other sources; correct the file and add it again"
            )
        connection.execute(statement("raise_pixel_offset"), {"release_id": release.release_id, "offset": self._largest})
        with connection.cursor() as cursor:
            cursor.executemany(
                statement("add_displaced_source"),
                [
                    {"release_id": release.release_id, "source_id": source_id, "offset_deg": offset}
                    for source_id, offset in sorted(
                        self._displaced.items()
                    )  # in one order for all loaders, so that none wait for each other
                ],
            )
