"""The information table of a simulated sky: the bounds of a sample of its stars, beside the truth; neither ingest nor models ever read it.

With it a validation can say "1.3 times the bound" instead of a made-up number. The sample are all single, ordinary stars of the sky, or 5,000
of them drawn at random. Left out are unresolved binaries, whose second star no model of six labels describes, stars that got another one's
infrared magnitudes, and every oddity. A bound is null where the data set knows nothing of the parameter (``fisher.UNKNOWN``), and those of RVS
where there is no spectrum. Each star has the number of transits, the missing BP and infrared bands and the basis that its spectra in the files
have; R_V counts as known no better than the sky scatters it.

Columns *_sigma_* are bounds from the measurements alone. A network also knows which stars exist; so *_error_* are what measurements and the
population's covariance give together (``fisher.population_information``): compare with these where the bound is as wide as the population.
In the negative control, without alpha features, blanketing shows only [Fe/H] + 0.25 [alpha/M], so both have null bounds and only errors.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from catalog.spectra import Band
from ingest.sky.draws import Draws
from ingest.sky.elements import ALPHA_GAIN
from ingest.sky.fisher import DATA_SETS, REPORTED, information
from ingest.sky.oddities import Kind
from ingest.sky.stars import Stars
from ingest.sky.truth import TruthColumn
from ingest.sky.xp_forward import BANDS, Release

MOST_STARS = 5_000
"""Of the sample: 12 to 20 seconds on one core."""

_OF = {
    "xp": "XP spectra alone",
    "xp_phot": "XP spectra, 2MASS, unWISE and parallax",
    "rvs": "the RVS spectrum alone",
    "all": "XP and RVS spectra, 2MASS, unWISE and parallax",
}
_UNITS = dict.fromkeys(REPORTED, "dex") | {"teff": "K", "logg": "log(cm.s**-2)", "ebv": "mag", "parallax": "mas"}

COLUMNS = (
    TruthColumn("source_id", "", "Identifier"),
    TruthColumn("g", "mag", "G without noise"),
    TruthColumn("bp_transits", "", "Transits in BP"),
    TruthColumn("rp_transits", "", "Transits in RP"),
    TruthColumn("rvs_signal_to_noise", "", "Signal-to-noise ratio of a pixel of the RVS spectrum; null without one"),
    *(
        TruthColumn(
            f"{data_set}_sigma_{name}", _UNITS[name], f"Cramer-Rao bound of {name} from {_OF[data_set]}; null where nothing is known"
        )
        for data_set in DATA_SETS
        for name in REPORTED
    ),
    *(
        TruthColumn(
            f"{data_set}_error_{name}",
            _UNITS[name],
            f"Rms error of the best linear estimate of {name} from {_OF[data_set]} and the covariance of the sky's giants or dwarfs; null if these are few",
        )
        for data_set in DATA_SETS
        for name in REPORTED
    ),
)
"""The information table, column by column."""


def information_sample(stars: Stars, seed: int) -> Int64[np.ndarray, " k"]:
    """Which stars have bounds: single, rightly matched stars of the grid, MOST_STARS of them drawn by the seed where there are more."""
    fit = np.flatnonzero((stars.kind == Kind.STAR) & ~stars.is_binary & (stars.wrong_match == 0))
    if len(fit) <= MOST_STARS:
        return fit
    return np.sort(Draws(seed).generator("information").choice(fit, MOST_STARS, replace=False))


def information_columns(
    stars: Stars,
    transits: Mapping[Band, Float64[np.ndarray, " n"]],
    population: Float64[np.ndarray, "n 11 11"],
    *,
    release: Release = "dr3",
    alpha_gain: float = ALPHA_GAIN,
    inflate: float = 1.0,
    rv_scatter: float = 0.0,
) -> dict[str, np.ndarray]:
    """The columns of the table for some stars of the sample, NaN for null; ``population`` is what is known of each before any measurement."""
    known = information(stars, transits, release=release, alpha_gain=alpha_gain, inflate=inflate)
    columns = {"source_id": stars.source_id, "g": known.g, "rvs_signal_to_noise": known.rvs_signal_to_noise}
    columns |= {f"{band}_transits": transits[band] for band in BANDS}
    for data_set in DATA_SETS:
        for word, prior in (("sigma", 0.0), ("error", population)):
            values = known.bounds(data_set, rv_scatter=rv_scatter, prior=prior)
            if data_set == "rvs":
                values[np.isnan(known.rvs_signal_to_noise)] = np.inf
            for i, name in enumerate(REPORTED):
                columns[f"{data_set}_{word}_{name}"] = np.where(np.isfinite(values[:, i]), values[:, i], np.nan)
    return columns


def information_table(parts: Sequence[Mapping[str, np.ndarray]]) -> pa.Table:
    """The parts one after another; the fields' metadata are ``unit`` and ``description``."""
    arrays, fields = [], []
    for column in COLUMNS:
        dtype = np.int64 if column.name == "source_id" else np.int16 if column.name.endswith("_transits") else np.float64
        values = np.concatenate([np.empty(0, dtype), *(np.asarray(part[column.name]).astype(dtype) for part in parts)])
        arrays.append(pa.array(values, from_pandas=True))
        fields.append(pa.field(column.name, arrays[-1].type, metadata={"unit": column.unit, "description": column.description}))
    about = {"description": "Simulated stars: how well their labels could be known at best. Not real measurements."}
    return pa.table(arrays, schema=pa.schema(fields, metadata=about))
