"""Which JSON keys a search expression starts from, so that it is not run on resources that have none of them."""

from fhir_server.fhirpath import Expression
from fhir_server.fhirpath.syntax import Call, Item, Member, Node, TypeTest

_PASSING = frozenset({"where", "ofType", "as", "first", "last", "select"})
"""Functions that give nothing for an empty input."""


def entrance_keys(expression: Expression, type_: str) -> frozenset[str] | None:
    """Returns the keys of which a resource must have one for the expression to find anything; None: it may always.

    `Observation.value as Quantity` starts from every `value...` key, `Patient.name.given` from `name` and `_name`.
    """
    name = _first_member(expression.tree, type_)
    if name is None:
        return None
    keys = {name, *expression.model.choice_keys(type_, name)}
    return frozenset(keys | {f"_{key}" for key in keys})


def _first_member(node: Node | None, type_: str) -> str | None:
    """Walks to the leftmost member; the type's own name and its ancestors' stand for the resource itself."""
    last: str | None = None
    while node is not None:
        if isinstance(node, Member):
            if node.source is None and node.name[:1].isupper():
                return last
            last, node = node.name, node.source
        elif isinstance(node, Call) and node.name in _PASSING and node.source is not None:
            node = node.source
        elif isinstance(node, TypeTest) and node.operator == "as":
            node = node.operand
        elif isinstance(node, Item):
            node = node.source
        else:
            return None
    return last
