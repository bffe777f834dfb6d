"""The shapes that rules and compiler share: what a check is, where it runs, and what it is built from.

See https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from fhir_server.definitions.registry import Definitions, Element, StructureDefinition
from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology import LocalTerminology
from fhir_server.validation.policy import SERVER, Policy, Resolve, nowhere
from fhir_server.validation.report import Findings


class Scope(NamedTuple):
    """Where a check runs. `resource` is FHIRPath's %resource, `root` its %rootResource.

    `bundle` finds the resources of the Bundle around, by fullUrl and by `Type/id`; empty outside one. `depth` counts the
    recursive steps so far; `use_meta` says whether the profiles in `meta.profile` count. `resolve` finds what references
    name outside the resource and its Bundle. `full_url` is that of the Bundle entry around, empty outside one, `near` what it
    starts with, see `resolution.nearness`. `memo` is what rules have worked out during this run; one for the whole run, so
    that ids of objects are safe keys.
    """

    resource: JsonObject
    root: JsonObject
    bundle: Mapping[str, JsonObject]
    depth: int = 0
    use_meta: bool = True
    policy: Policy = SERVER
    resolve: Resolve = nowhere
    full_url: str = ""
    memo: dict[Any, Any] = {}  # noqa: RUF012 - never written: `scope_of` gives every run its own
    near: str = ""


Check: TypeAlias = Callable[[Any, Scope], Findings | None]
"""Looks at one JSON value: None when all is well. Never raises but `TooDeep`, whatever the value is."""


MAX_DEPTH = 64
"""Most recursive steps below a resource: extensions in extensions, items in items, resources in resources."""


class TooDeep(Exception):
    """The input nests deeper than the limit."""


def deeper(scope: Scope) -> Scope:
    """Returns the scope one recursive step further down.

    Raises:
        TooDeep: that is one step too many.
    """
    if scope.depth >= MAX_DEPTH:
        raise TooDeep
    return Scope(scope.resource, scope.root, scope.bundle, scope.depth + 1, *scope[4:])


@dataclass(frozen=True, slots=True)
class Key:
    """One JSON property that an element may be: its type, its segment in paths, and where its extensions stand.

    `sibling` is `_birthDate` for the primitive `birthDate`, None for a complex type.
    """

    name: str
    type: str
    segment: str
    is_array: bool
    sibling: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """An element's facts for values of one type, and what R4's own check has covered already.

    `base` is R4's element at the same place, None when R4's own type is being compiled or has none. `profile` is the
    canonical that sentences name, `place` the element id within it.
    """

    element: Element
    type: str
    base: Element | None
    profile: str
    file: str = ""

    @property
    def place(self) -> str:
        """The element id, as definitions and sentences name it."""
        return self.element.id


def is_profile(structure: StructureDefinition) -> bool:
    """Tells whether a definition adds to R4's own of its type, whatever it says of its derivation."""
    return structure.url != f"http://hl7.org/fhir/StructureDefinition/{structure.type}"


class ProfileError(ValueError):
    """A definition cannot be compiled; the message names file, element and reason."""


class Build(Protocol):
    """What a rule's builder may ask of the compiler."""

    definitions: Definitions
    terminology: LocalTerminology

    def type_check(self, type_: str) -> Check:
        """Returns R4's own check of a type or backbone path."""

    def profile_check(self, url: str) -> Check | None:
        """Returns what a profile adds to R4's own check of its type; None when the profile is not known."""

    def report(self, site: Site, reason: str) -> None:
        """Notes a mistake in a definition."""
