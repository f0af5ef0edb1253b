"""APOGEE's spectra of one star a file (apStar, aspcapStar), which are FITS images: as a table of one row.

Data models of apStar and aspcapStar (SDSS DR17): HDU 1 is the flux, HDU 2 its error, of 8,575 pixels; apStar has the combined spectrum in the first
row and the visits below, HDU 3 is its mask (integers), and its unit 1e-17 erg/s/cm2/Angstrom; aspcapStar is continuum-normalised, HDU 3 is the best
fitting model (real numbers), and there is no mask. [assumed] where the header says what: OBJID (or APOGEE_ID), FIELD, TELESCOP and SNR in HDU 0 or 1,
CRVAL1 and CDELT1 in HDU 1 or 0.
"""

from collections.abc import Mapping

import numpy as np
from astropy.io import fits

from catalog.errors import DataError
from catalog.schema.apogee_spectrum import FIRST_LOG_WAVELENGTH, LOG_WAVELENGTH_STEP, PIXELS
from ingest.file_table import Field, FileTable, fields_named
from ingest.formats.values import from_lists, from_numbers

_WORDS = {"apogee_id": ("OBJID", "APOGEE_ID"), "telescope": ("TELESCOP",), "field": ("FIELD",)}


class ApogeeStar:
    """The images of one star's spectrum, with the column names and types of a table."""

    def __init__(self, headers: list[fits.Header], images: Mapping[str, np.ndarray], flux_kind: str) -> None:
        texts = {name: _first(headers, words) for name, words in _WORDS.items()}
        values: dict[str, object] = {name: str(text) for name, text in texts.items() if text is not None}
        snr = _first(headers, ("SNR",))
        if isinstance(snr, int | float) and not isinstance(snr, bool):
            values["snr"] = float(snr)
        self._scalars = values | {"flux_kind": flux_kind}
        self._images = images
        self.types = dict.fromkeys(self._scalars, "header") | {name: f"image {image.dtype}" for name, image in images.items()}

    def block(self, fields: tuple[Field, ...]) -> FileTable:
        """The row, typed."""
        nothing = np.zeros(1, bool)
        typed = {}
        for field, name in fields_named(list(self.types), fields).items():
            if name in self._images:
                typed[field.name] = from_lists(self._images[name].astype(np.float64), np.array([PIXELS]), nothing)
            else:
                typed[field.name] = from_numbers(np.array([self._scalars[name]]), nothing, field)
        return FileTable(np.array([1], np.int64), typed)


def apogee_star(hdus: fits.HDUList) -> ApogeeStar | None:
    """The spectrum of a file whose first two images have 8,575 pixels a row; None of any other. DataError for another grid of wavelengths."""
    if len(hdus) < 3 or not all(_is_spectrum(hdu) for hdu in hdus[1:3]):
        return None
    headers = [hdus[0].header, hdus[1].header]
    first, step = _first(headers, ("CRVAL1",)), _first(headers, ("CDELT1",))
    if not (_close(first, FIRST_LOG_WAVELENGTH, 1e-7) and _close(step, LOG_WAVELENGTH_STEP, 1e-12)):
        raise DataError(
            f"its spectrum has {PIXELS} pixels, but begins at {first} in steps of {step} (CRVAL1, CDELT1: log10 of Angstrom) in place of "
            f"{FIRST_LOG_WAVELENGTH} and {LOG_WAVELENGTH_STEP}; resample it, or fetch APOGEE's apStar or aspcapStar file"
        )
    images = {"flux": _combined(hdus[1]), "error": _combined(hdus[2])}
    has_mask = len(hdus) > 3 and _is_spectrum(hdus[3]) and hdus[3].header["BITPIX"] > 0
    if has_mask:
        images["mask"] = _combined(hdus[3])
    return ApogeeStar(headers, images, "absolute" if has_mask else "normalised")


def _is_spectrum(hdu: object) -> bool:
    return isinstance(hdu, fits.ImageHDU) and hdu.header["NAXIS"] in (1, 2) and hdu.header["NAXIS1"] == PIXELS and hdu.size > 0


def _combined(hdu: fits.ImageHDU) -> np.ndarray:
    """The first row of an image (8575,)."""
    return np.asarray(hdu.data).reshape(-1, PIXELS)[0]


def _first(headers: list[fits.Header], words: tuple[str, ...]) -> object:
    """The value of the first keyword that a header has."""
    return next((header[word] for header in headers for word in words if word in header and not _blank(header[word])), None)


def _blank(value: object) -> bool:
    return isinstance(value, fits.card.Undefined) or (isinstance(value, str) and not value.strip())


def _close(value: object, wanted: float, tolerance: float) -> bool:
    return isinstance(value, int | float) and abs(value - wanted) <= tolerance
