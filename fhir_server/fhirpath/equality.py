"""Equality and equivalence, http://hl7.org/fhirpath/N1/#equality."""

from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath import quantity, temporal
from fhir_server.fhirpath.errors import too_costly
from fhir_server.fhirpath.model import r4_model
from fhir_server.fhirpath.nodes import Collection, Node, atom
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import Temporal
from fhir_server.fhirpath.units import Units


def equals(a: Collection, b: Collection, units: Units) -> bool | None:
    """Returns `a = b`: same items in the same order; None when either is empty or precision leaves it open."""
    if not a or not b:
        return None
    if len(a) != len(b):
        return False
    return _all(nodes_equal(x, y, units) for x, y in zip(a, b, strict=True))


def _all(results: Iterable[bool | None]) -> bool | None:
    found = set(results)
    if False in found:
        return False
    return None if None in found else True


def nodes_equal(a: Node, b: Node, units: Units) -> bool | None:
    """Returns whether two items are equal; None where precision leaves it open."""
    x, y = atom(a), atom(b)
    if x is None or y is None:
        return None if a.value is None or b.value is None else _same_json(a.value, b.value)
    return values_equal(x, y, units)


def values_equal(x: Value, y: Value, units: Units) -> bool | None:
    """Returns whether two System values are equal; an integer converts to a decimal, both to a quantity."""
    if isinstance(x, bool) or isinstance(y, bool):
        return x is y
    if isinstance(x, Temporal) and isinstance(y, Temporal):
        return _moments_equal(x, y)
    if isinstance(x, Quantity) or isinstance(y, Quantity):
        p, q = as_quantity(x), as_quantity(y)
        return quantity.equals(p, q, units) if p and q else False
    return x == y


def _moments_equal(x: Temporal, y: Temporal) -> bool | None:
    if x.kind != y.kind and temporal.TIME in (x.kind, y.kind):
        return False
    order = temporal.compare(x, y)
    return None if order is None else order == 0


def as_quantity(value: Value) -> Quantity | None:
    """Returns a quantity or number as a Quantity, of unit `1`; None for anything else."""
    if isinstance(value, Quantity):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Quantity(Decimal(value), "1")
    return None


def _same_json(a: Any, b: Any) -> bool:
    """Compares JSON values, `true` and `1` being different things."""
    return bool(a == b) and frozen(a) == frozen(b)


def frozen(value: Any) -> Hashable:
    """Returns a hashable that is equal for equal JSON values."""
    if type(value) is dict:
        return frozenset((k, frozen(v)) for k, v in value.items())
    if type(value) is list:
        return tuple(frozen(v) for v in value)
    return (bool, value) if type(value) is bool else value


def key(node: Node, units: Units) -> Hashable:
    """Returns a hashable that is the same for equal items: the identity of distinct(), union and membership."""
    value = atom(node)
    match value:
        case None:
            return (frozen(node.value), frozen(node.sibling) if node.value is None else None)
        case bool():
            return (bool, value)
        case Temporal():
            return temporal.key(value)
        case Quantity():
            return quantity.identity(value, units)
    return value


def distinct(collection: Collection, units: Units) -> Collection:
    """Returns the items without those that equal an earlier one."""
    found: dict[Hashable, Node] = {}
    for node in collection:
        found.setdefault(key(node, units), node)
    return list(found.values())


def is_equivalent(a: Collection, b: Collection, units: Units) -> bool:
    """Tells whether `a ~ b`: the same items in any order, text without case, numbers at the lesser precision."""
    if len(a) != len(b):
        return False
    return _matched(list(a), list(b), lambda x, y: nodes_equivalent(x, y, units))


MAX_COMPARISONS = 1_000_000
"""Pairs that one `~` of two lists may have to look at: the order does not count, so each may meet each."""


def _matched(a: list[Any], b: list[Any], same: Callable[[Any, Any], bool]) -> bool:
    if len(a) * len(b) > MAX_COMPARISONS:
        raise too_costly("an equivalence", MAX_COMPARISONS, "pairs")
    for x in a:
        position = next((i for i, y in enumerate(b) if same(x, y)), None)
        if position is None:
            return False
        del b[position]
    return True


def nodes_equivalent(a: Node, b: Node, units: Units) -> bool:
    """Tells whether two items are equivalent."""
    x, y = atom(a), atom(b)
    if x is None or y is None:
        return _json_equivalent(a.value, b.value, a.type if a.type == b.type else "")
    return _values_equivalent(x, y, units)


def _values_equivalent(x: Value, y: Value, units: Units) -> bool:
    match x, y:
        case (bool(), _) | (_, bool()):
            return x is y
        case str(), str():
            return _folded(x) == _folded(y)
        case Temporal(), Temporal():
            return x.kind == y.kind and temporal.compare(x, y) == 0
        case (Quantity(), _) | (_, Quantity()):
            p, q = as_quantity(x), as_quantity(y)
            return bool(p and q) and quantity.is_equivalent(p, q, units)  # type: ignore[arg-type]
        case (int() | Decimal(), int() | Decimal()):
            return quantity.is_equivalent(Quantity(Decimal(x), "1"), Quantity(Decimal(y), "1"), units)
    return False


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _json_equivalent(a: Any, b: Any, type_: str) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        found = _concepts_equivalent(a, b) if type_ in ("Coding", "CodeableConcept") else None
        return _objects_equivalent(a, b, type_) if found is None else found
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and _matched(list(a), list(b), lambda x, y: _json_equivalent(x, y, type_))
    if isinstance(a, str) and isinstance(b, str):
        return _folded(a) == _folded(b)
    return _same_json(a, b)


def _objects_equivalent(a: JsonObject, b: JsonObject, type_: str) -> bool:
    known = r4_model().properties.get(type_, {})
    left, right = ({k: v for k, v in x.items() if k != "id"} for x in (a, b))
    return left.keys() == right.keys() and all(
        _json_equivalent(v, right[k], known[k].type if k in known else "") for k, v in left.items()
    )


def _concepts_equivalent(a: JsonObject, b: JsonObject) -> bool | None:
    """A Coding is its system and code, two concepts share a Coding, https://hl7.org/fhir/R4/fhirpath.html#changes.

    None where there is no code on either side: then the texts have to tell.
    """
    left, right = _codes(a), _codes(b)
    return None if not left and not right else not left.isdisjoint(right)


def _codes(concept: JsonObject) -> set[tuple[str, str]]:
    codings = concept.get("coding", [concept])
    listed = codings if isinstance(codings, list) else []
    found = [(c.get("system", ""), c.get("code")) for c in listed if isinstance(c, dict)]
    return {(_folded(s), _folded(c)) for s, c in found if isinstance(s, str) and isinstance(c, str)}
