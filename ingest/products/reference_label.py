"""reference_label: any table with labels of stars that it names, as a named set: to validate with, or to train on few stars.

A file is one where no other product knows its header, and where it has a label (or a cluster) and one of these: a Gaia source_id in any of its
spellings, an APOGEE_ID, a 2MASS designation, GALAH's sobject_id. The set is named by ``--set NAME``, else by the file's name without its extensions.
Rows are kept whole as JSON; labels in the spellings below are kept in columns as well, in the units of the harmonised views.

A row's key in its set is the first of sobject_id, source_id, APOGEE_ID and 2MASS designation, and its cluster where it has one: a star may be listed under
several clusters. Of two rows of one key the fuller is kept and the other told.

Which Gaia numbering an identifier follows: what its column's name says (dr3_source_id, GaiaEDR3 ...), or its designation (Gaia DR3 ...), or the ref_epoch
beside it. A bare source_id, with none of them, is taken for the numbering of the release that the file is loaded into; a bare gaia_source_id, which
surveys of any time wrote, for an unknown one (linked by name or position).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from catalog.schema.column import ColumnType
from catalog.schema.reference_label import REFERENCE_LABEL
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.formats.whole_row import whole_row_fields, whole_rows
from ingest.product import FileContext
from ingest.products.survey_rows import NOT_MEASURED, text_of

LABELS: Mapping[str, tuple[str, ...]] = {
    "teff": ("teff", "t_eff", "teff50", "teff_xp", "teff_xgboost"),
    "logg": ("logg", "log_g", "logg50", "logg_seis", "logg_seismic", "logg_dnu", "logg_xp", "logg_xgboost"),
    "feh": ("feh", "fe_h", "[fe/h]", "__fe_h_"),
    "mh": ("mh", "m_h", "[m/h]", "__m_h_", "met50", "moh", "moh_xp", "mh_xgboost"),
    "alpha_m": ("alpha_m", "alpham", "[alpha/m]", "[a/m]", "aom", "aom_xp"),
    "c_fe": ("c_fe", "cfe", "[c/fe]", "__c_fe_"),
    "n_fe": ("n_fe", "nfe", "[n/fe]", "__n_fe_"),
    "distance": ("distance", "dist", "rgeo", "r_med_geo"),
    "extinction": ("extinction", "av", "a_v", "av50"),
}
"""Spellings of each label, lower case, best first. [alpha/Fe] is none of them."""
CLUSTER = ("cluster", "member_of", "cluster_name", "clustername", "name_cluster", "stream")
KILOPARSECS = ("dist50", "distance_kpc", "dist_kpc")
_PERCENTILES = {"teff": "teff", "logg": "logg", "mh": "met", "distance": "dist", "extinction": "av"}
"""StarHorse's quantities, each with its 16th, 50th and 84th percentile (teff16, teff50, teff84)."""

IDENTIFIERS: Mapping[str, tuple[str, ...]] = {
    "dr2": ("dr2_source_id", "gaiadr2_source_id", "gaia_dr2_source_id", "gdr2_source_id", "gaia_dr2_id", "gaiadr2", "gaia_dr2"),
    "dr3": (
        "dr3_source_id", "edr3_source_id", "gaiadr3_source_id", "gaiaedr3_source_id", "gaia_dr3_source_id", "gaia_edr3_source_id", "gdr3_source_id",
        "gaia_dr3_id", "gaia_edr3_id", "gaiadr3", "gaiaedr3", "gaia_dr3", "gaia_edr3",
    ),
    "dr4": ("dr4_source_id", "gaiadr4_source_id", "gaia_dr4_source_id", "gdr4_source_id", "gaia_dr4_id", "gaiadr4", "gaia_dr4"),
    "bare": ("source_id", "sourceid", "source"),
    "unknown": ("gaia_source_id", "gaia_id", "gaia", "gaia_source"),
}  # fmt: skip
"""Spellings of Gaia's identifier by the numbering that they follow."""
APOGEE_NAMES = ("apogee_id", "apogeeid")
TMASS_NAMES = ("tmass_id", "tmass", "2mass", "2mass_id", "_2mass", "twomass", "twomass_id", "2mass_name")
DESIGNATIONS = ("designation", "dr3name", "edr3name", "dr2name", "gaia_designation", "gaia_name")
_EPOCHS = {2015.5: "dr2", 2016.0: "dr3", 2017.5: "dr4"}
_DESIGNATION = re.compile(r"Gaia E?DR([234]) (\d{1,19})", re.IGNORECASE)
_TMASS = re.compile(r"(?:2MASS ?|2M)?J?(\d{8}[+-]\d{7})")
_EXTENSIONS = re.compile(r"(\.(gz|zip|fits?|csv|tsv|txt|ecsv|parquet|vot|votable|xml))+$", re.IGNORECASE)
_NO_LABEL = (*NOT_MEASURED, -999.0)
_NO_ABUNDANCE = (*_NO_LABEL, 99.0, 99.99)
_NO_IDENTIFIER = (0.0, -1.0, -9999.0)


