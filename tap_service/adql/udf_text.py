"""User-defined functions on text, as the IVOA's catalogue of ADQL user-defined functions (EN 1.2, section 2.4) describes them."""

from tap_service.adql.user_function import UserFunction, aggregate, function

TEXT_FUNCTIONS: tuple[UserFunction, ...] = (
    aggregate(
        "All values of an expression in a group, joined by a delimiter; NULLs leave no trace.",
        ("ivo_string_agg(expression TEXT, delimiter TEXT) -> TEXT", "string_agg({0}, {1})"),
    ),
    function(
        "1 if a text matches a pattern of LIKE without regard to case, else 0.",
        ("ivo_nocasematch(value TEXT, pattern TEXT) -> INTEGER", "CAST({0} ILIKE {1} ESCAPE '' AS integer)"),
    ),
    function(
        "1 if every word of needle is a word of haystack, without regard to case, order or punctuation, else 0; words are not stemmed.",
        (
            "ivo_hasword(haystack TEXT, needle TEXT) -> INTEGER",
            "CAST(to_tsvector('pg_catalog.simple', {0}) @@ plainto_tsquery('pg_catalog.simple', {1}) AS integer)",
        ),
    ),
    function(
        "1 if item is one of the words of a list that are joined by #, without regard to case, else 0.",
        (
            "ivo_hashlist_has(hashlist TEXT, item TEXT) -> INTEGER",
            # Without CASE, nothing (NULL) would be known not to be in an empty list.
            "CASE WHEN {1} IS NOT NULL THEN CAST(lower({1}) = ANY (string_to_array(lower({0}), '#')) AS integer) END",
        ),
    ),
)
