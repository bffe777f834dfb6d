"""Terminology bindings, https://hl7.org/fhir/R4/terminologies.html#strength.

`required` is an error, `extensible` a warning, and both only where the value set can be expanded here; the other
strengths bind nobody.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fhir_server.errors import Severity
from fhir_server.terminology import Codes
from fhir_server.validation.report import Finding, Findings, shown
from fhir_server.validation.rules.primitive import CHECKS
from fhir_server.validation.site import Build, Check, Scope, Site

PLAIN = frozenset({"code", "string", "uri", "url", "canonical", "id"})
CODED = frozenset({"Coding", "CodeableConcept", "Quantity"})
CHECKED = {"required": "validation.binding-required", "extensible": "validation.binding-extensible"}
"""The strengths that are checked, and the finding of each."""


def build_binding(site: Site, build: Build) -> Check | None:
    """Returns the check that a value comes from the bound value set, or None where nothing can be checked."""
    binding = site.element.binding
    if (
        binding is None
        or binding.value_set is None
        or binding.strength not in CHECKED
        or site.type not in PLAIN | CODED
    ):
        return None
    if site.base is not None and site.base.binding == binding:
        return None
    codes = build.terminology.expand(binding.value_set)
    if codes is None:
        return None
    wrong = _wrong(binding.strength, binding.value_set)
    return _plain(codes, wrong) if site.type in PLAIN else _coded(codes, wrong, strict=binding.strength == "required")


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
        return [Finding(CHECKED[strength], {"value": shown(value), "valueSet": value_set}, severity)]

    return wrong


def _plain(codes: Codes, wrong: Callable[[str], Findings]) -> Check:
    members = frozenset(code for _, code in codes)
    check_code = CHECKS["code"]

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is str and value in members:
            return None
        return check_code(value, scope) or wrong(value)

    return check


def _coded(codes: Codes, wrong: Callable[[str], Findings], *, strict: bool) -> Check:
    def check(value: Any, _: Scope) -> Findings | None:
        if type(value) is not dict:
            return None
        codings = value.get("coding")
        if _has_member(codings if type(codings) is list else (value,), codes):
            return None
        pairs = list(pairs_in(value))
        return wrong(", ".join(f"{system}#{code}" for system, code in pairs) or "-") if pairs or strict else None

    return check


def _has_member(codings: Iterable[Any], codes: Codes) -> bool:
    try:
        for one in codings:
            if (one.get("system"), one.get("code")) in codes:
                return True
    except (AttributeError, TypeError):  # no Coding, or a code that is no text: R4's own check says so
        return False
    return False


def pairs_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields the (system, code) pairs of a CodeableConcept, or the one of a Coding or Quantity; none for anything else."""
    if type(value) is not dict:
        return
    codings = value.get("coding")
    for one in codings if type(codings) is list else (value,):
        code = one.get("code") if type(one) is dict else None
        system = one.get("system") if code is not None else None
        if type(code) is str and (system is None or type(system) is str):
            yield system, code
