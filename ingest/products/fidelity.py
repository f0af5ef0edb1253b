"""fidelity: fidelity_v2 and norm_dg of each source (Rybizki et al. 2022, MNRAS 510, 2597), as GAVO dumps them or the Gaia archive serves them."""

from collections.abc import Collection

from catalog.schema.fidelity import FIDELITY
from ingest.described_product import described_product


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of the fidelities."""
    return "fidelity_v2" in names and "parallax" not in names


FIDELITY_ROWS = described_product("fidelity", FIDELITY, recognises, required=("source_id", "fidelity_v2"))
