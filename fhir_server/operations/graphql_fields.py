"""Which fields FHIR types have in GraphQL, and of which type each is, https://hl7.org/fhir/R4/graphql.html.

Types go by their FHIR names and paths (`Patient.contact`); `Query`, `PatientConnection` and `PatientEdge` are GraphQL's own.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.offered import offered, references

QUERY = "Query"
ANY_RESOURCE = "Resource"
LIST, CONNECTION, EDGE = "List", "Connection", "Edge"

Role = Literal["element", "resource", "one", "list", "connection", "computed"]


class Field(NamedTuple):
    """A field: its type, whether it is a list, its role, and its arguments: GraphQL name -> name in FHIR."""

    type: str
    is_list: bool = False
    role: Role = "element"
    arguments: Mapping[str, str] = {}


_CONNECTION: Mapping[str, Field] = {
    **dict.fromkeys(("count", "offset", "pagesize"), Field("integer", role="computed")),
    **dict.fromkeys(("first", "previous", "next", "last"), Field("string", role="computed")),
}
_NAVIGATING = {name: name for name in ("fhirpath", "_offset", "_count")}
_SEARCHING = {name: name for name in ("_filter", "_text", "_content", "_list", "_count", "_sort", "fhirpath")}
"""Arguments of every search besides the parameters of its type."""


class Fields:
    """The fields of every type under one set of definitions; each type is worked out when it is first asked for."""

    __slots__ = ("_known", "_searched", "by_name", "definitions")

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.by_name = {graphql_name(type_): type_ for type_ in definitions.model.properties}
        self._known: dict[str, Mapping[str, Field]] = {}
        self._searched: dict[tuple[ResourceType, bool], Mapping[str, Field]] = {}

    def of(self, type_: str) -> Mapping[str, Field]:
        """Returns the fields of a type by name; none for primitives and unknown types."""
        if type_ not in self._known:
            self._known[type_] = self._built(type_)
        return self._known[type_]

    def _built(self, type_: str) -> Mapping[str, Field]:
        if type_ == QUERY:
            return {**{t: self._one(t) for t in self.definitions.resources}, **self._searches(None)}
        stem, is_edge, is_connection = _stem(type_)
        if is_connection and ResourceType(stem) in self.definitions.resources:
            return {**_CONNECTION, "edges": Field(stem + EDGE, is_list=True, role="computed")}
        if is_edge and ResourceType(stem) in self.definitions.resources:
            found = {"mode": Field("code", role="computed"), "score": Field("decimal", role="computed")}
            return {**found, "resource": Field(stem, role="computed")}
        return self._of_model(type_)

    def _one(self, type_: str) -> Field:
        return Field(type_, role="one", arguments={"id": "id"})

    def _of_model(self, type_: str) -> Mapping[str, Field]:
        model = self.definitions.model
        found: dict[str, Field] = {}
        for key, property_ in model.properties.get(type_, {}).items():
            is_plain = property_.type in model.primitives
            arguments = {} if is_plain else {**self._filters(property_.type), **_NAVIGATING}
            found[key] = Field(property_.type, property_.is_array, arguments=arguments)
            if is_plain:
                found[f"_{key}"] = Field("Element", property_.is_array)
        if type_ == "Reference":
            arguments = {"optional": "optional", "type": "type"}
            found["resource"] = Field(ANY_RESOURCE, role="resource", arguments=arguments)
        if type_ in model.resources or type_ == ANY_RESOURCE:
            found["resourceType"] = Field("code")
        is_stored = ResourceType(type_) in self.definitions.resources
        return {**found, **self._searches(type_)} if is_stored else found

    def _filters(self, type_: str) -> Mapping[str, str]:
        model = self.definitions.model
        return {k: k for k, p in model.properties.get(type_, {}).items() if p.type in model.primitives}

    def _searches(self, below: str | None) -> Mapping[str, Field]:
        """Returns the searches at the root, or those below a type: of the types that can refer to it."""
        found: dict[str, Field] = {}
        for type_ in self.definitions.resources:
            if below is None or self._refers(type_, below):
                found |= self._search(type_, is_nested=below is not None)
        return found

    def _refers(self, type_: ResourceType, below: str) -> bool:
        parameters = references(self.definitions.resources[type_]).values()
        return any(not one.targets or below in one.targets for one in parameters)

    def _search(self, type_: ResourceType, *, is_nested: bool) -> Mapping[str, Field]:
        """Returns list and connection of a type, the same ones at each call."""
        if (type_, is_nested) not in self._searched:
            codes = {code.replace("-", "_"): code for code in offered(self.definitions.resources[type_])}
            arguments = {**codes, **_SEARCHING}
            more = "_reference" if is_nested else "_cursor"
            both = {**arguments, more: more}
            self._searched[type_, is_nested] = {
                type_ + LIST: Field(type_, True, "list", both if is_nested else arguments),
                type_ + CONNECTION: Field(type_ + CONNECTION, False, "connection", both),
            }
        return self._searched[type_, is_nested]


@lru_cache(maxsize=2)
def fields_under(definitions: Definitions) -> Fields:
    """Returns the fields under a set of definitions, worked out once for each set."""
    return Fields(definitions)


def _stem(type_: str) -> tuple[str, bool, bool]:
    """Returns the resource type of `PatientEdge` or `PatientConnection`, and which of them it is."""
    if type_.endswith(EDGE):
        return type_.removesuffix(EDGE), True, False
    return type_.removesuffix(CONNECTION), False, type_.endswith(CONNECTION)


def graphql_name(type_: str) -> str:
    """Returns the name of a FHIR type in GraphQL: `Patient.contact` is `PatientContact`."""
    head, *rest = type_.split(".")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
