"""Typed nodes and navigation over raw JSON, http://hl7.org/fhirpath/N1/#path-selection and https://hl7.org/fhir/R4/json.html."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple, TypeAlias

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.fhirpath.quantity import Quantity, of_json
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import Temporal, parse_date, parse_time

QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration", "SimpleQuantity", "MoneyQuantity"})
"""FHIR types that convert to a System Quantity."""
QUANTITY_PARTS = frozenset({"value", "unit"})
"""Elements of a System Quantity, http://hl7.org/fhirpath/#quantity."""
DATES = frozenset({"date", "dateTime", "instant"})


class Node(NamedTuple):
    """One item of a collection.

    `value` is JSON (a dict, or the str, bool, int or Decimal of a primitive), a System value, or None for a primitive
    that has only an id or extensions. `type` is a FHIR type, a backbone path, `System.X`, or empty where nothing is
    known. `sibling` is the `_x` object of a primitive.
    """

    value: Any
    type: str
    sibling: JsonObject | None = None


Collection: TypeAlias = list[Node]


def literal(value: Value) -> Node:
    """Returns the node of a System value, with its System type."""
    return Node(value, system_type(value))


def system_type(value: Value) -> str:
    """Returns `System.Boolean`, `System.Date` ... of a System value."""
    match value:
        case bool():
            return "System.Boolean"
        case int():
            return "System.Integer"
        case Decimal():
            return "System.Decimal"
        case Temporal(kind=kind):
            return "System." + kind
        case Quantity():
            return "System.Quantity"
    return "System.String"


def type_name(value: Value) -> str:
    """Returns the name of a System value's type as sentences say it: `Integer`, `Date`."""
    return system_type(value).removeprefix("System.")


def of_json_value(value: Any, type_: str) -> Node:
    """Returns the node of a JSON value of declared type `type_`; a resource brings its own, an undeclared one its System type."""
    if type(value) is dict and (type_ in ("Resource", "DomainResource", "")):
        own = value.get("resourceType")
        return Node(value, own if type(own) is str else type_)
    return Node(value, type_ or (system_type(value) if isinstance(value, str | int | Decimal) else ""))


def members(node: Node, name: str, model: TypeModel) -> Collection:
    """Returns the children of `node` called `name`, in order; a choice element by its base name (`value`)."""
    found = properties_called(node.type, name, model)
    if type(node.value) is not dict:
        return _primitive_members(node, name)
    if found is None:
        return list(_items(node.value, name, Property("", is_array=False, choice=None)))
    return [item for key, property_ in found for item in _items(node.value, key, property_)]


def properties_called(type_: str, name: str, model: TypeModel) -> list[tuple[str, Property]] | None:
    """Returns the JSON keys and properties behind a FHIRPath name; empty: no such element; None: the type is unknown."""
    known = model.properties.get(type_)
    if known is None or type_ in ("Resource", "DomainResource"):
        return None if not known or name not in known else [(name, known[name])]
    plain = known.get(name)
    if plain is not None:
        return [] if plain.choice is not None else [(name, _corrected(type_, name, plain, model))]
    return [(key, known[key]) for key in model.choice_keys(type_, name)]


def _corrected(type_: str, name: str, property_: Property, model: TypeModel) -> Property:
    """The snapshots of R4 give Resource.id the type string; https://hl7.org/fhir/R4/resource.html says id."""
    return Property("id", is_array=False, choice=None) if name == "id" and type_ in model.resources else property_


def _items(parent: JsonObject, key: str, property_: Property) -> Iterator[Node]:
    value, sibling = parent.get(key), parent.get("_" + key)
    if value is None and sibling is None:
        return
    for item, own in zip_longest(_listed(value), _listed(sibling)):
        beside = own if type(own) is dict else None
        if item is not None or beside is not None:
            yield _typed(item, property_.type, beside)


def _listed(value: Any) -> list[Any]:
    """One value or an array as a list; an array inside an array is no FHIR and counts as nothing."""
    if type(value) is list:
        return [None if type(v) is list else v for v in value]
    return [value]


def _typed(value: Any, type_: str, sibling: JsonObject | None) -> Node:
    return of_json_value(value, type_) if sibling is None else Node(value, type_, sibling)


def _primitive_members(node: Node, name: str) -> Collection:
    if isinstance(node.value, Quantity):
        return [literal(getattr(node.value, name))] if name in QUANTITY_PARTS else []
    if node.sibling is None or name not in ("id", "extension"):
        return []
    type_ = "string" if name == "id" else "Extension"
    return list(_items(node.sibling, name, Property(type_, is_array=False, choice=None)))


def children(node: Node, model: TypeModel) -> Collection:
    """Returns all children of a node in the order of its JSON."""
    source = node.value if type(node.value) is dict else node.sibling
    if source is None:
        return []
    known = model.properties.get(node.type, {}) if source is node.value else _PRIMITIVE
    found: Collection = []
    for key in dict.fromkeys(k.lstrip("_") for k in source if k != "resourceType"):
        found.extend(_items(source, key, known.get(key, _UNKNOWN)))
    return found


_UNKNOWN = Property("", is_array=False, choice=None)
_PRIMITIVE = {"id": Property("string", False, None), "extension": Property("Extension", True, None)}


def atom(node: Node) -> Value | None:
    """Returns the System value of a node, or None for a complex or empty one.

    https://hl7.org/fhir/R4/fhirpath.html#types: FHIR primitives and Quantity convert implicitly. A date that is none
    stays a string, which no date operator accepts.
    """
    value, type_ = node.value, node.type
    if isinstance(value, str):
        if type_ in DATES:
            return _dated(value, type_)
        return (parse_time(value) or value) if type_ == "time" else value
    if type(value) is dict:
        return of_json(value) if type_ in QUANTITIES else None
    if type_ == "decimal" and type(value) is int:  # JSON may leave out the point, and 2 is no Integer then
        return Decimal(value)
    return value  # type: ignore[no-any-return]


def _dated(text: str, type_: str) -> Value:
    parsed = parse_date(text)
    if parsed is None:
        return text
    return parsed if type_ == "date" or parsed.kind == "DateTime" else Temporal("DateTime", parsed.parts)


def plain(node: Node) -> Any:
    """Returns what a caller outside FHIRPath sees: JSON; dates and times as their FHIR text, quantities as FHIR JSON."""
    if isinstance(node.value, Temporal):
        return node.value.text
    return node.value.as_json() if isinstance(node.value, Quantity) else node.value


_FHIR_NAMES = {
    "Boolean": "boolean", "Integer": "integer", "Decimal": "decimal", "String": "string", "Date": "date",
    "DateTime": "dateTime", "Time": "time", "Quantity": "Quantity",
}  # fmt: skip
SYSTEM_NAMES = frozenset(_FHIR_NAMES)


def fhir_type(node: Node) -> str:
    """Returns the FHIR type name of a node: its own, or the one that a System value corresponds to."""
    namespace, _, name = node.type.partition(".")
    return _FHIR_NAMES.get(name, name) if namespace == "System" else node.type
