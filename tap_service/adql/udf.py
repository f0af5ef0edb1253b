"""Every user-defined function of the service, by its name in upper case: what a query may call, /capabilities declares and the docs list."""

from tap_service.adql.udf_labels import LABEL_FUNCTIONS
from tap_service.adql.udf_numbers import NUMBER_FUNCTIONS
from tap_service.adql.udf_sky import SKY_FUNCTIONS
from tap_service.adql.udf_text import TEXT_FUNCTIONS
from tap_service.adql.user_function import UserFunction

UDFS: dict[str, UserFunction] = {
    function.name.upper(): function for function in (*SKY_FUNCTIONS, *NUMBER_FUNCTIONS, *TEXT_FUNCTIONS, *LABEL_FUNCTIONS)
}
"""ivo_... functions are those of the IVOA's catalogue, gaia_... those of the Gaia archive, kiel_... our own."""