def _errors(name: str) -> tuple[str, ...]:
    """Spellings of the error of a label."""
    return tuple(
        form for spelling in LABELS[name]
        for form in (f"e_{spelling}", f"{spelling}_err", f"{spelling}_error", f"err_{spelling}", f"e{spelling}", f"sigma_{spelling}", f"{spelling}_unc")
    )  # fmt: skip


_IDENTIFIERS = {
    system: Field(f"source_id of {system}", ColumnType.BIGINT, False, names, _NO_IDENTIFIER) for system, names in IDENTIFIERS.items()
}
_DESIGNATIONS = Field("Gaia designation", ColumnType.TEXT, False, DESIGNATIONS)
_EPOCH = Field("ref_epoch", ColumnType.DOUBLE, unit="yr")
_KPC = Field("kiloparsecs", ColumnType.REAL, False, KILOPARSECS, _NO_LABEL, "kpc")
_BOUNDS = {
    (label, percentile): Field(
        f"{label} at {percentile} %", ColumnType.REAL, False, (f"{word}{percentile}", f"{word}_{percentile}"), _NO_LABEL,
        {"teff": "K", "distance": "kpc", "extinction": "mag"}.get(label),
    )
    for label, word in _PERCENTILES.items() for percentile in (16, 84)
}  # fmt: skip


_SAMPLES = frozenset({"log_pos", "log_lik", "nsamples"})
"""Columns of Markov chains (MCMC_GSPPHOT, MCMC_MSC): their rows are samples of one star."""
_TRUTH = frozenset({"kind", "population", "rest_frame_shift"})
"""Columns of a simulated sky's truth, which is never read."""


def recognises(names: Collection[str]) -> bool:
    """Whether a header names stars and has labels of them, one row a star; neither spectra, nor Markov chains, nor a simulated sky's truth."""
    if "flux" in names or _SAMPLES.intersection(names) or _TRUTH.issubset(names):
        return False
    labels = {spelling for spellings in LABELS.values() for spelling in spellings} | {*CLUSTER, *KILOPARSECS}
    stars = {name for spellings in IDENTIFIERS.values() for name in spellings} | {*APOGEE_NAMES, *TMASS_NAMES, "sobject_id"}
    return bool(labels.intersection(names)) and bool(stars.intersection(names))


def set_name_of(file: FileContext) -> str:
    """The name of the set that a file makes."""
    stem = re.split(r"[/!]", file.name)[-1]
    return file.set_name or _EXTENSIONS.sub("", stem) or stem


def _given(block: FileTable, file: FileContext) -> tuple[np.ndarray, np.ndarray]:
    """Gaia's identifier of each row (n,), 0 where there is none, and its numbering, empty where that is not known."""
    given, system = np.zeros(len(block), np.int64), np.full(len(block), "", object)
    own = file.release.id_system
    epochs = block.values(_EPOCH)
    by_epoch = np.array([_EPOCHS.get(epoch, "") for epoch in np.where(block.null(_EPOCH.name), 0.0, epochs).tolist()], object)
    numbering = {"bare": np.where(by_epoch == "", own, by_epoch), "unknown": by_epoch}
    for kind in (own, *(kind for kind in ("dr3", "dr4", "dr2") if kind != own), "bare", "unknown"):
        field = _IDENTIFIERS[kind]
        new = (given == 0) & ~block.null(field.name)
        given = np.where(new, block.values(field), given)
        system = np.where(new, numbering.get(kind, kind), system)
    for row, text in enumerate(text_of(block, _DESIGNATIONS.name)):
        found = _DESIGNATION.search(text)
        if found and given[row] in (0, int(found[2])):  # it may be the designation in another release
            given[row], system[row] = int(found[2]), f"dr{found[1]}"
    return given, system


