"""apogee_spectrum: combined H-band spectra of APOGEE, on the survey's grid of 8,575 pixels.

log10 of the vacuum wavelength in Angstrom is 4.179 + 6e-6 times the pixel's number (from 0). Masks: APOGEE_PIXMASK, 32 bits a pixel; they are
mostly zeros and compress well, so their column is stored like any other.
"""

from catalog.schema.column import Column, ColumnType
from catalog.schema.survey_row import number, survey_table, text

PIXELS = 8575
FIRST_LOG_WAVELENGTH = 4.179
LOG_WAVELENGTH_STEP = 6e-6

APOGEE_SPECTRUM = survey_table(
    "apogee_spectrum",
    "Combined APOGEE spectra: flux, error and mask of 8,575 pixels, log10 of vacuum wavelength in Angstrom 4.179 + 6e-6 i.",
    (
        text("apogee_id", "Name of the star by its 2MASS position.", "meta.id;src"),
        text("telescope", "Telescope, where the file tells it.", "meta.id;instr.tel"),
        text("field", "Name of the field, where the file tells it.", "meta.id;obs.field"),
        number("snr", "Median signal to noise of a pixel.", None, "stat.snr"),
        Column(
            "flux_kind",
            ColumnType.TEXT,
            "What the flux is: normalised (over the continuum, as aspcapStar has it) or absolute (1e-17 erg/s/cm2/Angstrom, as apStar has it).",
            ucd="meta.code",
        ),
        Column("flux", ColumnType.VECTOR, "Flux of each pixel, as flux_kind says; zero where no detector is.", None, "phot.flux.density;em.IR.H",
               nullable=False, length=PIXELS),
        Column("flux_error", ColumnType.VECTOR, "Error of the flux of each pixel.", None, "stat.error;phot.flux.density;em.IR.H", nullable=False, length=PIXELS),
        Column("mask", ColumnType.BYTES, "APOGEE_PIXMASK of each pixel: 32-bit integers, big-endian, one after the other; null in aspcapStar files, which have none.",
               None, "meta.code.qual", length=4 * PIXELS),
    ),
    indexed=("apogee_id",),
    external=("flux", "flux_error"),
)  # fmt: skip
