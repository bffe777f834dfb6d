"""Singleton evaluation of collections, http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections."""

from decimal import Decimal

from fhir_server.fhirpath.errors import not_single, wrong_type
from fhir_server.fhirpath.nodes import Collection, Node, atom, fhir_type, type_name
from fhir_server.fhirpath.syntax import Value


def one(collection: Collection, what: str) -> Node | None:
    """Returns the only item, or None for an empty collection.

    Raises:
        EvaluationError: there are several items; `what` names the operation in the message.
    """
    if len(collection) > 1:
        raise not_single(what, len(collection))
    return collection[0] if collection else None


def value_of(collection: Collection, what: str) -> Value | None:
    """Returns the System value of the only item; None when it is empty or has only extensions.

    Raises:
        EvaluationError: several items, or one that is no System value.
    """
    node = one(collection, what)
    if node is None or node.value is None:
        return None
    value = atom(node)
    if value is None:
        raise wrong_type(what, "a primitive value", fhir_type(node) or "an object")
    return value


def truth_of(collection: Collection, what: str) -> bool | None:
    """Returns the boolean of the only item; any single item that is no boolean counts as true.

    Raises:
        EvaluationError: several items.
    """
    node = one(collection, what)
    if node is None:
        return None
    if isinstance(node.value, bool):
        return node.value
    return None if node.value is None and node.sibling is not None else True


def text_of(collection: Collection, what: str) -> str | None:
    """Returns the string of the only item, or None when empty.

    Raises:
        EvaluationError: several items, or one that is no string.
    """
    value = value_of(collection, what)
    if value is None or isinstance(value, str):
        return value
    raise wrong_type(what, "a string", type_name(value))


def number_of(collection: Collection, what: str) -> int | Decimal | None:
    """Returns the number of the only item, or None when empty.

    Raises:
        EvaluationError: several items, or one that is no number.
    """
    value = value_of(collection, what)
    if value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool)):
        return value
    raise wrong_type(what, "a number", type_name(value))


def integer_of(collection: Collection, what: str) -> int | None:
    """Returns the integer of the only item, or None when empty.

    Raises:
        EvaluationError: several items, or one that is no integer.
    """
    value = number_of(collection, what)
    if value is None or isinstance(value, int):
        return value
    raise wrong_type(what, "an integer", type_name(value))
