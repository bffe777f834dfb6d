"""What a ConceptMap maps: codes that exist in its systems and belong to its value sets, https://hl7.org/fhir/R4/conceptmap.html."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, shown, warned
from fhir_server.validation.rules.coding import code_finding
from fhir_server.validation.rules.known_systems import Known, find_known
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy, softened
from fhir_server.validation.site import Build, Check, Scope


@dataclass(frozen=True, slots=True)
class Side:
    """The source or the target of a group: its code system, what is at hand of that, and the value set of the map."""

    system: str
    known: Known | None
    value_set: str


def build_concept_map(build: Build) -> Check:
    """Returns the check of a ConceptMap as a whole."""

    def check(value: Any, scope: Scope) -> Findings | None:
        scopes = {name: _value_set(value, name) for name in ("source", "target")}
        faults: Findings = []
        for index, group in objects(value, "group"):
            sides = {name: _side(group, name, url, build) for name, url in scopes.items()}
            here = [*_missing_sides(group), *_group_faults(group, sides, scope, build)]
            faults += at(here, index, "group")
        return faults or None

    return check


def _value_set(value: JsonObject, name: str) -> str:
    return text_of(value, f"{name}Canonical") or text_of(value, f"{name}Uri")


def _side(group: JsonObject, name: str, value_set: str, build: Build) -> Side:
    system = text_of(group, name).partition("|")[0]
    return Side(system, find_known(system, build) if system else None, value_set)


def _missing_sides(group: JsonObject) -> Iterator[Finding]:
    for name in ("source", "target"):
        if name not in group:
            yield from warned("validation.map-group-system", element=name)


def _group_faults(group: JsonObject, sides: dict[str, Side], scope: Scope, build: Build) -> Iterator[Finding]:
    for index, element in objects(group, "element"):
        yield from at(_code_faults(element, sides["source"], scope, build), index, "element")
        for number, target in objects(element, "target"):
            yield from at(_code_faults(target, sides["target"], scope, build), number, "target", index, "element")


def _code_faults(one: JsonObject, side: Side, scope: Scope, build: Build) -> Findings:
    code = text_of(one, "code")
    if not code or not side.system:
        return []
    key = side.known.code_fault(code) if side.known else None
    if key is not None and side.known is not None:
        finding = code_finding(key, side.known, code, scope)
        # R4's own maps name codes that its systems do not have.
        return at([finding] if scope.policy.strict else softened([finding]), "code")
    if side.value_set and build.terminology.validate(side.value_set, side.system, code) is False:
        params = {"code": shown(code), "system": side.system, "valueSet": side.value_set}
        return at([Finding("validation.map-code-outside", params, by_policy(scope.policy))], "code")
    return _display_faults(one, code, side.known)


def _display_faults(one: JsonObject, code: str, known: Known | None) -> Findings:
    display = text_of(one, "display")
    if not display or known is None or known.accepts(code, display):
        return []
    params = {"display": shown(display), "code": code, "system": known.url}
    return at(warned("validation.display-wrong", **params, expected=", ".join(known.names(code))), "display")
