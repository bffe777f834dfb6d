"""Tree navigation, trace and type reflection: http://hl7.org/fhirpath/N1/#tree-navigation, #utility-functions, #types-and-reflection."""

from dataclasses import replace

from fhir_server.fhirpath.environment import Closure, Scope
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, Node, children
from fhir_server.fhirpath.singletons import text_of


def _children(scope: Scope, focus: Collection) -> Collection:
    return [child for node in focus for child in children(node, scope.environment.model)]


def _descendants(scope: Scope, focus: Collection) -> Collection:
    found: Collection = []
    level = _children(scope, focus)
    while level:
        found.extend(level)
        level = _children(scope, level)
    return found


def _trace(scope: Scope, focus: Collection, name: Closure, projection: Closure | None = None) -> Collection:
    """Returns the input, and tells it to `trace` of the environment; nothing is logged."""
    tell = scope.environment.trace
    if tell is not None:
        tell(text_of(name(scope), "trace()") or "", projection(replace(scope, this=focus)) if projection else focus)
    return focus


def _type(scope: Scope, focus: Collection) -> Collection:
    return [Node(_type_info(node.type), "System.TypeInfo") for node in focus]


def _type_info(type_: str) -> dict[str, str]:
    if type_.startswith("System."):
        return {"namespace": "System", "name": type_.removeprefix("System.")}
    return {"namespace": "FHIR", "name": "BackboneElement" if "." in type_ else type_}


FUNCTIONS = {
    "children": Function(_children),
    "descendants": Function(_descendants),
    "trace": Function(_trace, 1, 2, lazy=True),
    "type": Function(_type),
}
