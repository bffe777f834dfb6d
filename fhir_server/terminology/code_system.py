"""A code system as a table of concepts with their parents, https://hl7.org/fhir/R4/codesystem.html."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from fhir_server.fhir.shapes import JsonObject

PARENT_PROPERTIES = frozenset({"parent", "subsumedBy"})
"""Properties that name a further parent, https://hl7.org/fhir/R4/codesystem-concept-properties.html."""

INACTIVE_STATES = frozenset({"retired", "inactive"})
"""Values of the property `status` that end a concept's use; a deprecated one may still be used."""

_STANDARD = "http://hl7.org/fhir/concept-properties#"
"""A property with such a URI means what R4 says, whatever code a system gives it."""

_NO_HIERARCHY = frozenset({"grouped-by", "part-of", "classified-with"})


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: its display, the codes right above it, its properties by code, its designations as R4 writes them."""

    code: str
    display: str | None
    parents: tuple[str, ...]
    properties: Mapping[str, tuple[Any, ...]]
    designations: tuple[JsonObject, ...] = ()
    definition: str | None = None

    @property
    def is_inactive(self) -> bool:
        """Whether the concept is no longer to be used."""
        return _is_set(self.properties, "inactive") or bool(
            INACTIVE_STATES.intersection(map(str, self.properties.get("status", ())))
        )

    @property
    def is_abstract(self) -> bool:
        """Whether the concept only groups others and is not to be chosen."""
        return any(_is_set(self.properties, name) for name in ("notSelectable", "abstract"))


def _is_set(properties: Mapping[str, tuple[Any, ...]], name: str) -> bool:
    """Systems are published that write the flags as codes, `valueCode: true`."""
    return any(value is True or value == "true" for value in properties.get(name, ()))


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """The concepts by code. `is_complete` is false where codes exist that are not listed.

    `declared` are the properties that the system defines, with their types; `supplements` the URLs of what was added.
    """

    url: str
    is_complete: bool
    concepts: Mapping[str, Concept]
    facts: JsonObject = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    supplements: tuple[str, ...] = ()
    _below: dict[str, frozenset[str]] = field(default_factory=dict)
    _children: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _folded: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        """The version that is loaded, if the system has one."""
        return self.facts.get("version")

    @property
    def language(self) -> str | None:
        """The language of the displays, if the system says so."""
        return self.facts.get("language")

    @property
    def is_fragment(self) -> bool:
        """Whether some of the codes are listed, and meant to be used."""
        return self.facts.get("content") == "fragment"

    @property
    def subsumes(self) -> bool:
        """Whether being below means being a kind of: a system that says nothing about its hierarchy is read so."""
        return self.facts.get("hierarchyMeaning") not in _NO_HIERARCHY

    def find(self, code: str) -> Concept | None:
        """Returns a concept by its code, in any case where the system does not care about case."""
        found = self.concepts.get(code)
        if found is not None or self.facts.get("caseSensitive") is not False:
            return found
        if not self._folded:
            self._folded.update((one.casefold(), one) for one in self.concepts)
        return self.concepts.get(self._folded.get(code.casefold(), ""))

    def children(self, code: str) -> tuple[str, ...]:
        """Returns the codes right below `code`, in the order of the system."""
        if not self._children:
            below: dict[str, list[str]] = {"": []}
            for concept in self.concepts.values():
                for parent in concept.parents:
                    below.setdefault(parent, []).append(concept.code)
            self._children.update((parent, tuple(codes)) for parent, codes in below.items())
        return self._children.get(code, ())

    def descendants(self, code: str) -> frozenset[str]:
        """Returns every code below `code`, at any depth; `code` itself is not among them unless it is its own ancestor."""
        if code not in self._below:
            found: set[str] = set()
            waiting = list(self.children(code))
            while waiting:
                one = waiting.pop()
                if one not in found:
                    found.add(one)
                    waiting.extend(self.children(one))
            self._below[code] = frozenset(found)
        return self._below[code]

    def ancestors(self, code: str) -> frozenset[str]:
        """Returns every code above `code`."""
        found: set[str] = set()
        waiting = [code]
        while waiting:
            concept = self.concepts.get(waiting.pop())
            new = [p for p in (concept.parents if concept else ()) if p not in found]
            found.update(new)
            waiting.extend(new)
        return frozenset(found)


def build_code_system(facts: JsonObject, supplements: Sequence[JsonObject] = ()) -> CodeSystem:
    """Returns the table of a CodeSystem resource; supplements add designations and properties to its concepts."""
    concepts = {one.code: one for one in _flat(facts.get("concept", ()), None, _aliases(facts))}
    _adopt(concepts)
    for one in supplements:
        _supplement(concepts, one)
    head = {k: v for k, v in facts.items() if k not in ("concept", "text")}
    declared = {p["code"]: p["type"] for one in (facts, *supplements) for p in one.get("property", ())}
    declared |= {name: declared[code] for code, name in _aliases(facts).items()}
    added = tuple(one["url"] for one in supplements)
    return CodeSystem(facts["url"], facts["content"] == "complete", concepts, head, declared, added)


def _aliases(facts: JsonObject) -> Mapping[str, str]:
    """Returns the standard names of the properties that a system calls otherwise."""
    named = ((one["code"], str(one.get("uri", ""))) for one in facts.get("property", ()))
    standard = ((code, uri.removeprefix(_STANDARD)) for code, uri in named if uri.startswith(_STANDARD))
    return {code: name for code, name in standard if name != code}


def _flat(concepts: Iterable[JsonObject], parent: str | None, aliases: Mapping[str, str]) -> Iterator[Concept]:
    for one in concepts:
        properties = _properties(one, aliases)
        named = [str(value) for key in PARENT_PROPERTIES for value in properties.get(key, ())]
        parents = tuple(dict.fromkeys(([] if parent is None else [parent]) + named))
        names = tuple(one.get("designation", ()))
        yield Concept(one["code"], one.get("display"), parents, properties, names, one.get("definition"))
        yield from _flat(one.get("concept", ()), one["code"], aliases)


def _adopt(concepts: dict[str, Concept]) -> None:
    """Adds the parents that name their children instead of being named (property `child`)."""
    for parent in list(concepts.values()):
        for code in parent.properties.get("child", ()):
            child = concepts.get(str(code))
            if child is not None and parent.code not in child.parents:
                concepts[child.code] = _with(child, parents=(*child.parents, parent.code))


def _supplement(concepts: dict[str, Concept], supplement: JsonObject) -> None:
    for added in _flat(supplement.get("concept", ()), None, _aliases(supplement)):
        own = concepts.get(added.code)
        if own is not None:
            values = reduce(_merged, added.properties.items(), dict(own.properties))
            named = added.designations
            if added.display is not None:
                named = ({"language": supplement.get("language"), "value": added.display}, *named)
            concepts[own.code] = _with(own, properties=values, designations=(*own.designations, *named))


def _merged(into: dict[str, tuple[Any, ...]], item: tuple[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    code, values = item
    into[code] = (*into.get(code, ()), *values)
    return into


def _with(concept: Concept, **changes: Any) -> Concept:
    own = {name: getattr(concept, name) for name in concept.__slots__}
    return Concept(**{**own, **changes})


def _properties(concept: JsonObject, aliases: Mapping[str, str]) -> Mapping[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for one in concept.get("property", ()):
        value = next((v for k, v in one.items() if k.startswith("value")), None)
        for code in {one["code"]: None, aliases.get(one["code"], one["code"]): None}:
            found[code] = (*found.get(code, ()), value)
    return found
