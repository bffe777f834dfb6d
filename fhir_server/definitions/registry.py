"""Immutable registry of definitions, built once from `conformance/` and `profiles/`.

A `Definitions` value is everything that validation, search and terminology know about R4 and the loaded packages. It is
built aside and swapped in whole; nothing ever changes it in place. See https://hl7.org/fhir/R4/conformance-module.html.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_server.definitions import facts
from fhir_server.definitions.compartments import compartment
from fhir_server.definitions.documentation import documented, read_documentation
from fhir_server.definitions.findings import Findings
from fhir_server.definitions.given import sound
from fhir_server.definitions.library import Loaded
from fhir_server.definitions.parts import part_of
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
from fhir_server.definitions.structures import Built, build_structures, snapshots_of
from fhir_server.errors import Issue
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

    A URL may carry `|version`: a structure has one version, and anything else is the one asked for if it is there. Where
    a package and R4 define the same URL, the package's definition counts (newer terminology); it cannot redefine R4's
    structures. `findings` tell what was left out. What the methods return is shared: nobody may change it.
    """

    __slots__ = ("_library", "base", "built", "findings", "model", "resources")

    base: str
    built: Built
    findings: tuple[Issue, ...]
    model: TypeModel
    resources: Mapping[ResourceType, ResourceSupport]

    def __init__(
        self,
        built: Built,
        *,
        resources: Mapping[ResourceType, ResourceSupport],
        base: str,
        findings: Sequence[Issue] = (),
    ) -> None:
        """Takes what `packages.load_definitions` has read and checked; `base` is the canonical base of our packages."""
        self.built = built
        self._library = built.library
        self.base = base
        self.findings = tuple(findings)
        self.model = r4_model()
        self.resources = resources

    def extended(
        self,
        resources: Sequence[JsonObject],
        *,
        source: str = "",
        reuse: "Definitions | None" = None,
        left_out: Sequence[Issue] = (),
        is_packaged: bool = False,
    ) -> "Definitions":
        """Returns a new set that also knows these resources; one with a known URL replaces that in the new set.

        Any type may be given; StructureDefinition, ValueSet, CodeSystem, ConceptMap and SearchParameter need a `url`. A
        StructureDefinition without snapshot gets one; its bases are looked for among all, in any order. Never raises
        for a broken resource: it is left out, and `findings` of the new set say why, with `source` as the file, after
        those of this set and `left_out`. With `is_packaged` they are a package of others: what a differential says of
        elements that its base does not have is left out alone. R4's own structures stay R4's. What `reuse` (this set unless told) has built of
        the very same resources is taken over.
        """
        findings = Findings([*self.findings, *left_out])
        given = sound(resources, source, findings, is_packaged=is_packaged)
        built = build_structures(self._library.extended(given), findings, (reuse or self).built)
        usable = [one for one in given if not _is_missing(one, built)]
        if len(usable) < len(given):
            built = build_structures(self._library.extended(usable), Findings(), built)
        return Definitions(built, resources=self.resources, base=self.base, findings=findings.issues)

    def resource(self, type_: str, url: str) -> JsonObject | None:
        """Returns a loaded resource (Questionnaire, Measure, ConceptMap ...) by its canonical, as it stands, or None.

        `url|version` prefers that version and else takes the one that the URL names; `Type/id` is looked up by id.
        """
        return self._find(type_, url)

    def structure_resource(self, url: str) -> JsonObject | None:
        """Returns a StructureDefinition as it stands in its package, or R4's own (pruned, with its snapshot), or None."""
        plain = url.partition("|")[0]
        return (
            read_documentation().snapshot(plain)
            if facts.is_structure(plain)
            else self._find("StructureDefinition", url)
        )

    def with_snapshot(self, resource: JsonObject) -> JsonObject:
        """Returns a StructureDefinition with the snapshot that its differential makes, documented; about 50 ms.

        Without a differential it comes back as it is.

        Raises:
            SnapshotError: no snapshot can be made; `path` says where, the text why.
        """
        return documented(resource, snapshots_of(self._library, read_documentation().snapshot))

    def structure(self, url: str) -> StructureDefinition | None:
        """Returns the type or profile of a canonical URL (a `|version` suffix is ignored), or None.

        `url#id` is the element `id` within a profile, as a profile on the type of that element.
        """
        name = Canonical(url.partition("|")[0])
        found = self.built.by_url.get(name) or facts.structure(name)
        whole, mark, id_ = name.partition("#")
        if found or not mark:
            return found
        around = self.structure(whole)
        return part_of(around, id_, self.model) if around else None

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
        return tuple(self.built.by_url[url] for url in sorted(self.built.by_url))

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
        loaded = self._library.find(type_, url)
        if loaded is not None:
            return loaded.resource
        # Six of R4's own code systems have a bar in their URL (`v2-0006|2.1`).
        return facts.find(type_, url) or facts.find(type_, url.partition("|")[0])


def _is_missing(given: Loaded, built: Built) -> bool:
    return given.resource["resourceType"] == "StructureDefinition" and given.resource["url"] not in built.by_url


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
