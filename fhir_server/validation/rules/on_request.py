"""What only some policies ask of a resource: advice, no URLs of examples, and what R4's text does not forbid.

The server's own policy asks for none of it, so that its resources are not walked. See
https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.definitions.registry import Constraint
from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath import EvaluationError, compile  # noqa: A004 -- the room's own name
from fhir_server.validation.policy import SERVER
from fhir_server.validation.report import Finding, Findings, at, found, joined, shown
from fhir_server.validation.rules.bundle_urls import ABSOLUTE
from fhir_server.validation.rules.invariant import failed
from fhir_server.validation.rules.objects import objects
from fhir_server.validation.rules.reference import EXAMPLES
from fhir_server.validation.rules.walk import Spot, placed, spots
from fhir_server.validation.site import Build, Check, Scope

URLS = frozenset({"uri", "url", "oid", "uuid"})
"""Types of URLs; canonicals may name what exists nowhere."""
OBSERVED = {"subject": ("subject",), "performer": ("performer",), "effective": ("effectiveDateTime", "effectivePeriod")}
"""What every Observation should have, and the properties that it may be."""
URI_SYSTEM = "urn:ietf:rfc:3986"


def build_on_request(build: Build) -> Check:
    """Returns the check of what a policy asks of a resource beyond R4."""
    model = build.definitions.model

    def check(value: Any, scope: Scope) -> Findings | None:
        policy = scope.policy
        if policy is SERVER:
            return None
        result = None if policy.best_practice is None else _advice(value, scope, policy.best_practice, build)
        if policy.examples and not policy.strict:
            return result
        faults: Findings = _label_faults(value) if policy.strict else []
        ids: set[tuple[str, str]] = set()
        for spot in spots(value, model):
            faults += [] if policy.examples else _example_faults(spot)
            faults += _strict_faults(spot, ids) if policy.strict else []
        return joined(result, faults or None)

    return check


def _advice(resource: JsonObject, scope: Scope, severity: Severity, build: Build) -> Findings | None:
    """Returns what R4 marks as best practice and the resource does not follow."""
    root = build.definitions.structure_of_type(str(resource.get("resourceType"))).elements[0]
    faults: Findings = []
    for constraint in root.constraints:
        if constraint.best_practice and not _holds(constraint, resource, scope):
            faults += failed(constraint.key, constraint.human, constraint.zh, severity)
    if resource.get("resourceType") == "Observation":
        missing = (name for name, keys in OBSERVED.items() if not any(key in resource for key in keys))
        faults += [Finding("validation.observation-advice", {"name": name}, severity) for name in missing]
    return faults or None


def _holds(constraint: Constraint, resource: JsonObject, scope: Scope) -> bool:
    expression = compile(constraint.expression, str(resource.get("resourceType")))
    try:
        return expression.test(resource, scope.resource, scope.root)
    except EvaluationError:
        return False


def _label_faults(resource: Mapping[str, Any]) -> Findings:
    """Returns a finding for each security label that stands twice."""
    meta, faults = resource.get("meta"), Findings()
    seen: set[str] = set()
    for index, label in objects(meta if isinstance(meta, dict) else {}, "security"):
        name = f"{label.get('system')}#{label.get('code')}"
        faults += (
            at(found("validation.label-twice", label=shown(name)), index, "security", "meta") if name in seen else []
        )
        seen.add(name)
    return faults


def _example_faults(spot: Spot) -> Findings:
    if spot.type in URLS and isinstance(spot.value, str) and any(host in spot.value for host in EXAMPLES):
        return placed(found("validation.example-url", url=shown(spot.value)), spot)
    return []


def _strict_faults(spot: Spot, ids: set[tuple[str, str]]) -> Findings:
    return [*_id_faults(spot, ids), *placed(list(_value_faults(spot)), spot)]


def _id_faults(spot: Spot, ids: set[tuple[str, str]]) -> Findings:
    """Returns the finding that the id of an element stands twice; a snapshot repeats those of its differential."""
    id_ = spot.value.get("id") if isinstance(spot.value, dict) and spot.way else None
    if not isinstance(id_, str):
        return []
    key = ("snapshot" if spot.way[0] == "snapshot" else "", id_)
    if key in ids:
        return placed(found("validation.element-id-twice", id=shown(id_)), spot)
    ids.add(key)
    return []


def _value_faults(spot: Spot) -> Iterator[Finding]:
    value = spot.value
    if spot.type == "Identifier" and isinstance(value, dict):
        yield from _identifier_faults(value)
    if not isinstance(value, str):
        return
    if spot.type == "canonical" and not (value.startswith("#") or ABSOLUTE.fullmatch(value)):
        yield from found("validation.canonical-absolute", url=shown(value))
    if spot.type in (*URLS, "canonical") and value.startswith(("oid:", "uuid:")):
        yield from found("validation.urn-missing", url=shown(value))


def _identifier_faults(identifier: JsonObject) -> Iterator[Finding]:
    system, value = identifier.get("system"), identifier.get("value")
    if isinstance(system, str) and not ABSOLUTE.fullmatch(system):
        yield from found("validation.identifier-system", system=shown(system))
    if system == URI_SYSTEM and isinstance(value, str) and not ABSOLUTE.fullmatch(value):
        yield from found("validation.identifier-uri", value=shown(value))
