"""The code systems that elements of type `code` imply, https://hl7.org/fhir/R4/search.html#token.

`gender=http://hl7.org/fhir/administrative-gender|male` finds a plain `"gender": "male"`: the required binding names
the system.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fhir_server.definitions.registry import Definitions, SearchParameter
from fhir_server.definitions.shapes import Element
from fhir_server.fhir.shapes import JsonObject, ResourceType


@dataclass(frozen=True, slots=True)
class ImpliedSystems:
    """The systems of one bound element: by code where the value set lists codes, else one for all."""

    by_code: Mapping[str, str]
    otherwise: str

    def of(self, code: str) -> str:
        """Returns the system of a code; empty when the binding does not tell."""
        return self.by_code.get(code, self.otherwise)


NONE_IMPLIED = ImpliedSystems({}, "")


def implied_systems(definitions: Definitions, type_: ResourceType, parameter: SearchParameter) -> ImpliedSystems:
    """Returns what the element at the parameter's path implies; nothing when it is no `code` bound as required."""
    element = _element_at(definitions, type_, parameter.expression)
    bound = element.binding if element and element.types and element.types[0].code == "code" else None
    if bound is None or bound.value_set is None or bound.strength != "required":
        return NONE_IMPLIED
    return _of_value_set(definitions.value_set(bound.value_set) or {})


def _element_at(definitions: Definitions, type_: str, path: str) -> Element | None:
    """Returns the element at a path, which may lead into a data type (`Patient.address.use`)."""
    stem, _, last = path.rpartition(".")
    outer = None
    for element in definitions.structure_of_type(type_).elements:
        if element.path == path:
            return element
        outer = element if element.path == stem else outer
    within = outer.types[0].code if outer and len(outer.types) == 1 else ""
    return _element_at(definitions, within, f"{within}.{last}") if within in definitions.model.properties else None


def _of_value_set(value_set: JsonObject) -> ImpliedSystems:
    included = [i for i in value_set.get("include", ()) if i.get("system")]
    listed = {_code(c): i["system"] for i in included for c in i.get("concept", ())}
    whole = [i["system"] for i in included if not i.get("concept")]
    systems = {i["system"] for i in included}
    return ImpliedSystems(listed if len(systems) > 1 else {}, whole[0] if whole else min(systems, default=""))


def _code(concept: object) -> str:
    return str(concept["code"] if isinstance(concept, dict) else concept)
