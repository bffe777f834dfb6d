"""What generated code calls to reach elements. Values are JSON; None stands for empty, or inside a list for a primitive without a value."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath.errors import not_single

Items = Sequence[Any]


class Malformed(Exception):
    """The JSON is not what its types promise, or a rare case was met: the evaluator decides."""


MALFORMED = (Malformed, AttributeError, TypeError, KeyError, IndexError, ValueError, ArithmeticError)
"""What generated code may raise on JSON of another shape than R4's."""


# navigation: from one object, or from a list of objects


def has(parent: JsonObject, key: str, sibling: str) -> bool:
    """Tells whether a primitive is there, with a value or only with extensions."""
    return parent.get(key) is not None or parent.get(sibling) is not None


def items(parent: JsonObject, key: str, sibling: str) -> Items:
    """Returns the primitive as a list of none or one."""
    value = parent.get(key)
    return (value,) if value is not None or parent.get(sibling) is not None else ()


def texts(parent: JsonObject, key: str, sibling: str) -> Items:
    """Returns a repeating primitive, None where an item has only extensions."""
    values: Items = parent.get(key) or ()
    if sibling not in parent and None not in values:
        return values
    pairs = zip_longest(values, parent.get(sibling, ()))
    return [value for value, own in pairs if value is not None or own is not None]


def singles(parents: Items, key: str) -> Items:
    """Returns the objects at `key` of all parents."""
    return [v for p in parents if (v := p.get(key)) is not None]


def lists(parents: Items, key: str) -> Items:
    """Returns the objects of the arrays at `key` of all parents."""
    return [v for p in parents for v in p.get(key) or ()]


def single_texts(parents: Items, key: str, sibling: str) -> Items:
    """Returns the primitives at `key` of all parents."""
    return [p.get(key) for p in parents if p.get(key) is not None or p.get(sibling) is not None]


def list_texts(parents: Items, key: str, sibling: str) -> Items:
    """Returns the repeating primitives at `key` of all parents."""
    return [v for p in parents for v in texts(p, key, sibling)]


def choice(parent: JsonObject, keys: Mapping[str, str]) -> Any:
    """Returns the value of whichever key of a choice element is present."""
    for name in parent:
        if name in keys:
            return parent[name]
    return None


def has_choice(parent: JsonObject, keys: frozenset[str]) -> bool:
    """Tells whether a choice element is present; `keys` has both `valueX` and `_valueX`."""
    return not keys.isdisjoint(parent)


def choices(parents: Items, keys: Mapping[str, str]) -> Items:
    """Returns the choice elements of all parents."""
    found: list[Any] = []
    for parent in parents:
        value = choice(parent, keys)
        if value is not None or has_sibling(parent, keys):
            found.append(value)
    return found


def has_sibling(parent: JsonObject, keys: Mapping[str, str]) -> bool:
    """Tells whether a choice element is there with an id or extensions."""
    return any(k[0] == "_" and k[1:] in keys for k in parent)


def choice_pairs(parents: Items, keys: Mapping[str, str]) -> list[tuple[Any, str]]:
    """Returns the choice elements of all parents that have a value, each with its type."""
    return [(p[k], keys[k]) for p in parents for k in p if k in keys]


def untyped(parents: Items, key: str) -> Items:
    """Returns whatever stands at `key` of those parents that are objects."""
    found: list[Any] = []
    for parent in parents:
        if type(parent) is dict and key in parent:
            value = parent[key]
            found.extend(value) if type(value) is list else found.append(value)
    return found


def children(parent: JsonObject) -> list[Any]:
    """Returns the children of an object, siblings joined with their primitives."""
    found: list[Any] = []
    for key in dict.fromkeys(k.lstrip("_") for k in parent if k != "resourceType"):
        value, sibling = parent.get(key), parent.get("_" + key)
        if type(value) is list or type(sibling) is list:
            found.extend(texts(parent, key, "_" + key))
        elif value is not None or sibling is not None:
            found.append(value)
    return found


def descendants(parent: JsonObject) -> list[Any]:
    """Returns all objects and primitives below an object.

    Raises:
        Malformed: there are primitives with extensions, whose parts only the evaluator sees.
    """
    found: list[Any] = []
    level = children(parent)
    while level:
        found.extend(level)
        objects = [v for v in level if type(v) is dict]
        if any(k[0] == "_" for o in objects for k in o):
            raise Malformed
        level = [child for o in objects for child in children(o)]
    return found


def extensions(parents: Items, url: str) -> Items:
    """Returns the extensions of all parents that have this URL."""
    return [e for p in parents for e in p.get("extension") or () if e.get("url") == url]


def own_extensions(parent: JsonObject, sibling: str, url: str) -> Items:
    """Returns the extensions with this URL of a primitive, single or repeating."""
    own = parent.get(sibling)
    return extensions([s for s in own if s] if type(own) is list else (own,) if own else (), url)


# cardinality


def one(found: Items) -> Any:
    """Returns the only item, or None.

    Raises:
        EvaluationError: several items.
    """
    if len(found) > 1:
        raise not_single("an operation", len(found))
    return found[0] if found else None


def optional(value: Any) -> Items:
    """Returns a value as a list of none or one."""
    return () if value is None else (value,)


def at(found: Items, index: int) -> Any:
    """Returns the item at a 0-based place, or None."""
    return found[index] if 0 <= index < len(found) else None


def last(found: Items) -> Any:
    """Returns the last item, or None."""
    return found[-1] if found else None
