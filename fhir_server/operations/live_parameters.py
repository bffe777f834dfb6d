"""Search parameters that clients store, checked and joined to those of their types.

https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_server import fhirpath
from fhir_server.definitions.registry import Definitions, SearchParameter
from fhir_server.definitions.search_parameters import build_parameter, restrict
from fhir_server.errors import Issue, issue
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search.branches import union_branches
from fhir_server.search.kinds import KINDS
from fhir_server.search.offered import listed
from fhir_server.store.contract import Key

TYPE = ResourceType("SearchParameter")
_NEEDED = ("url", "code", "type", "base", "expression", "status")


@dataclass(frozen=True, slots=True)
class Added:
    """What stored parameters add to a set of definitions: for each key its parameters, one a type; and what is wrong."""

    parameters: Mapping[Key, Sequence[SearchParameter]]
    faults: Mapping[Key, Sequence[Issue]]

    def join(self, definitions: Definitions, keys: Sequence[Key]) -> Definitions:
        """Returns the definitions with the parameters of these keys among those of their types."""
        resources = dict(definitions.resources)
        for parameter in (one for key in keys for one in self.parameters.get(key, ())):
            support = resources[parameter.bases[0]]
            resources[support.type] = replace(support, search={**support.search, parameter.code: parameter})
        if all(resources[type_] is support for type_, support in definitions.resources.items()):
            return definitions
        return Definitions(definitions.built, resources=resources, base=definitions.base, findings=definitions.findings)


def added_by(definitions: Definitions, stored: Mapping[Key, JsonObject]) -> Added:
    """Returns what the stored SearchParameters add; a retired one adds nothing."""
    parameters: dict[Key, Sequence[SearchParameter]] = {}
    faults: dict[Key, Sequence[Issue]] = {}
    taken: set[tuple[str, str]] = set()
    for key in sorted(key for key in stored if key.type == TYPE):
        resource = stored[key]
        if resource.get("status") == "retired":
            continue
        found = list(_faults(definitions, resource, taken))
        if found:
            faults[key] = found
        else:
            parameters[key] = _by_type(definitions, resource)
            taken.update((one.bases[0], one.code) for one in parameters[key])
    return Added(parameters, faults)


def _by_type(definitions: Definitions, resource: JsonObject) -> list[SearchParameter]:
    parameter = build_parameter(resource)
    types = [t for t in definitions.resources if any(definitions.model.is_a(t, base) for base in parameter.bases)]
    return [restrict(parameter, type_) for type_ in types]


def _faults(definitions: Definitions, resource: JsonObject, taken: set[tuple[str, str]]) -> Iterator[Issue]:
    """Yields what keeps a parameter from being used."""
    missing = [name for name in _NEEDED if not resource.get(name)]
    for name in missing:
        yield issue(
            "definitions.member-missing",
            f"SearchParameter.{name}",
            file=_name(resource),
            path=f"SearchParameter.{name}",
        )
    if missing:
        return
    if resource["type"] not in KINDS:
        valid = listed(KINDS)
        yield issue(
            "search.parameter-kind", "SearchParameter.type", code=resource["code"], found=resource["type"], valid=valid
        )
    parameters = _by_type(definitions, resource)
    if not parameters:
        yield issue("search.parameter-base", "SearchParameter.base", found=", ".join(map(str, resource["base"])))
    for one in parameters:
        yield from _faults_on(definitions, one, taken)


def _faults_on(definitions: Definitions, one: SearchParameter, taken: set[tuple[str, str]]) -> Iterator[Issue]:
    type_ = one.bases[0]
    if one.code in definitions.resources[type_].search or (type_, one.code) in taken:
        yield issue("search.parameter-taken", "SearchParameter.code", code=one.code, type=type_)
    try:
        for text in union_branches(one.expression):
            fhirpath.compile(text, type_)
    except ValueError as error:
        path = "SearchParameter.expression"
        yield issue("search.parameter-broken", path, code=one.code, type=type_, reason=str(error))


def _name(resource: JsonObject) -> str:
    return f"SearchParameter/{resource.get('id', '-')}"
