"""Codes from one system in another by concept maps, https://hl7.org/fhir/R4/conceptmap-operation-translate.html."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.compose import Pair
from fhir_server.terminology.sources import Sources

NO_MATCH = frozenset({"unmatched", "disjoint"})
"""Equivalences that tell that there is no counterpart."""

TURNED: Mapping[str, str] = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}
"""Equivalences that turn round when a map is read from its target to its source; the others stay."""

DEFAULT_EQUIVALENCE = "equivalent"
_MAX_MAPS = 10
"""Most maps that may refer to each other by `unmapped.mode = other-map`."""


class Match(NamedTuple):
    """A counterpart: how it relates (target to source), its coding, products, and the map that says so."""

    equivalence: str
    concept: JsonObject
    products: tuple[JsonObject, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Question:
    """A code to translate. `target` is a code system; `reverse` reads maps from their target to their source.

    `dependencies` are (element, system or None, code) triples that a map's `dependsOn` may ask for.
    """

    pair: Pair
    target: str | None = None
    reverse: bool = False
    dependencies: frozenset[tuple[str, str | None, str]] = frozenset()


def maps_between(
    sources: Sources, question: Question, *, source_set: str | None = None, target_set: str | None = None
) -> Sequence[JsonObject]:
    """Returns the concept maps that have a group for a question, and these value sets as their source and target."""
    if question.reverse:
        source_set, target_set = target_set, source_set
    ends = (("source", source_set), ("target", target_set))
    return [
        one
        for one in sources.concept_maps()
        if any(_fits(group, question) for group in one.get("group", ()))
        and all(wanted is None or _plain(_end(one, name)) == _plain(wanted) for name, wanted in ends)
    ]


def _end(concept_map: JsonObject, name: str) -> str:
    return str(concept_map.get(f"{name}Canonical") or concept_map.get(f"{name}Uri") or "")


def _plain(url: str) -> str:
    return url.partition("|")[0]


def _fits(group: JsonObject, question: Question) -> bool:
    here, there = ("target", "source") if question.reverse else ("source", "target")
    return group.get(here) == question.pair.system and question.target in (None, group.get(there))


def translate(sources: Sources, concept_map: JsonObject, question: Question) -> list[Match]:
    """Returns the counterparts of a code by one ConceptMap resource, in its order, "unmatched" and "disjoint" included."""
    found: list[Match] = []
    for one in _matches(sources, concept_map, question, _MAX_MAPS):
        if one not in found:
            found.append(one)
    return found


def _matches(sources: Sources, concept_map: JsonObject, question: Question, depth: int) -> Iterator[Match]:
    name = str(concept_map.get("url") or concept_map.get("id") or "")
    for group in concept_map.get("group", ()):
        if not _fits(group, question):
            continue
        if question.reverse:
            yield from _backward(group, question, name)
            continue
        own = [one for one in group.get("element", ()) if one.get("code") == question.pair.code]
        for element in own:
            yield from _forward(group, element, question, name)
        if not any(element.get("target") for element in own) and "unmapped" in group:
            yield from _unmapped(sources, group, question, (name, depth))


def _forward(group: JsonObject, element: JsonObject, question: Question, name: str) -> Iterator[Match]:
    for target in element.get("target", ()):
        if not _depends(target.get("dependsOn", ()), question):
            continue
        equivalence = str(target.get("equivalence", DEFAULT_EQUIVALENCE))
        coding = _coding(group, "target", target)
        yield Match(equivalence, coding, tuple(map(_product, target.get("product", ()))), name)


def _backward(group: JsonObject, question: Question, name: str) -> Iterator[Match]:
    for element in group.get("element", ()):
        for target in element.get("target", ()):
            if target.get("code") == question.pair.code and _depends(target.get("dependsOn", ()), question):
                equivalence = str(target.get("equivalence", DEFAULT_EQUIVALENCE))
                yield Match(TURNED.get(equivalence, equivalence), _coding(group, "source", element), (), name)


def _coding(group: JsonObject, side: str, concept: JsonObject) -> JsonObject:
    told = {"system": group.get(side), "version": group.get(f"{side}Version")}
    told |= {name: concept.get(name) for name in ("code", "display")}
    return {name: value for name, value in told.items() if value is not None}


def _depends(conditions: Sequence[JsonObject], question: Question) -> bool:
    given = question.dependencies
    return all(
        (one.get("property", ""), one.get("system"), one.get("value")) in given
        or (one.get("property", ""), None, one.get("value")) in given
        for one in conditions
    )


def _product(one: JsonObject) -> JsonObject:
    coding = {"system": one.get("system"), "code": one.get("value"), "display": one.get("display")}
    return {"element": one.get("property"), "concept": {k: v for k, v in coding.items() if v is not None}}


def _unmapped(sources: Sources, group: JsonObject, question: Question, at: tuple[str, int]) -> Iterator[Match]:
    """Yields what a group says of codes that it does not list."""
    rule, (name, depth) = group["unmapped"], at
    mode = rule.get("mode")
    if mode == "provided":
        coding = {"system": group.get("target"), "code": question.pair.code}
        yield Match("equal", {k: v for k, v in coding.items() if v is not None}, (), name)
    elif mode == "fixed":
        yield Match("inexact", _coding(group, "target", rule), (), name)
    elif mode == "other-map" and depth:
        other = sources.concept_map(str(rule.get("url", "")))
        if other is not None:
            yield from _matches(sources, other, question, depth - 1)
