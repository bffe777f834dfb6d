"""Which JSON keys a search expression starts from, so that it is not run on resources that have none of them."""

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import Expression
from fhir_server.fhirpath.syntax import Call, Item, Member, Node, TypeTest

_PASSING = frozenset({"where", "first", "last", "select"})
"""Functions that give nothing for an empty input."""
_CASTS = frozenset({"as", "ofType"})


def entrance_keys(expression: Expression, type_: str) -> frozenset[str] | None:
    """Returns the keys of which a resource must have one for the expression to find anything; None: it may always.

    `Patient.name.given` starts from `name` and `_name`, `Observation.value as Quantity` from `valueQuantity` and the
    other keys of its type.
    """
    first, *then = _steps(expression.tree) or (None,)
    if not isinstance(first, Member):
        return None
    keys = expression.model.choice_keys(type_, first.name)
    if then and isinstance(then[0], TypeTest):
        cast, properties = then[0].type, expression.model.properties[type_]
        keys = tuple(key for key in keys if _may_be(properties[key].type, cast, expression.model))
    return frozenset(each for key in (first.name, *keys) for each in (key, f"_{key}"))


def _steps(node: Node | None) -> list[Node]:
    """Returns the leftmost member of the resource and what is done with it, in order; nothing where that is not plain.

    The type's own name and its ancestors' stand for the resource itself.
    """
    steps: list[Node] = []
    while node is not None and not _is_type_name(node):
        steps.append(node)
        if isinstance(node, Member | Item) or (isinstance(node, Call) and node.name in _PASSING):
            node = node.source
        elif isinstance(node, TypeTest) and node.operator in _CASTS:
            node = node.operand
        else:
            return []
    return steps[::-1]


def _is_type_name(node: Node) -> bool:
    return isinstance(node, Member) and node.source is None and node.name[:1].isupper()


def _may_be(found: str, wanted: str, model: TypeModel) -> bool:
    is_known = wanted in model.properties or wanted in model.primitives
    return not is_known or model.is_a(found, wanted)
