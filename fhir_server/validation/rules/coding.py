"""A Coding by itself: its system is one, its code exists there, its display is the code's.

See https://hl7.org/fhir/R4/datatypes.html#Coding. What is said here does not depend on the value set that is bound, see
`binding.py` for that. The policy decides no more than how severe a finding is.
"""

from typing import Any

from fhir_server.errors import Severity
from fhir_server.validation.report import Finding, Findings, at, found, shown
from fhir_server.validation.rules.known_systems import FRAGMENT, MISFORMED, UNKNOWN, Known, find_known
from fhir_server.validation.rules.objects import objects
from fhir_server.validation.rules.primitive import CHECKS
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Check, Scope
from fhir_server.validation.sure import Settling, Source, described, settling

PARTS = ("system", "code", "display")
MOST_CODINGS = 4096
"""How many codings that are right a check remembers; when there are more it starts anew."""
DRAFT = frozenset({UNKNOWN, FRAGMENT, MISFORMED})
"""Findings on codes that a server leaves to the bindings, see `build_existence`."""


def build_coding(build: Build) -> Check:
    """Returns the check of one Coding."""
    systems: dict[str, Known] = {}
    right: set[tuple[str, str, object]] = set()

    def look_up(system: str) -> Known | None:
        known = systems.get(system) or find_known(system, build)
        if known is not None:  # what clients invent must not fill the memory
            systems[system] = known
        return known

    def check(value: Any, scope: Scope) -> Findings | None:
        system, code, display = value.get("system"), value.get("code"), value.get("display")
        if type(system) is not str or type(code) is not str or type(display) not in (str, type(None)):
            return None
        if (system, code, display) in right:
            return None
        known = look_up(system)
        result = _judged(known, code, display, scope) if known is not None else None
        if result is None and _is_well_formed(system, code, display, scope):
            _remember(right, (system, code, display))
        return result if result is None or scope.policy.strict or result[0].key not in DRAFT else None

    def is_right(source: Source, value: str) -> str:
        parts = ", ".join(source.member(value, key) for key in PARTS)
        is_null = "display" in (source.known_keys(value) or ()) and f"{source.member(value, 'display')} is None"
        return f"({parts}) in {source.constant(right)}" + (f" and not ({is_null})" if is_null else "")

    def emit(source: Source, value: str) -> None:
        source.refuse_if(f"not ({is_right(source, value)}) and {source.constant(check)}({value}, s) is not None")

    return settling(described(check, emit), Settling(frozenset(PARTS), is_right))


def _is_well_formed(system: str, code: str, display: str | None, scope: Scope) -> bool:
    is_shown = display is None or CHECKS["string"](display, scope) is None
    return is_shown and CHECKS["uri"](system, scope) is CHECKS["code"](code, scope) is None


def build_existence(build: Build) -> Check:
    """Returns the check that the codes of a Coding, CodeableConcept or Quantity exist, for where no binding says so.

    A wrong format is for a strict policy alone: many a draft has codes that are not assigned yet.
    """
    right: set[tuple[str, str]] = set()

    def judged(coding: Any, scope: Scope) -> Findings:
        system, code = (coding.get("system"), coding.get("code")) if type(coding) is dict else (None, None)
        if type(system) is not str or type(code) is not str or (system, code) in right:
            return []
        known = find_known(system, build)
        key = known.code_fault(code) if known and not known.fault else None
        if known is None or key is None or key == MISFORMED:
            _remember(right, (system, code))
            return []
        return at([code_finding(key, known, code, scope)], "code")

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict or "coding" not in value:
            return judged(value, scope) or None
        each = (at(judged(coding, scope), index, "coding") for index, coding in objects(value, "coding"))
        return [one for faults in each for one in faults] or None

    def emit(source: Source, value: str) -> None:
        item = source.variable("o")
        loop = f"for {item} in {value}.get('coding') or ({value},):"
        doubt = f"if ({item}.get('system'), {item}.get('code')) not in {source.constant(right)}:"
        with source.block(loop), source.block(doubt):
            source.refuse_if(f"{source.constant(check)}({value}, s) is not None")
            source.line("break")

    return described(check, emit)


def build_quantity(build: Build) -> Check:
    """Returns the check of the unit of one Quantity."""
    check_coding = build_coding(build)

    def check(value: Any, scope: Scope) -> Findings | None:
        if "system" not in value:
            return None
        return check_coding({"system": value["system"], "code": value.get("code")}, scope)

    return check


def code_finding(key: str, known: Known, code: str, scope: Scope) -> Finding:
    """Returns the finding that a code is not one of a system, as severe as what is at hand of the system allows."""
    severity = by_policy(scope.policy) if known.is_growing and key != MISFORMED else Severity.ERROR
    severity = Severity.WARNING if key == FRAGMENT else severity
    return Finding(key, {"code": shown(code), "system": known.url}, severity)


def _judged(known: Known, code: str, display: str | None, scope: Scope) -> Findings | None:
    if known.fault:
        return at(found(known.fault, system=shown(known.url)), "system")
    key = known.code_fault(code)
    if key is not None:
        return at([code_finding(key, known, code, scope)], "code")
    if display is None or known.accepts(code, display):
        return None
    params = {"display": shown(display), "code": code, "system": known.url, "expected": ", ".join(known.names(code))}
    severity = by_policy(scope.policy) if known.has_all_names else Severity.WARNING
    return at([Finding("validation.display-wrong", params, severity)], "display")


def _remember(known: set[Any], one: Any) -> None:
    if len(known) >= MOST_CODINGS:
        known.clear()
    known.add(one)
