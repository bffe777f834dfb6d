"""Named shapes of definitions, https://hl7.org/fhir/R4/elementdefinition.html: what the other rooms compile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.fhir.shapes import Canonical, ResourceType


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One allowed type of an element, with the profiles it must meet and the profiles its target must meet.

    `code` is a FHIR type name; `regex` is what the text of a primitive must match, where the type says so.
    """

    code: str
    profiles: tuple[Canonical, ...] = ()
    targets: tuple[Canonical, ...] = ()
    aggregation: tuple[str, ...] = ()
    regex: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """A terminology binding: strength (`required`, `extensible`, `preferred`, `example`) and value set."""

    strength: str
    value_set: Canonical | None
    max_value_set: Canonical | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """An invariant: key, severity (`error`, `warning`), the sentence in both languages, and its FHIRPath.

    `zh` is empty for R4's own constraints. `best_practice` marks advice (dom-6, con-3) that a setting may silence.
    A faulty expression of R4 has been replaced by its repair, see `repairs.py`.
    """

    key: str
    severity: str
    human: str
    expression: str
    zh: str = ""
    best_practice: bool = False


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

    `context` are (type, expression) of an extension: where it may stand; `context_invariants` are FHIRPath conditions on
    that place. `source` names the file it came from, for messages; empty for R4's own.
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
    context_invariants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A search parameter on the bases it applies to.

    In `ResourceSupport.search` there is one base, the type, and `expression` has only the branches for that type.
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
