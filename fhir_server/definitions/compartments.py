"""Compartments: which search parameters put a resource near a patient, https://hl7.org/fhir/R4/compartmentdefinition.html."""

from collections.abc import Mapping
from types import MappingProxyType

from fhir_server.definitions import facts
from fhir_server.fhir.shapes import ResourceType

_NONE: Mapping[ResourceType, tuple[str, ...]] = MappingProxyType({})


def compartment(type_: str) -> Mapping[ResourceType, tuple[str, ...]]:
    """Returns the search parameters that put each type into the compartment of `type_`; nothing where R4 has none.

    R4 has five: Patient, Encounter, Practitioner, RelatedPerson, Device. A type that is never in it is not listed.
    """
    found = facts.compartments().get(type_)
    return _NONE if found is None else {ResourceType(t): codes for t, codes in found.items()}
