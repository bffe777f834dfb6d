"""Search parameters that clients store, checked and joined to those of their types.

https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_server.definitions.registry import Definitions, SearchParameter
from fhir_server.definitions.search_parameters import build_parameter, restrict
from fhir_server.errors import Issue, issue
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.operations.live_parameter_faults import faults_on, own_faults
from fhir_server.store.contract import Key

TYPE = ResourceType("SearchParameter")


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
    taken: set[tuple[ResourceType, str]] = set()
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
    """Returns the parameter for each type: those it names, and those below what it names that its expression speaks of."""
    parameter = build_parameter(resource)
    types = [t for t in definitions.resources if any(definitions.model.is_a(t, base) for base in parameter.bases)]
    found = [restrict(parameter, type_) for type_ in types]
    return [one for one in found if one.expression or one.bases[0] in parameter.bases]


def _faults(
    definitions: Definitions, resource: JsonObject, taken: Collection[tuple[ResourceType, str]]
) -> Iterator[Issue]:
    """Yields what keeps a parameter from being used."""
    found = list(own_faults(resource))
    yield from found
    if any(one.key == "definitions.member-missing" for one in found):
        return
    parameters = _by_type(definitions, resource)
    if not parameters:
        yield issue("search.parameter-base", "SearchParameter.base", found=", ".join(map(str, resource["base"])))
    for one in parameters:
        yield from faults_on(definitions, one, taken)
