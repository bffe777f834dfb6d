"""Terminology bindings, https://hl7.org/fhir/R4/terminologies.html#strength.

`required` is an error, `extensible` a warning, and both only where the value set can be expanded here; the other
strengths bind nobody.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from fhir_server.errors import Severity
from fhir_server.terminology import Codes
from fhir_server.validation.report import Finding, Findings, shown
from fhir_server.validation.rules.primitive import CHECKS
from fhir_server.validation.site import Build, Check, Scope, Site

PLAIN = frozenset({"code", "string", "uri", "url", "canonical", "id"})
CODED = frozenset({"Coding", "CodeableConcept", "Quantity"})
CHECKED = ("required", "extensible")

Coded: TypeAlias = Callable[[Any], Iterator[tuple[Any, Any]]]
"""Yields the (system, code) pairs of a value; (None, None) for a Coding without a code."""


def build_binding(site: Site, build: Build) -> Check | None:
    """Returns the check that a value comes from the bound value set, or None where nothing can be checked."""
    binding = site.element.binding
    if binding is None or binding.value_set is None or binding.strength not in CHECKED or site.type not in PLAIN | CODED:
        return None
    if site.base is not None and site.base.binding == binding:
        return None
    codes = build.terminology.expand(binding.value_set)
    if codes is None:
        return None
    wrong = _wrong(binding.strength, binding.value_set)
    return _plain(codes, wrong) if site.type in PLAIN else _coded(codes, wrong, site.type, strict=binding.strength == "required")


def build_code(site: Site, build: Build) -> Check | None:
    """Returns the check of a `code` with a required binding: a member of the set needs no look at its format."""
    binding = site.element.binding
    if site.type != "code" or binding is None or binding.strength != "required" or binding.value_set is None:
        return None
    codes = build.terminology.expand(binding.value_set)
    return None if codes is None else _plain(codes, _wrong("required", binding.value_set))


def _wrong(strength: str, value_set: str) -> Callable[[str], Findings]:
    severity = Severity.ERROR if strength == "required" else Severity.WARNING

    def wrong(value: str) -> Findings:
        return [Finding(f"validation.binding-{strength}", {"value": shown(value), "valueSet": value_set}, severity)]

    return wrong


def _plain(codes: Codes, wrong: Callable[[str], Findings]) -> Check:
    members = frozenset(code for _, code in codes)
    check_code = CHECKS["code"]

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is str and value in members:
            return None
        return check_code(value, scope) or wrong(value)

    return check


def _coded(codes: Codes, wrong: Callable[[str], Findings], type_: str, *, strict: bool) -> Check:
    pairs_of: Coded = _concept_pairs if type_ == "CodeableConcept" else _own_pair

    def check(value: Any, _: Scope) -> Findings | None:
        if type(value) is not dict:
            return None
        pairs = list(pairs_of(value))
        if any(pair in codes for pair in pairs) or not (pairs or strict):
            return None
        return wrong(", ".join(f"{system}#{code}" for system, code in pairs) or "-")

    return check


def _concept_pairs(concept: Any) -> Iterator[tuple[Any, Any]]:
    codings = concept.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            yield from _own_pair(coding)


def _own_pair(coding: Any) -> Iterator[tuple[Any, Any]]:
    system, code = coding.get("system"), coding.get("code")
    if isinstance(code, str) and (system is None or isinstance(system, str)):
        yield system, code