def _make(block: FileTable, file: FileContext) -> Made:
    given, system = _given(block, file)
    apogee, cluster, tmass = (text_of(block, name) for name in ("apogee_id", "cluster", "tmass_id"))
    tmass = np.array([_designation(own or name) for own, name in zip(tmass, apogee, strict=True)], object)
    sobject, no_sobject = block.values(Field("sobject_id", ColumnType.BIGINT)), block.null("sobject_id")
    survey_id = [
        "/".join(part for part in (key, group) if part) if key else ""
        for key, group in zip(
            (
                str(number) if not absent else str(source) if source else name or two_mass
                for number, absent, source, name, two_mass in zip(
                    sobject.tolist(), no_sobject.tolist(), given.tolist(), apogee, tmass, strict=True
                )
            ),
            cluster, strict=True,
        )
    ]  # fmt: skip
    nothing = np.zeros(len(block), bool)
    return {
        "set_name": (np.full(len(block), set_name_of(file), object), nothing), "survey_id": _texts(np.array(survey_id, object)),
        "given_source_id": (given, given == 0), "id_system": _texts(system), "tmass_id": _texts(tmass),
        "native": (whole_rows(block), nothing), **_distance(block), **_half_widths(block),
    }  # fmt: skip


def _texts(values: np.ndarray) -> tuple[np.ndarray, Bool[np.ndarray, " rows"]]:
    return values, np.asarray(values == "", bool)


def _designation(text: str) -> str:
    """2MASS's own form, hhmmssss+ddmmsss, of a name that holds it; empty where it does not."""
    found = _TMASS.fullmatch(text)
    return found[1] if found else ""


def _distance(block: FileTable) -> Made:
    """Parsecs, also of a column in kiloparsecs."""
    field = Field("distance", ColumnType.REAL)
    values, null = block.values(field), block.null("distance")
    far, no_far = block.values(_KPC), block.null(_KPC.name)
    return {"distance": (np.where(null, 1000.0 * far, values).astype(np.float32), null & no_far)}


def _half_widths(block: FileTable) -> Made:
    """Errors: half the distance between the 16th and the 84th percentile where there is no error itself."""
    made = {}
    for label in _PERCENTILES:
        name = f"e_{label}"
        values, null = block.values(Field(name, ColumnType.REAL)), block.null(name)
        lower, upper = (_BOUNDS[label, percentile] for percentile in (16, 84))
        scale = 1000.0 if label == "distance" else 1.0
        half = 0.5 * scale * (block.values(upper).astype(np.float64) - block.values(lower))
        no_half = block.null(lower.name) | block.null(upper.name)
        made[name] = (np.where(null, half, values).astype(np.float32), null & no_half)
    return made


REFERENCE_LABELS = replace(
    described_product(
        "reference_label", REFERENCE_LABEL, recognises,
        required=(),
        synonyms={
            **LABELS, **{f"e_{name}": _errors(name) for name in LABELS}, "cluster": CLUSTER, "apogee_id": APOGEE_NAMES, "tmass_id": TMASS_NAMES,
            "ra": ("raj2000", "ra_icrs", "radeg", "ra_deg", "_ra"), "dec": ("dej2000", "de_icrs", "dedeg", "dec_deg", "_de"),
        },
        nulls={
            "sobject_id": _NO_IDENTIFIER,
            **{
                prefix + name: _NO_ABUNDANCE if name not in ("teff", "distance", "extinction") else _NO_LABEL
                for name in LABELS for prefix in ("", "e_")
            },
        },
        made=("set_name", "survey_id", "given_source_id", "id_system", "native"),
        more_fields=(*_IDENTIFIERS.values(), _DESIGNATIONS, _EPOCH, _KPC, *_BOUNDS.values()),
        rules=Rules(make=_make),
    ),
    other_fields=whole_row_fields,
)  # fmt: skip
