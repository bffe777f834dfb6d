"""All functions of FHIRPath by name, http://hl7.org/fhirpath/N1/#functions and https://hl7.org/fhir/R4/fhirpath.html#functions."""

from collections.abc import Mapping
from types import MappingProxyType

from fhir_server.fhirpath.functions import (
    boundaries,
    clock,
    combining,
    components,
    conversion,
    existence,
    fhir,
    filtering,
    maths,
    regular,
    strings,
    subsetting,
    tree,
    variables,
)
from fhir_server.fhirpath.functions.signature import Function

_FAMILIES = (
    existence,
    filtering,
    subsetting,
    combining,
    conversion,
    strings,
    regular,
    maths,
    tree,
    clock,
    components,
    boundaries,
    variables,
    fhir,
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {k: f for family in _FAMILIES for k, f in family.FUNCTIONS.items()}
)
"""Every function but is(), as() and ofType(), whose argument is a type, and sort(), whose arguments have a direction."""
