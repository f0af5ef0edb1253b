"""Names as people write them: which declared name one means, and which ones they may have meant."""

import difflib
from collections.abc import Iterable


def same_name(declared: str, written: str, exact: bool) -> bool:
    """Whether an identifier in a query means a declared name."""
    return declared == written if exact else declared.casefold() == written.casefold()


def close_names(wanted: str, names: Iterable[str], count: int = 3, likeness: float = 0.6) -> tuple[str, ...]:
    """The names at least so like the wanted one (1 is equal), best first, compared without case."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.casefold(), name)
    return tuple(folded[near] for near in difflib.get_close_matches(wanted.casefold(), folded, count, likeness))
