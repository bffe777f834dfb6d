"""Immutable registry of definitions, built once from `conformance/` and `profiles/`.

A `Definitions` value is everything that validation, search and terminology know about R4 and the loaded packages. It is
built aside and swapped in whole; nothing ever changes it in place. See https://hl7.org/fhir/R4/conformance-module.html.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_server.definitions import facts
from fhir_server.definitions.compartments import compartment
from fhir_server.definitions.library import Library
from fhir_server.definitions.search_parameters import build_parameter, published
from fhir_server.definitions.shapes import (
    Binding,
    Constraint,
    Element,
    ResourceSupport,
    SearchParameter,
    Slicing,
    StructureDefinition,
    TypeRef,
)
from fhir_server.fhir.shapes import Canonical, JsonObject, ResourceType
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath.model import r4_model

__all__ = [
    "Binding",
    "Constraint",
    "Definitions",
    "Element",
    "ResourceSupport",
    "SearchParameter",
    "Slicing",
    "StructureDefinition",
    "TypeRef",
]

_R4 = "http://hl7.org/fhir/StructureDefinition/"


class Definitions:
    """Everything known about R4 and the loaded packages. Sub-classes nothing, changes never, loads lazily.

    A URL may carry `|version`, which is ignored: there is one version of everything. Where a package and R4 define the
    same URL, the package's definition counts (newer terminology); it cannot redefine R4's structures. What the methods
    return is shared: nobody may change it.
    """

    __slots__ = ("_library", "_structures", "base", "model", "resources")

    base: str
    model: TypeModel
    resources: Mapping[ResourceType, ResourceSupport]

    def __init__(
        self,
        library: Library,
        structures: Mapping[Canonical, StructureDefinition],
        *,
        resources: Mapping[ResourceType, ResourceSupport],
        base: str,
    ) -> None:
        """Takes what `packages.load_definitions` has read and checked; `base` is the canonical base of our packages."""
        self._library = library
        self._structures = structures
        self.base = base
        self.model = r4_model()
        self.resources = resources

    def structure(self, url: str) -> StructureDefinition | None:
        """Returns the type or profile of a canonical URL (a `|version` suffix is ignored), or None."""
        name = Canonical(url.partition("|")[0])
        return self._structures.get(name) or facts.structure(name)

    def structure_of_type(self, type_: str) -> StructureDefinition:
        """Returns R4's own definition of a type name.

        Raises:
            KeyError: R4 has no such type.
        """
        found = facts.structure(_R4 + type_)
        if found is None or found.derivation == "constraint":
            raise KeyError(type_)
        return found

    def profiles(self) -> Sequence[StructureDefinition]:
        """Returns the profiles and extensions of the loaded packages (not R4's own), in URL order."""
        return tuple(self._structures[url] for url in sorted(self._structures))

    def value_set(self, url: str) -> JsonObject | None:
        """Returns the facts of a value set, or None.

        They are `{"url", "version", "name", "include": [...], "exclude": [...]}`; an include is as R4 writes it:
        `system`, `version`, `concept` (`code`, `display`, `designation`), `filter` (`property`, `op`, `value`),
        `valueSet`. R4's own are decoded at each call.
        """
        found = self._find("ValueSet", url)
        return None if found is None else _value_set(found)

    def code_system(self, url: str) -> JsonObject | None:
        """Returns the facts of a code system, or None.

        They are `{"url", "version", "name", "content", "case_sensitive", "value_set", "hierarchy_meaning",
        "supplements", "concepts": [...]}`; a concept is as R4 writes it: `code`, `display`, `designation`, `property`,
        `concept`. `case_sensitive` is None where the definition does not say. R4's own are decoded at each call.
        """
        found = self._find("CodeSystem", url)
        return None if found is None else _code_system(found)

    def concept_map(self, url: str) -> JsonObject | None:
        """Returns a ConceptMap as R4 writes it (without the displays of SNOMED CT and LOINC), or None."""
        return self._find("ConceptMap", url)

    def operation(self, url: str) -> JsonObject | None:
        """Returns an OperationDefinition as R4 writes it, or None."""
        return self._find("OperationDefinition", url)

    def canonicals(self, type_: str) -> Sequence[Canonical]:
        """Returns the URLs of all ValueSet, CodeSystem, ConceptMap, SearchParameter or OperationDefinition, sorted."""
        own = {url for kind, url in self._library.by_url if kind == type_}
        return tuple(Canonical(url) for url in sorted(own.union(facts.urls(type_))))

    def search_parameter(self, url: str) -> SearchParameter | None:
        """Returns the parameter of a canonical URL on all its bases (a composite names its components so), or None."""
        loaded = self._library.by_url.get(("SearchParameter", url.partition("|")[0]))
        if loaded is not None:
            return build_parameter(loaded.resource)
        return published().get(Canonical(url.partition("|")[0]))

    def compartment(self, type_: str) -> Mapping[ResourceType, tuple[str, ...]]:
        """Returns which search parameters put each resource type into the compartment of `type_`."""
        return compartment(type_)

    def conformance_resource(self, type_: str, id_: str) -> JsonObject | None:
        """Returns a loaded conformance resource as it stands in its package, or None; R4's own are not kept whole."""
        loaded = self._library.by_id.get((type_, id_))
        return None if loaded is None else loaded.resource

    def conformance_resources(self, type_: str) -> Sequence[JsonObject]:
        """Returns every loaded conformance resource of a type as it stands in its package, in URL order."""
        return tuple(loaded.resource for loaded in self._library.of_type(type_))

    def _find(self, type_: str, url: str) -> JsonObject | None:
        name = url.partition("|")[0]
        loaded = self._library.by_url.get((type_, name))
        return facts.find(type_, name) if loaded is None else loaded.resource


def _value_set(resource: JsonObject) -> JsonObject:
    compose: Mapping[str, Any] = resource.get("compose", {})
    return {
        "url": resource["url"],
        "version": resource.get("version"),
        "name": resource.get("name"),
        "include": compose.get("include", []),
        "exclude": compose.get("exclude", []),
    }


def _code_system(resource: JsonObject) -> JsonObject:
    return {
        "url": resource["url"],
        "version": resource.get("version"),
        "name": resource.get("name"),
        "content": resource["content"],
        "case_sensitive": resource.get("caseSensitive"),
        "value_set": resource.get("valueSet"),
        "hierarchy_meaning": resource.get("hierarchyMeaning"),
        "supplements": resource.get("supplements"),
        "concepts": resource.get("concept", []),
    }
