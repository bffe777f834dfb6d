"""The functions that FHIR adds, https://hl7.org/fhir/R4/fhirpath.html#functions."""

from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.errors import EvaluationError
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.narrative import is_narrative
from fhir_server.fhirpath.nodes import Collection, Node, atom, literal, members
from fhir_server.fhirpath.operators import boolean
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.references import find_target, reference_text, target_type
from fhir_server.fhirpath.singletons import one, text_of, value_of

_CORE = "http://hl7.org/fhir/StructureDefinition/"


def _extension(scope: Scope, focus: Collection, url: Collection) -> Collection:
    wanted = text_of(url, "extension()")
    found = [e for node in focus for e in members(node, "extension", scope.environment.model)]
    return [e for e in found if type(e.value) is dict and e.value.get("url") == wanted]


def _has_extension(scope: Scope, focus: Collection, url: Collection) -> Collection:
    """The search parameter QuestionnaireResponse-item-subject of R4 uses it; no specification defines it."""
    return boolean(bool(_extension(scope, focus, url)))


def _has_value(scope: Scope, focus: Collection) -> Collection:
    return boolean(len(focus) == 1 and focus[0].value is not None and not isinstance(focus[0].value, dict | Quantity))


def _get_value(scope: Scope, focus: Collection) -> Collection:
    if len(focus) != 1 or isinstance(focus[0].value, dict | Quantity):
        return []
    value = atom(focus[0])
    return [] if value is None else [literal(value)]


def _target(text: str, scope: Scope, reference: Any) -> JsonObject | None:
    """Looks in %resource, then in %rootResource, then outside."""
    for name in ("resource", "rootResource"):
        for around in scope.environment.variables.get(name, ()):
            root = around.value if type(around.value) is dict else None
            found = find_target(text, root, None, reference=reference)
            if found is not None:
                return found
    return scope.environment.resolve(text) if scope.environment.resolve else None


def _resolve(scope: Scope, focus: Collection) -> Collection:
    found: Collection = []
    for node in focus:
        text = reference_text(node.value)
        target = _target(text, scope, node.value) if text else None
        type_ = target_type(node.value) if target is None and scope.environment.assume_types else None
        if type_ in scope.environment.model.resources:
            target = {"resourceType": type_}
        if target is not None:
            found.append(Node(target, target.get("resourceType", "")))
    return found


def _member_of(scope: Scope, focus: Collection, url: Collection) -> Collection:
    value_set, test = text_of(url, "memberOf()"), scope.environment.member_of
    if len(focus) != 1 or value_set is None or test is None or focus[0].value is None:
        return []
    return boolean(test(focus[0].value, focus[0].type, value_set))


def _conforms_to(scope: Scope, focus: Collection, url: Collection) -> Collection:
    profile = text_of(url, "conformsTo()")
    if len(focus) != 1 or profile is None or type(focus[0].value) is not dict:
        return []
    model, test = scope.environment.model, scope.environment.conforms_to
    is_resource = focus[0].type in model.resources
    known = test(focus[0].value, profile) if test and is_resource else _is_core_type(focus[0], profile, model)
    if known is None:
        raise EvaluationError("fhirpath.profile-unknown", url=profile)
    return boolean(known)


def _is_core_type(node: Node, profile: str, model: TypeModel) -> bool | None:
    name = profile.removeprefix(_CORE)
    return model.is_a(node.type, name) if name in model.properties and name != profile else None


def _codings(node: Node) -> list[JsonObject]:
    """The codings of a Coding or CodeableConcept; none of anything else."""
    if type(node.value) is not dict:
        return []
    inner = node.value.get("coding") if node.type == "CodeableConcept" or "coding" in node.value else [node.value]
    return [c for c in inner if type(c) is dict] if isinstance(inner, list) else []


def _subsuming(name: str, *, swapped: bool) -> Function:
    """https://hl7.org/fhir/R4/fhirpath.html#functions: any coding of the one against any of the other."""

    def call(scope: Scope, focus: Collection, other: Collection) -> Collection:
        a, b, test = one(focus, name), one(other, name), scope.environment.subsumes
        if a is None or b is None or test is None:
            return []
        pairs = [(x, y) for x in _codings(a) for y in _codings(b)]
        found = {test(y, x) if swapped else test(x, y) for x, y in pairs}
        return boolean(True if True in found else None if None in found or not found else False)

    return Function(call, 1, 1)


def _html_checks(scope: Scope, focus: Collection) -> Collection:
    value = value_of(focus, "htmlChecks()")
    return [] if value is None else boolean(isinstance(value, str) and is_narrative(value))


def _check_modifiers(scope: Scope, focus: Collection, *allowed: Collection) -> Collection:
    urls = {text_of(u, "checkModifiers()") for u in allowed}
    for node in focus:
        for extension in members(node, "modifierExtension", scope.environment.model):
            if extension.value.get("url") not in urls:
                raise EvaluationError(
                    "fhirpath.wrong-type",
                    what="checkModifiers()",
                    expected="known modifiers",
                    found=extension.value.get("url"),
                )
    return focus


FUNCTIONS = {
    "extension": Function(_extension, 1, 1),
    "hasExtension": Function(_has_extension, 1, 1),
    "hasValue": Function(_has_value),
    "getValue": Function(_get_value),
    "resolve": Function(_resolve),
    "memberOf": Function(_member_of, 1, 1),
    "subsumes": _subsuming("subsumes()", swapped=False),
    "subsumedBy": _subsuming("subsumedBy()", swapped=True),
    "conformsTo": Function(_conforms_to, 1, 1),
    "htmlChecks": Function(_html_checks),
    "htmlChecks2": Function(_html_checks),
    "checkModifiers": Function(_check_modifiers, 1, 20),
}
