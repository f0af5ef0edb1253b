"""The columns of APOGEE DR17's allStar, in its order.

Names, order, types and shapes: the SDSS-V catalogue database's copy of allStar-dr17-synspec_rev1 (sdssdb, allStar_dr17_synspec_rev1). Units:
the data model of DR16's allStar. [assumed] the widths of texts, 99 as the null of all target photometry, NaN of what is not measured (the data
model of DR16 said -9999), 0 of GAIAEDR3_SOURCE_ID, and the symbols of the 27 elements beyond the 23 that have columns of their own.
"""

from ingest.sky.surveys.survey_table import SurveyColumn

ELEMENTS = (
    "C", "CI", "N", "O", "NA", "MG", "AL", "SI", "P", "S", "K", "CA", "TI", "TIII", "V", "CR", "MN", "FE", "CO", "NI", "CU", "CE", "YB",
)  # fmt: skip
"""The elements that have columns of their own."""
ELEM_SYMBOL = (
    *("C", "CI", "N", "O", "Na", "Mg", "Al", "Si", "P", "S", "K", "Ca", "Ti", "TiII", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu"),
    *("Ge", "Rb", "Ce", "Nd", "Yb", "C13"),
)
"""Order of the arrays of elements."""
PARAM_SYMBOL = ("TEFF", "LOGG", "LOG10VDOP", "METALS", "C", "N", "O Mg Si S Ca Ti", "LGVSINI", "O")
"""Order of the arrays of parameters: the pipeline's names (sdss/apogee, aspcap.params)."""
N_GRIDS = 21

_KINDS = {"i": "i4", "l": "i8", "f": "f4", "d": "f8"}
_PHOTOMETRY = "WASH_M WASH_T2 DDO51 IRAC_3_6 IRAC_4_5 IRAC_5_8 IRAC_8_0 WISE_4_5 TARG_4_5"

_LAYOUT = f"""
FILE:S48 APOGEE_ID:S18 TARGET_ID:S48 APSTAR_ID:S64 ASPCAP_ID:S64 TELESCOPE:S8 LOCATION_ID:i FIELD:S19 ALT_ID:S24
RA:d:deg DEC:d:deg GLON:d:deg GLAT:d:deg {" ".join(f"{band}:p:mag {band}_ERR:p:mag" for band in "JHK")} SRC_H:S16
{" ".join(f"{band}:p:mag {band}_ERR:p:mag" for band in _PHOTOMETRY.split())}
WASH_DDO51_GIANT_FLAG:i WASH_DDO51_STAR_FLAG:i TARG_PMRA:f:mas/yr TARG_PMDEC:f:mas/yr TARG_PM_SRC:S8
AK_TARG:f:mag AK_TARG_METHOD:S17 AK_WISE:f:mag SFD_EBV:f:mag
APOGEE_TARGET1:i APOGEE_TARGET2:i APOGEE2_TARGET1:i APOGEE2_TARGET2:i APOGEE2_TARGET3:i APOGEE2_TARGET4:i TARGFLAGS:S192 SURVEY:S35
PROGRAMNAME:S18 NVISITS:i SNR:f SNREV:f STARFLAG:l STARFLAGS:S200 ANDFLAG:l ANDFLAGS:S200
VHELIO_AVG:f:km/s VSCATTER:f:km/s VERR:f:km/s RV_TEFF:f:K RV_LOGG:f:log(cgs) RV_FEH:f:dex RV_ALPHA:f:dex RV_CARB:f:dex RV_CHI2:f
RV_CCFWHM:f:km/s RV_AUTOFWHM:f:km/s RV_FLAG:i N_COMPONENTS:i MEANFIB:f SIGFIB:f MIN_H:f:mag MAX_H:f:mag MIN_JK:f:mag MAX_JK:f:mag
GAIAEDR3_SOURCE_ID:l GAIAEDR3_PARALLAX:f:mas GAIAEDR3_PARALLAX_ERROR:f:mas GAIAEDR3_PMRA:f:mas/yr GAIAEDR3_PMRA_ERROR:f:mas/yr
GAIAEDR3_PMDEC:f:mas/yr GAIAEDR3_PMDEC_ERROR:f:mas/yr GAIAEDR3_PHOT_G_MEAN_MAG:f:mag GAIAEDR3_PHOT_BP_MEAN_MAG:f:mag
GAIAEDR3_PHOT_RP_MEAN_MAG:f:mag GAIAEDR3_DR2_RADIAL_VELOCITY:f:km/s GAIAEDR3_DR2_RADIAL_VELOCITY_ERROR:f:km/s
{" ".join(f"GAIAEDR3_R_{part}_{kind}:f:pc" for kind in ("GEO", "PHOTOGEO") for part in ("MED", "LO", "HI"))}
ASPCAP_GRID:S8 FPARAM_GRID:f::{N_GRIDS},9 CHI2_GRID:f::{N_GRIDS} FPARAM:f::9 FPARAM_COV:f::9,9 ASPCAP_CHI2:f PARAM:f::9 PARAM_COV:f::9,9
PARAMFLAG:l::9 ASPCAPFLAG:l ASPCAPFLAGS:S200 FRAC_BADPIX:f FRAC_LOWSNR:f FRAC_SIGSKY:f
FELEM:f::27 FELEM_ERR:d::27 X_H:f:dex:27 X_H_ERR:f:dex:27 X_M:f:dex:27 X_M_ERR:f:dex:27 ELEM_CHI2:f::27 ELEMFRAC:f::27 ELEMFLAG:l::27
EXTRATARG:i MEMBERFLAG:l MEMBER:S24 X_H_SPEC:f:dex:27 X_M_SPEC:f:dex:27
TEFF:f:K TEFF_ERR:f:K LOGG:f:log(cgs) LOGG_ERR:f:log(cgs) M_H:f:dex M_H_ERR:f:dex ALPHA_M:f:dex ALPHA_M_ERR:f:dex
VMICRO:f:km/s VMACRO:f:km/s VSINI:f:km/s TEFF_SPEC:f:K LOGG_SPEC:f:log(cgs)
{" ".join(f"{x}:f:dex {x}_SPEC:f:dex {x}_ERR:f:dex {x}_FLAG:i" for x in (f"{e}_H" if e == "FE" else f"{e}_FE" for e in ELEMENTS))}
VISIT_PK:i::100
"""
"""name:type:unit:shape; i int32, l int64, f float32, d float64, p a float32 whose null is 99, S text of a width."""


def _column(word: str) -> SurveyColumn:
    name, kind, unit, shape = [*word.split(":"), "", ""][:4]
    null = 99.0 if kind == "p" else -1 if name == "VISIT_PK" else None
    cell = tuple(int(size) for size in shape.split(",")) if shape else ()
    return SurveyColumn(name, kind if kind.startswith("S") else _KINDS.get(kind, "f4"), unit or None, null, cell)


COLUMNS = tuple(_column(word) for word in _LAYOUT.split())
"""HDU 1 of allStar."""
