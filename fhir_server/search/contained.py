"""Contained resources: how they are filed with their container, and what is asked of them.

The n-th contained resource of a type is filed in its container's rows, each parameter named `#Type<n>.param`, its id under
`#Type<n>._id`. A reference to it is `param=Type/#<n>`, and `_contained=Type#000n` says that it is there.
https://hl7.org/fhir/R4/search.html#contained
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from fhir_server.fhir.references import replace_references
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    Contains,
    ContentHas,
    IdIs,
    KeyIs,
    Not,
    ReferredBy,
    RefersTo,
    UpdatedTest,
)
from fhir_server.search.rows import IndexEntries

MARK = "_contained"
"""The parameter of the keys that count what is contained."""

MOST = 1000
"""Resources of one type that are found in one container; R4 sets no limit, and nobody contains so many."""

_NEVER = AnyOf(())

Extract = Callable[[JsonObject, datetime], IndexEntries]
Inside = tuple[ResourceType, int, JsonObject]
"""The type of a contained resource, its number among those of the type, and its body."""


def mark_value(type_: ResourceType, number: int) -> str:
    """Returns what the mark of a contained resource says; in the order of the numbers."""
    return f"{type_}#{number:04}"


def marked_number(key: str) -> int:
    """Returns the number in the key of a mark."""
    return int(key[-4:])


def pointer(type_: ResourceType, number: int) -> str:
    """Returns what a reference to a contained resource is filed as; no id has a `#`."""
    return f"{type_}/#{number}"


def numbered(resource: JsonObject, types: Collection[str]) -> Iterator[Inside]:
    """Yields the contained resources of these types, of each type the first `MOST`, in their order."""
    counts: dict[ResourceType, int] = {}
    for inner in resource.get("contained") or ():
        type_ = ResourceType(str(inner.get("resourceType")))
        number = counts.get(type_, 0)
        if type_ in types and number < MOST:
            counts[type_] = number + 1
            yield type_, number, inner


def entries_with_contained(
    resource: JsonObject, updated: datetime, extract: Extract, types: Collection[str]
) -> IndexEntries:
    """Returns the rows of a container: its own, by `extract`, and those of what it contains of these types."""
    found = list(numbered(resource, types))
    targets = {f"#{inner.get('id')}": (type_, number) for type_, number, inner in found}
    own = extract(_pointed({key: value for key, value in resource.items() if key != "contained"}, targets), updated)
    parts = [own, *(_renamed(extract(_pointed(one[2], targets), updated), one) for one in found)]
    return IndexEntries(
        tuple(sorted({key for part in parts for key in part.keys})),
        tuple(row for part in parts for row in part.ranges),
        tuple(row for part in parts for row in part.texts),
        own.sort_date,
    )


def _pointed(value: Any, targets: Mapping[str, tuple[ResourceType, int]]) -> Any:
    """Returns a copy in which references to contained resources are pointers."""

    def pointing(text: str) -> dict[str, str]:
        if text not in targets:
            return {}
        type_, number = targets[text]
        return {"reference": pointer(type_, number), "type": type_}

    return replace_references(value, pointing)


def _renamed(entries: IndexEntries, inside: Inside) -> IndexEntries:
    type_, number, inner = inside
    start = _start(type_, number)
    keys = [f"{MARK}={mark_value(type_, number)}", f"{start}_id={inner.get('id')}"]
    return IndexEntries(
        (*keys, *(start + key for key in entries.keys)),
        tuple(row._replace(param=start + row.param) for row in entries.ranges),
        tuple(row._replace(param=start + row.param) for row in entries.texts),
        entries.sort_date,
    )


def _start(type_: ResourceType, number: int) -> str:
    return f"#{type_}{number}."


def inside(clause: Clause, type_: ResourceType, number: int) -> Clause:
    """Returns what a clause about a resource comes to, asked of the container about its n-th contained one of a type.

    It has no instant of update, no text of its own and nobody but its container refers to it: such clauses never hold.
    """
    match clause:
        case AnyOf() | AllOf():
            return replace(clause, clauses=tuple(inside(one, type_, number) for one in clause.clauses))
        case Not():
            return Not(inside(clause.clause, type_, number))
        case IdIs():
            return AnyOf(tuple(KeyIs(f"{_start(type_, number)}_id", id_) for id_ in clause.ids))
        case UpdatedTest() | ContentHas() | ReferredBy() | Contains():
            return _NEVER
    return replace(clause, param=_start(type_, number) + clause.param)


def pointed_at(clause: RefersTo, number: int) -> Clause:
    """Returns the clause that the resource refers to its n-th contained one of the chain's type, which satisfies the chain."""
    where = (inside(one, clause.type, number) for one in clause.where)
    return AllOf((KeyIs(clause.param, pointer(clause.type, number)), *where))
