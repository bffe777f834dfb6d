"""What a StructureDefinition says must fit what it is based on, https://hl7.org/fhir/R4/structuredefinition.html.

R4's invariants (sdf-*, eld-*) are checked with its elements; here is what needs the definition of the base.
"""

from collections.abc import Iterator
from typing import Any

from fhir_server.definitions.registry import StructureDefinition
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, found, shown, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy, softened
from fhir_server.validation.rules.structure_definition_element import Defined, element_faults
from fhir_server.validation.rules.structure_definition_narrowing import elements_exist, narrowing_faults
from fhir_server.validation.site import Build, Check, Scope

UNWRITTEN = frozenset(
    f"validation.{name}"
    for name in (
        "base-kind",
        "constraint-source",
        "context-no-extension",
        "derivation-missing",
        "element-barred",
        "element-target-kind",
        "narrow-constraint",
        "slicing-root",
    )
)
"""What R4's text does not forbid, and some of R4's own definitions do; the official validator forbids it."""
EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"


def build_structure_definition(build: Build) -> Check:
    """Returns the check of a StructureDefinition as a whole."""

    def check(value: Any, scope: Scope) -> Findings | None:
        base_url = text_of(value, "baseDefinition")
        base = build.definitions.structure(base_url) if base_url else None
        faults = [*_context_faults(value, scope, build), *_base_faults(value, base), *_url_faults(value)]
        for view in ("differential", "snapshot"):
            faults += at(list(_view_faults(value, view, base, build)), view)
        return (faults if scope.policy.strict else softened(faults, UNWRITTEN)) or None

    return check


def _base_faults(value: JsonObject, base: StructureDefinition | None) -> Findings:
    url, derivation = text_of(value, "baseDefinition"), text_of(value, "derivation")
    if base is None:
        return at(warned("validation.base-unknown", url=shown(url)), "baseDefinition") if url else []
    if not derivation:
        return found("validation.derivation-missing", url=url)
    faults: Findings = []
    kind, type_ = text_of(value, "kind"), text_of(value, "type")
    if kind and kind != base.kind and (derivation == "constraint" or not base.abstract):
        faults += at(found("validation.base-kind", found=kind, expected=base.kind, url=url), "kind")
    if derivation == "constraint" and type_ and type_ != base.type:
        faults += at(found("validation.base-type", found=shown(type_), expected=base.type, url=url), "type")
    if derivation == "specialization" and type_ == base.type:
        faults += at(found("validation.base-type-same", found=type_, url=url), "type")
    return faults


def _context_faults(value: JsonObject, scope: Scope, build: Build) -> Findings:
    if text_of(value, "type") == "Extension":
        return [
            one
            for index, context in objects(value, "context")
            for one in at(_place_faults(context, scope, build), index, "context")
        ]
    names = (name for name in ("context", "contextInvariant") if name in value)
    return [one for name in names for one in at(found("validation.context-no-extension", element=name), name)]


def _place_faults(context: JsonObject, scope: Scope, build: Build) -> Findings:
    """Checks that an extension's place is an element of R4, where it is said as one."""
    path, model = text_of(context, "expression"), build.definitions.model
    first = path.partition(".")[0]
    if text_of(context, "type") != "element" or not path or "/" in path or "extension" in context:
        return []
    if (first in model.properties or first in model.primitives) and elements_exist(path, model):
        return []
    return at([Finding("validation.context-unknown", {"path": shown(path)}, by_policy(scope.policy))], "expression")


def _url_faults(value: JsonObject) -> Findings:
    """Checks that an extension fixes its url to that of its definition."""
    if text_of(value, "baseDefinition") != EXTENSION or text_of(value, "type") != "Extension":
        return []
    view = value.get("differential")
    elements = objects(view, "element") if type(view) is dict else iter(())
    fixed = next((text_of(one, "fixedUri") for _, one in elements if one.get("path") == "Extension.url"), None)
    url = text_of(value, "url")
    if fixed == url or type(view) is not dict:
        return []
    return at(found("validation.extension-url-fixed", expected=url, found=fixed or "-"), "differential")


def _view_faults(value: JsonObject, name: str, base: StructureDefinition | None, build: Build) -> Iterator[Finding]:
    view = value.get(name)
    if type(view) is not dict:
        return
    defined = Defined(value, base, name == "snapshot", build)
    for index, element in objects(view, "element"):
        yield from at(list(element_faults(element, defined)), index, "element")
        if base is not None and text_of(value, "derivation") == "constraint":
            yield from at(list(narrowing_faults(element, defined)), index, "element")
