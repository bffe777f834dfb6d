"""A code system as a table of concepts with their parents, https://hl7.org/fhir/R4/codesystem.html."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_server.fhir.shapes import JsonObject

PARENT_PROPERTIES = frozenset({"parent", "subsumedBy"})
"""Properties that name a further parent, https://hl7.org/fhir/R4/codesystem-concept-properties.html."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: its display, the codes right above it, and its properties by code."""

    code: str
    display: str | None
    parents: tuple[str, ...]
    properties: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """The concepts by code. `is_complete` is false where codes exist that are not listed."""

    url: str
    is_complete: bool
    concepts: Mapping[str, Concept]
    _below: dict[str, frozenset[str]] = field(default_factory=dict)

    def descendants(self, code: str) -> frozenset[str]:
        """Returns every code below `code`, at any depth; `code` itself is not among them."""
        if code not in self._below:
            self._below[code] = self._collect(code)
        return self._below[code]

    def _collect(self, code: str) -> frozenset[str]:
        found: set[str] = set()
        while True:
            more = {c.code for c in self.concepts.values() if not found.union((code,)).isdisjoint(c.parents)} - found
            if not more:
                return frozenset(found)
            found |= more


def build_code_system(facts: JsonObject) -> CodeSystem:
    """Returns the table of a code system's facts."""
    concepts = {one.code: one for one in _flat(facts["concepts"], None)}
    return CodeSystem(facts["url"], facts["content"] == "complete", concepts)


def _flat(concepts: Sequence[JsonObject], parent: str | None) -> Iterator[Concept]:
    for one in concepts:
        properties = _properties(one)
        named = [str(value) for key in PARENT_PROPERTIES for value in properties.get(key, ())]
        parents = tuple(([] if parent is None else [parent]) + named)
        yield Concept(one["code"], one.get("display"), parents, properties)
        yield from _flat(one.get("concept", ()), one["code"])


def _properties(concept: JsonObject) -> Mapping[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for one in concept.get("property", ()):
        value = next((v for k, v in one.items() if k.startswith("value")), None)
        found[one["code"]] = (*found.get(one["code"], ()), value)
    return found
