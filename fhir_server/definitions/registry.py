"""Immutable registries of definitions, built once from `conformance/` and `profiles/`.

A `Definitions` value is everything that validation, search and terminology know about R4 and our profiles. It is built
aside and swapped in whole; nothing ever changes it in place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.fhir.shapes import Canonical, JsonObject, ResourceType
from fhir_server.fhir.type_model import TypeModel


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One allowed type of an element, with the profiles it must meet and the profiles its target must meet."""

    code: str
    profiles: tuple[Canonical, ...] = ()
    targets: tuple[Canonical, ...] = ()
    aggregation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binding:
    """A terminology binding: strength (`required`, `extensible`, `preferred`, `example`) and value set."""

    strength: str
    value_set: Canonical | None
    max_value_set: Canonical | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """An invariant: key, severity (`error`, `warning`), the sentence in both languages, and its FHIRPath.

    `zh` is empty for R4's own constraints.
    """

    key: str
    severity: str
    human: str
    expression: str
    zh: str = ""


@dataclass(frozen=True, slots=True)
class Slicing:
    """How an element is sliced: (type, path) discriminators, order, and rules (`open`, `closed`, `openAtEnd`)."""

    discriminators: tuple[tuple[str, str], ...]
    ordered: bool
    rules: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a snapshot. `max` is None for `*`. `fixed` and `pattern` are (type suffix, value) or None."""

    id: str
    path: str
    min: int
    max: int | None
    types: tuple[TypeRef, ...] = ()
    content_reference: str | None = None
    binding: Binding | None = None
    constraints: tuple[Constraint, ...] = ()
    slicing: Slicing | None = None
    slice_name: str | None = None
    fixed: tuple[str, Any] | None = None
    pattern: tuple[str, Any] | None = None
    min_value: tuple[str, Any] | None = None
    max_value: tuple[str, Any] | None = None
    max_length: int | None = None
    is_modifier: bool = False
    is_summary: bool = False
    must_support: bool = False


@dataclass(frozen=True, slots=True)
class StructureDefinition:
    """A type or profile with its snapshot. `derivation` is `specialization` (a type) or `constraint` (a profile).

    `source` names the file it came from, for messages; empty for R4's own.
    """

    url: Canonical
    version: str
    name: str
    type: str
    kind: str
    abstract: bool
    base: Canonical | None
    derivation: str | None
    context: tuple[tuple[str, str], ...]
    elements: tuple[Element, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A search parameter on the bases it applies to.

    `kind` is the FHIR type (`string`, `token`, `reference`, `date`, `number`, `quantity`, `uri`, `composite`,
    `special`). `targets` restricts references; empty means any type. `components` are (definition, expression).
    """

    code: str
    url: Canonical
    kind: str
    bases: tuple[ResourceType, ...]
    expression: str
    targets: tuple[ResourceType, ...] = ()
    components: tuple[tuple[Canonical, str], ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class ResourceSupport:
    """What this server does with one resource type, from `conformance/resources/<Type>/type.toml`.

    `interactions` are R4 codes (`read`, `vread`, `update`, ...). `sort_date` is the code of the date parameter that
    orders the type by clinical time, or None for last-updated. `search` maps a code to its parameter, R4's own and ours.
    """

    type: ResourceType
    interactions: tuple[str, ...]
    profiles: tuple[Canonical, ...]
    sort_date: str | None
    search: Mapping[str, SearchParameter]


class Definitions:
    """Everything known about R4 and the loaded packages. Sub-classes nothing, changes never, loads lazily."""

    model: TypeModel
    resources: Mapping[ResourceType, ResourceSupport]

    def structure(self, url: str) -> StructureDefinition | None:
        """Returns the type or profile of a canonical URL (a `|version` suffix is ignored), or None."""
        raise NotImplementedError

    def structure_of_type(self, type_: str) -> StructureDefinition:
        """Returns R4's own definition of a type name.

        Raises:
            KeyError: R4 has no such type.
        """
        raise NotImplementedError

    def profiles(self) -> Sequence[StructureDefinition]:
        """Returns the profiles of the loaded packages (not R4's own), in URL order."""
        raise NotImplementedError

    def value_set(self, url: str) -> JsonObject | None:
        """Returns the facts of a value set, `{"url", "version", "name", "include": [...], "exclude": [...]}`, or None."""
        raise NotImplementedError

    def code_system(self, url: str) -> JsonObject | None:
        """Returns the facts of a code system, `{"url", "version", "content", "case_sensitive", "concepts": [...]}`."""
        raise NotImplementedError

    def compartment(self, type_: str) -> Mapping[ResourceType, tuple[str, ...]]:
        """Returns which search parameters put each resource type into the compartment of `type_`."""
        raise NotImplementedError

    def conformance_resource(self, type_: str, id_: str) -> JsonObject | None:
        """Returns a loaded conformance resource as it stands in its package, or None."""
        raise NotImplementedError
