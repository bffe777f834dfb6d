"""What changed between two resources, as the operations of a FHIRPath Patch, https://hl7.org/fhir/R4/fhirpatch.html.

Applied one after another they turn the first resource into the second.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import Property, TypeModel

_IGNORED = frozenset({"versionId", "lastUpdated"})
"""Parts of meta that every version has its own of."""


class Item(NamedTuple):
    """An element as JSON has it in two places: its value, and its id and extensions if it is primitive."""

    value: Any
    more: Any = None


@dataclass(frozen=True, slots=True)
class Typed:
    """An element under the name that FHIRPath knows it by, its type, whether it repeats, and its items."""

    name: str
    type: str
    repeats: bool
    items: tuple[Item, ...] = ()


class Change(NamedTuple):
    """One operation: `add`, `insert`, `delete` or `replace` at a path. `name` is the added element's, `at` the index of the inserted one."""

    kind: str
    path: str
    type: str
    old: Item | None = None
    new: Item | None = None
    name: str = ""
    at: int = 0


def changes_between(before: JsonObject, after: JsonObject, model: TypeModel) -> Iterator[Change]:
    """Yields the changes that make `after` of `before`, two resources of one type; version and time of update aside."""
    type_ = str(after["resourceType"])
    yield from _objects(_Between(model), _own(before), _own(after), type_, type_)


def _own(resource: JsonObject) -> JsonObject:
    meta = {k: v for k, v in (resource.get("meta") or {}).items() if k not in _IGNORED}
    rest = {k: v for k, v in resource.items() if k not in ("resourceType", "meta")}
    return {**rest, **({"meta": meta} if meta else {})}


@dataclass(frozen=True, slots=True)
class _Between:
    """The types by which two resources are compared."""

    model: TypeModel

    def elements(self, value: JsonObject, type_: str) -> dict[str, Typed]:
        """Returns the elements of an object by name, in the order of their type."""
        properties = self.model.properties.get(type_, {})
        present = {key: properties[key] for key in properties if key in value or f"_{key}" in value}
        return {(p.choice or key): _typed(key, p, value) for key, p in present.items()}


def _typed(key: str, property_: Property, value: JsonObject) -> Typed:
    own, more = value.get(key), value.get(f"_{key}")
    name = property_.choice or key
    if not property_.is_array:
        return Typed(name, property_.type, repeats=False, items=(Item(own, more),))
    owns, mores = own or [], more or []
    size = max(len(owns), len(mores))
    padded = zip([*owns, *[None] * (size - len(owns))], [*mores, *[None] * (size - len(mores))], strict=True)
    return Typed(name, property_.type, repeats=True, items=tuple(Item(*pair) for pair in padded))


def _objects(between: _Between, before: JsonObject, after: JsonObject, type_: str, path: str) -> Iterator[Change]:
    ours, theirs = between.elements(before, type_), between.elements(after, type_)
    for name in dict.fromkeys((*ours, *theirs)):
        old, new = ours.get(name), theirs.get(name)
        place = f"{path}.{name}"
        if old is not None and (new is None or new.type != old.type):
            yield from _deleted(old, place)
        if new is not None and (old is None or new.type != old.type):
            yield from _added(new, path)
        elif new is not None and old is not None and new.repeats:
            yield from _lists(between, old, new, place)
        elif new is not None and old is not None:
            yield from _items(between, old.items[0], new.items[0], new.type, place)


def _added(new: Typed, path: str) -> Iterator[Change]:
    for item in new.items:
        yield Change("add", path, new.type, None, item, new.name)


def _deleted(old: Typed, place: str) -> Iterator[Change]:
    """Lists go from their end, so that the places of the rest stay."""
    for n in reversed(range(len(old.items))):
        yield Change("delete", f"{place}[{n}]" if old.repeats else place, old.type, old.items[n])


def _lists(between: _Between, old: Typed, new: Typed, place: str) -> Iterator[Change]:
    """What both lists begin and end with stays; between that, items change in pairs, and the rest comes or goes."""
    start, end = _same_ends(old.items, new.items)
    ours, theirs = old.items[start : len(old.items) - end], new.items[start : len(new.items) - end]
    paired = min(len(ours), len(theirs))
    for n in range(paired):
        yield from _items(between, ours[n], theirs[n], new.type, f"{place}[{start + n}]")
    for n in reversed(range(paired, len(ours))):
        yield Change("delete", f"{place}[{start + n}]", old.type, ours[n])
    for n in range(paired, len(theirs)):
        if end:
            yield Change("insert", place, new.type, None, theirs[n], at=start + n)
        else:
            yield Change("add", place.rpartition(".")[0], new.type, None, theirs[n], new.name)


def _same_ends(ours: tuple[Item, ...], theirs: tuple[Item, ...]) -> tuple[int, int]:
    most = min(len(ours), len(theirs))
    start = next((n for n in range(most) if not _is_same(ours[n], theirs[n])), most)
    left = most - start
    return start, next((n for n in range(left) if not _is_same(ours[-1 - n], theirs[-1 - n])), left)


def _is_same(one: Item, other: Item) -> bool:
    """Tells whether two items are written alike: 1.0 and 1.00 are not."""
    return encode(one) == encode(other)


def _items(between: _Between, old: Item, new: Item, type_: str, place: str) -> Iterator[Change]:
    """Yields what changed in one item: inside it if it has elements of its own, else all of it."""
    if _is_same(old, new):
        return
    if isinstance(old.value, dict) and isinstance(new.value, dict) and "resourceType" not in new.value:
        yield from _objects(between, old.value, new.value, type_, place)
    else:
        yield Change("replace", place, type_, old, new)
