"""What a CodeSystem says of itself: supplement, count, properties, codes, https://hl7.org/fhir/R4/codesystem.html."""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, Segment, at, found, warned
from fhir_server.validation.rules.code_system_properties import Property, declared, property_faults
from fhir_server.validation.rules.known_systems import UNKNOWN, find_known
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy, softened
from fhir_server.validation.site import Build, Check, Scope

UNWRITTEN = frozenset(
    f"validation.{name}" for name in ("concept-count", "supplement-code", "supplement-of-nothing", "value-set-of-all")
)
"""What R4's text does not forbid; the official validator does."""
SIBLINGS = frozenset({"parent", "child", "partOf"})
"""Standard properties whose values are codes of the same code system."""


def build_code_system(build: Build) -> Check:
    """Returns the check of a CodeSystem as a whole."""

    def check(value: Any, scope: Scope) -> Findings | None:
        faults = [
            *_meta_faults(value),
            *_count_faults(value),
            *_value_set_faults(value, build),
            *property_faults(value, scope),
            *_concept_faults(value, scope),
            *_supplement_faults(value, build),
        ]
        return (faults if scope.policy.strict else softened(faults, UNWRITTEN)) or None

    return check


def _meta_faults(value: JsonObject) -> Findings:
    content, is_supplement = text_of(value, "content"), bool(text_of(value, "supplements"))
    if not is_supplement:
        return at(found("validation.supplement-of-nothing"), "content") if content == "supplement" else []
    faults: Findings = []
    if content and content != "supplement":
        faults += at(warned("validation.supplement-content", found=content), "content")
    for name in ("caseSensitive", "hierarchyMeaning"):
        if name in value:
            faults += at(warned("validation.supplement-element", element=name), name)
    return faults


def _count_faults(value: JsonObject) -> Findings:
    content, count = value.get("content"), value.get("count")
    total = sum(1 for _ in concepts(value))
    if content == "not-present" and total:
        return at(found("validation.concepts-not-present"), 0, "concept")
    if type(count) is not int:
        return []
    if content == "complete" and count != total:
        return at(found("validation.concept-count", count=count, found=total), "count")
    if content in ("example", "fragment") and count <= total:
        return at(warned("validation.concept-count-fragment", count=count, found=total), "count")
    return []


def concepts(
    owner: Mapping[str, Any], around: tuple[Segment, ...] = ()
) -> Iterator[tuple[JsonObject, tuple[Segment, ...]]]:
    """Yields every concept at any depth, with the way there, innermost segment first."""
    for index, one in objects(owner, "concept"):
        place = (index, "concept", *around)
        yield one, place
        yield from concepts(one, place)


def _value_set_faults(value: JsonObject, build: Build) -> Findings:
    """Checks that the value set of all codes, if at hand, is that: the whole of this system and nothing else."""
    url = text_of(value, "valueSet")
    facts = build.definitions.value_set(url) if url else None
    if facts is None:
        return []
    includes = facts["include"]
    whole = len(includes) == 1 and includes[0].get("system") == value.get("url") and len(includes[0]) == 1
    return [] if whole else at(found("validation.value-set-of-all", valueSet=url), "valueSet")


def _concept_faults(value: JsonObject, scope: Scope) -> Findings:
    defined, all_ = declared(value), {text_of(one, "code") for one, _ in concepts(value)}
    seen: set[str] = set()
    faults: Findings = []
    for one, place in concepts(value):
        code = text_of(one, "code")
        if code and code in seen:
            faults += at(found("validation.concept-duplicate", code=code), *place)
        seen.add(code)
        for index, property_ in objects(one, "property"):
            faults += at(_value_faults(property_, defined, all_, scope), index, "property", *place)
    return faults


def _value_faults(property_: JsonObject, defined: Mapping[str, Property], codes: set[str], scope: Scope) -> Findings:
    code = text_of(property_, "code")
    known = defined.get(code)
    if known is None:
        return warned("validation.property-undefined", code=code) if code else []
    key = next((key for key in property_ if key.startswith("value")), "")
    type_ = key.removeprefix("value")
    type_ = type_ if type_ == "Coding" else type_[:1].lower() + type_[1:]
    if not type_:
        return []
    if known.type and type_ != known.type:
        severity = by_policy(scope.policy)
        return [Finding("validation.property-type", {"code": code, "found": type_, "expected": known.type}, severity)]
    if known.standard in SIBLINGS and type_ == "code" and str(property_[key]) not in codes:
        return _sibling(code, property_[key], scope)
    return []


def _sibling(code: str, value: Any, scope: Scope) -> Findings:
    return [Finding("validation.property-sibling", {"code": code, "value": str(value)}, by_policy(scope.policy))]


def _supplement_faults(value: JsonObject, build: Build) -> Findings:
    """Checks that a supplement adds to codes that exist in what it supplements, where that is wholly at hand."""
    system = text_of(value, "supplements").partition("|")[0]
    known = find_known(system, build) if system else None
    if known is None or known.fault:
        return []
    faults: Findings = []
    for one, place in concepts(value):
        code = text_of(one, "code")
        if code and known.code_fault(code) == UNKNOWN:
            params = {"code": code, "system": system}
            faults += at([Finding("validation.supplement-code", params, Severity.ERROR)], *place)
    return faults
