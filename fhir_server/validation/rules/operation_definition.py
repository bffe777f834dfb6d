"""An OperationDefinition's profiles of its parameters say what its parameters say, https://hl7.org/fhir/R4/operationdefinition.html."""

from collections.abc import Iterator
from typing import Any

from fhir_server.definitions.registry import Element, StructureDefinition
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, found, listing, shown, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import softened
from fhir_server.validation.site import Build, Check, Scope

ALLOWED_TYPE = "http://hl7.org/fhir/StructureDefinition/operationdefinition-allowed-type"
PARAMETER = "Parameters.parameter"
_HELD = ("value[x]", "resource", "part")
"""The elements that may hold what a parameter is."""


def build_operation_definition(build: Build) -> Check:
    """Returns the check of an OperationDefinition as a whole."""

    def check(value: Any, scope: Scope) -> Findings | None:
        faults: Findings = []
        for use, name in (("in", "inputProfile"), ("out", "outputProfile")):
            url = text_of(value, name)
            faults += at(list(_profile_faults(value, url, use, build)), name) if url else []
        return (faults if scope.policy.strict else softened(faults)) or None

    return check


def _profile_faults(value: JsonObject, url: str, use: str, build: Build) -> Iterator[Finding]:
    profile = build.definitions.structure(url)
    if profile is None:
        yield from found("validation.operation-profile-unknown", profile=shown(url))
        return
    if profile.type != "Parameters":
        yield from found("validation.operation-profile-type", profile=shown(url), found=profile.type)
        return
    slices = {_name_of(one, profile): one for one in profile.elements if one.path == PARAMETER and one.slice_name}
    parameters = {text_of(one, "name"): (i, one) for i, one in objects(value, "parameter") if one.get("use") == use}
    for name, element in slices.items():
        if name and name not in parameters:
            yield from warned("validation.operation-parameter-extra", name=name)
        elif name:
            index, parameter = parameters[name]
            yield from at(list(_compared(parameter, element, profile)), index, "parameter")
    for name, (index, _parameter) in parameters.items():
        if name not in slices:
            yield from at(warned("validation.operation-parameter-missing", name=name), index, "parameter")


def _child(element: Element, name: str, profile: StructureDefinition) -> Element | None:
    return next((one for one in profile.elements if one.id == f"{element.id}.{name}"), None)


def _name_of(element: Element, profile: StructureDefinition) -> str:
    """Returns the parameter's name that a slice fixes, or an empty text."""
    name = _child(element, "name", profile)
    stated = (name.fixed or name.pattern) if name else None
    return str(stated[1]) if stated else ""


def _compared(parameter: JsonObject, element: Element, profile: StructureDefinition) -> Iterator[Finding]:
    stated = {"min": element.min, "max": "*" if element.max is None else str(element.max)}
    for name, expected in stated.items():
        if name in parameter and parameter[name] != expected:
            given = {"element": name, "found": parameter[name], "expected": expected}
            yield from found("validation.operation-parameter-differs", **given)
    types, targets = _held(element, profile)
    yield from _set_faults("type", _types(parameter), types)
    listed = parameter.get("targetProfile")
    yield from _set_faults(
        "targetProfile", {one for one in (listed if type(listed) is list else ()) if type(one) is str}, targets
    )


def _types(parameter: JsonObject) -> set[str]:
    allowed = {
        str(value)
        for _, one in objects(parameter, "extension")
        if one.get("url") == ALLOWED_TYPE
        for key, value in one.items()
        if key.startswith("value")
    }
    return allowed or {text_of(parameter, "type")} - {""}


def _held(element: Element, profile: StructureDefinition) -> tuple[set[str], set[str]]:
    """Returns the types, and the target profiles, of the one element that holds the parameter in the profile."""
    held = [(name, _child(element, name, profile)) for name in _HELD]
    needed = {name for name, one in held if one and one.min > 0}
    used = [one for name, one in held if one and one.max != 0 and (not needed or name in needed) and name != "part"]
    types = [type_ for one in used for type_ in one.types]
    return {type_.code for type_ in types}, {url for type_ in types for url in type_.targets}


def _set_faults(name: str, given: set[str], expected: set[str]) -> Iterator[Finding]:
    if given != expected:
        params = {"element": name, "found": listing(given) or "-", "expected": listing(expected) or "-"}
        yield from found("validation.operation-parameter-differs", **params)
