"""ADQL 2.1 to PostgreSQL: the text of a query in, the result's columns and one statement out. Nothing here asks a database.

tokens, token_reader, tree, parse   text to tree, with the place of every part
translation                    both, one after the other
errors, substitutes            what can be wrong with a query: message, line, column, caret
scope, from_clause, grouping, expressions, resolve   names to columns, values to types, result columns with unit and UCD
value_types, conversions, units   which types go together; units of products
functions, geometry, region_text   what can be called; places and regions on the sky, and regions written as text
udf, user_function             the user-defined functions, and what one is: signature, check, SQL
udf_sky, udf_numbers, udf_text, udf_labels   them by theme; frames are the rotations between reference frames
constants, covers, region_sql  what literals come to; constant regions as HEALPix ranges; geometry in SQL
key_ranges                     conditions on a source_id's pixel as ranges of source_id
implied_ranges                 what regions say of the keys of unions that are joined
sky_joins                      joins on position as lookups by the key
typed_tree, to_postgres        what the resolver makes, and its SQL
"""

from typing import TYPE_CHECKING

from tap_service.adql.errors import (
    AdqlError,
    AdqlNameError,
    AdqlSyntaxError,
    AdqlTypeError,
    AdqlUnsupportedError,
)
from tap_service.adql.parse import VERSIONS, parse

if TYPE_CHECKING:
    from tap_service.adql.translation import Translation, translate
    from tap_service.adql.typed_tree import OutputColumn

__all__ = [
    "VERSIONS",
    "AdqlError",
    "AdqlNameError",
    "AdqlSyntaxError",
    "AdqlTypeError",
    "AdqlUnsupportedError",
    "OutputColumn",
    "Translation",
    "parse",
    "translate",
]


def __getattr__(name: str) -> object:
    """What needs the catalogue and numpy is loaded when it is asked for (PEP 562): reading a query needs neither."""
    if name in ("OutputColumn", "Translation", "translate"):
        from tap_service.adql import translation

        return getattr(translation, name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
