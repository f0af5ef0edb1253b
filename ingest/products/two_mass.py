"""2MASS: photometry by source_id, and the three archive tables that it is joined from (catalog.schema.two_mass).

Names of columns: Gaia archive (ks_m), IRSA (k_m, decl), VizieR's and CDS's cross-match service (Jmag, Qfl, angDist, GaiaEDR3). The band's own
error k_cmsig lacks the calibration's part and is not taken for k_msigcom.
A missing magnitude is null, in each of the spellings that catalogues use for one. IRSA's dump without a header line cannot be told: give it one.
"""

from collections.abc import Collection

from catalog.schema.two_mass import PHOTOMETRY, TMASS_BEST_NEIGHBOUR, TMASS_JOIN, TMASS_PSC, TWO_MASS
from ingest.described_product import Rules, described_product
from ingest.products.photometry_checks import check_errors

NOT_MEASURED = (-9999.0, -9999.99, -999.0, 99.0, 99.9, 99.99, 99.999)
"""Magnitudes and errors that say that there is none."""
_ID = ("gaiaedr3", "gaiadr3", "gaia_source_id")
_NULLS = dict.fromkeys([column.name for column in PHOTOMETRY], NOT_MEASURED)
_NAMES = {
    "j_m": ("jmag",), "h_m": ("hmag",), "ks_m": ("k_m", "ksmag", "kmag"),
    "j_msigcom": ("e_jmag",), "h_msigcom": ("e_hmag",), "ks_msigcom": ("k_msigcom", "e_ksmag", "e_kmag"),
    "ph_qual": ("qfl", "qflg"),
}  # fmt: skip
_RULES = Rules(check=lambda checks, table, file: check_errors(checks, table, {c.name: c.name.endswith("sigcom") for c in PHOTOMETRY}))


_LABELS = frozenset({"parallax", "teff", "logg", "fe_h", "feh", "[fe/h]", "mh", "m_h"})
"""Catalogues that carry 2MASS among other things are no product of it."""
_GAIA = frozenset({"source_id", *_ID, "source", "dr3name", "plx", "gmag"})


def _has(names: Collection[str], field: str) -> bool:
    return not {field, *_NAMES.get(field, ())}.isdisjoint(names)


def _is_photometry(names: Collection[str]) -> bool:
    return _has(names, "j_m") and _has(names, "ks_m") and _has(names, "ph_qual") and _LABELS.isdisjoint(names)


def recognises(names: Collection[str]) -> bool:
    """Whether a header is 2MASS photometry by source_id."""
    return _is_photometry(names) and not {"source_id", *_ID}.isdisjoint(names)


def recognises_best_neighbour(names: Collection[str]) -> bool:
    """Whether a header is one of best neighbours in 2MASS."""
    return {"source_id", "clean_tmass_psc_xsc_oid"}.issubset(names) and not _has(names, "j_m")


def recognises_join(names: Collection[str]) -> bool:
    """Whether a header is one of the join of cross-match and point sources."""
    return {"clean_tmass_psc_xsc_oid", "original_psc_source_id"}.issubset(names) and "source_id" not in names


def recognises_psc(names: Collection[str]) -> bool:
    """Whether a header is one of the Point Source Catalogue: photometry by designation, with nothing of Gaia."""
    return _is_photometry(names) and not {"designation", "2mass"}.isdisjoint(names) and _GAIA.isdisjoint(names)


TWO_MASS_ROWS = described_product(
    "two_mass", TWO_MASS, recognises, required=("source_id", "j_m", "ks_m", "ph_qual"), nulls=_NULLS, rules=_RULES,
    synonyms=_NAMES | {
        "source_id": _ID, "designation": ("2mass", "tmass_designation", "original_ext_source_id"), "tm_ra": ("raj2000", "tmass_ra"),
        "tm_dec": ("dej2000", "tmass_dec"), "angular_distance": ("gaia_tmass_angular_distance", "angdist"),
    },
)  # fmt: skip
BEST_NEIGHBOUR_ROWS = described_product(
    "tmass_best_neighbour", TMASS_BEST_NEIGHBOUR, recognises_best_neighbour, required=("source_id", "clean_tmass_psc_xsc_oid")
)
JOIN_ROWS = described_product("tmass_join", TMASS_JOIN, recognises_join, required=("clean_tmass_psc_xsc_oid", "original_psc_source_id"))
PSC_ROWS = described_product(
    "tmass_psc", TMASS_PSC, recognises_psc, required=("designation", "ra", "dec", "j_m", "ks_m", "ph_qual"), nulls=_NULLS, rules=_RULES,
    synonyms=_NAMES | {
        "designation": ("2mass",), "ra": ("raj2000",), "dec": ("decl", "dej2000"), "j_date": ("jdate",), "err_maj": ("errmaj",),
        "err_min": ("errmin",), "err_ang": ("errpa",),
    },
)  # fmt: skip

TWO_MASS_PRODUCTS = (TWO_MASS_ROWS, BEST_NEIGHBOUR_ROWS, JOIN_ROWS, PSC_ROWS)
"""Photometry by source_id, best neighbours, the join, and the Point Source Catalogue."""
