"""What a ValueSet includes: systems that are code systems, codes that exist, filters that make sense.

See https://hl7.org/fhir/R4/valueset.html#compositions.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, found, shown, warned
from fhir_server.validation.rules.coding import code_finding
from fhir_server.validation.rules.known_systems import Known, find_known, is_absolute
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.rules.value_set_filter import Source, filter_faults
from fhir_server.validation.rules.value_set_parameters import named_parameters, parameter_faults
from fhir_server.validation.site import Build, Check, Scope

MOST_CONCEPTS = 1000
"""Most listed codes of one include that are looked up."""


def build_value_set(build: Build) -> Check:
    """Returns the check of a ValueSet as a whole."""

    def check(value: Any, scope: Scope) -> Findings | None:
        compose = value.get("compose")
        if type(compose) is not dict:
            return None
        parameters = named_parameters(value)
        faults: Findings = []
        for name in ("include", "exclude"):
            for index, one in objects(compose, name):
                here = [*_part_faults(one, scope, build), *parameter_faults(one, parameters)]
                faults += at(here, index, name, "compose")
        return faults or None

    return check


def _part_faults(part: JsonObject, scope: Scope, build: Build) -> Iterator[Finding]:
    yield from _import_faults(part, build)
    system = text_of(part, "system")
    if not system:
        return
    plain = system.partition("|")[0]
    fault = _system_fault(system, part, scope, build)
    if fault:
        yield from at(fault, "system")
    if fault and "|" not in system:
        return
    known = find_known(plain, build)
    yield from _content_faults(known)
    yield from _concept_faults(part, known, scope)
    source = Source(plain, known, build.definitions.resource("CodeSystem", plain) if known else None)
    for index, one in objects(part, "filter"):
        yield from at(filter_faults(one, source, scope, build), index, "filter")


def _import_faults(part: JsonObject, build: Build) -> Iterator[Finding]:
    urls = part.get("valueSet")
    for index, url in enumerate(urls if type(urls) is list else ()):
        if type(url) is str and "?fhir_vs" not in url and build.definitions.value_set(url) is None:
            yield from at(warned("validation.value-set-unknown", valueSet=shown(url)), index, "valueSet")


def _system_fault(system: str, part: JsonObject, scope: Scope, build: Build) -> Findings:
    if not is_absolute(system):
        return [Finding("validation.include-system-relative", {"system": shown(system)}, by_policy(scope.policy))]
    plain, bar, version = system.partition("|")
    if bar:
        severity = by_policy(scope.policy) if version else Severity.WARNING
        return [Finding("validation.include-system-version", {"system": plain, "version": version}, severity)]
    known = find_known(system, build)
    if known is not None and known.fault:
        return found(known.fault, system=shown(system))
    return []


def _content_faults(known: Known | None) -> Findings:
    is_example = known is not None and known.system is not None and known.system.facts.get("content") == "example"
    return at(warned("validation.include-example", system=known.url), "system") if known and is_example else []


def _concept_faults(part: Mapping[str, Any], known: Known | None, scope: Scope) -> Iterator[Finding]:
    listed = list(objects(part, "concept"))
    if known is None or len(listed) > MOST_CONCEPTS:
        return
    for index, one in listed:
        code = text_of(one, "code")
        key = known.code_fault(code) if code else None
        if key is not None:
            yield from at([code_finding(key, known, code, scope)], "code", index, "concept")
