"""Terminology bindings, https://hl7.org/fhir/R4/terminologies.html#strength.

`required` is an error, `extensible` a warning, a maximal value set an error whatever the strength; `preferred` and `example`
bind nobody. What cannot be told here is no finding.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology import Codes
from fhir_server.terminology.compose import Gap
from fhir_server.validation.checks import all_of
from fhir_server.validation.report import Finding, Findings, shown
from fhir_server.validation.rules.coding import build_existence
from fhir_server.validation.rules.narrative_language import build_language_control
from fhir_server.validation.rules.objects import contained_as
from fhir_server.validation.rules.primitive import CHECKS
from fhir_server.validation.site import Build, Check, Scope, Site
from fhir_server.validation.sure import Source, described

PLAIN = frozenset({"code", "string", "uri", "url", "canonical", "id"})
CODED = frozenset({"Coding", "CodeableConcept", "Quantity"})
CHECKED = {"required": "validation.binding-required", "extensible": "validation.binding-extensible"}
"""The strengths that are checked, and the finding of each."""
MAXIMAL = "validation.binding-max"
TOO_STRONG = frozenset({"http://hl7.org/fhir/ValueSet/ucum-vitals-common"})
"""Bound as required by R4's vital signs profiles to the values of all components, coded ones and flow rates among them.

Later versions bind it as extensible, and so does the official validator for R4.
"""
MOST_CODES = 4096
"""How many judged codes a check remembers; when there are more it starts anew."""

Judge: TypeAlias = Callable[[str | None, str], bool | None]
"""(system, code) -> whether the code is in the value set; None when that cannot be told here."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A value set that values have to come from: its members where they can be listed, and the finding of others.

    `needs_code` tells that text alone will not do.
    """

    url: str
    key: str
    codes: Codes | None
    judge: Judge
    needs_code: bool = False

    def wrong(self, value: str) -> Findings:
        """Returns the finding that a value is outside."""
        severity = Severity.WARNING if self.key == CHECKED["extensible"] else Severity.ERROR
        return [Finding(self.key, {"value": shown(value), "valueSet": self.url}, severity)]


def build_binding(site: Site, build: Build) -> Check | None:
    """Returns the check of what an element says of codes and languages beyond its base, or None when that is nothing."""
    if site.type == "Narrative":
        return build_language_control(site, build)
    if site.type not in PLAIN | CODED:
        return None
    make = _plain if site.type in PLAIN else _coded
    return all_of([*(make(bound) for bound in _bounds(site, build)), _existence(site, build)])


def _existence(site: Site, build: Build) -> Check | None:
    """Returns the check that codes exist where no value set is required that tells so."""
    binding = site.element.binding
    is_open = binding is not None and binding.strength != "required" and site.base is None
    return build_existence(build) if is_open and site.type in CODED else None


def build_code(site: Site, build: Build) -> Check | None:
    """Returns the check of a `code` with a required binding: a member of the set needs no look at its format."""
    binding = site.element.binding
    if site.type != "code" or binding is None or binding.strength != "required" or binding.value_set is None:
        return None
    bound = _bound(binding.value_set, CHECKED["required"], site, build)
    return _plain(bound) if bound is not None and bound.codes is not None else None


def _bounds(site: Site, build: Build) -> Iterator[Bound]:
    binding, base = site.element.binding, site.base.binding if site.base else None
    if binding is None or binding == base:
        return
    asked: list[tuple[str | None, str | None]] = [(binding.value_set, _key(binding.strength, binding.value_set, site))]
    if base is None or base.max_value_set != binding.max_value_set:
        asked.append((binding.max_value_set, MAXIMAL))
    for url, key in asked:
        bound = _bound(url, key, site, build) if url and key else None
        if bound is not None:
            # A maximal value set bounds the codes there are; that there is one, the strength asks for
            needs_code = key == CHECKED["required"] or (key == MAXIMAL and binding.strength in CHECKED)
            yield replace(bound, needs_code=needs_code)


def _key(strength: str, url: str | None, site: Site) -> str | None:
    is_too_strong = url is not None and url.partition("|")[0] in TOO_STRONG and not site.file
    return CHECKED.get("extensible" if is_too_strong and strength == "required" else strength)


def _bound(url: str, key: str, site: Site, build: Build) -> Bound | None:
    if url.startswith("#"):
        return _contained(url, key, site, build)
    codes = build.terminology.expand(url)
    is_unknown = codes is None and build.definitions.value_set(url) is None
    if is_unknown and (key != CHECKED["required"] or site.type in PLAIN):
        return None  # nothing can be told; but where a code is required, there has to be one
    return Bound(url, key, codes, _remembering(partial(build.terminology.validate, url)))


def _contained(url: str, key: str, site: Site, build: Build) -> Bound | None:
    """Returns the value set that the profile itself contains."""
    holder = build.definitions.resource("StructureDefinition", site.profile)
    value_set = contained_as("ValueSet", url[1:], holder) if holder else None
    return Bound(url, key, None, _remembering(_judge_of(value_set, build))) if value_set else None


def _judge_of(value_set: JsonObject, build: Build) -> Judge:
    def judge(system: str | None, code: str) -> bool | None:
        answer = build.terminology.contains(value_set, system, code)
        return None if isinstance(answer, Gap) else answer

    return judge


def _remembering(judge: Judge) -> Judge:
    known: dict[tuple[str | None, str], bool | None] = {}

    def remembered(system: str | None, code: str) -> bool | None:
        if (system, code) not in known:
            if len(known) >= MOST_CODES:
                known.clear()
            known[system, code] = judge(system, code)
        return known[system, code]

    return remembered


def _plain(bound: Bound) -> Check:
    members = frozenset(code for _, code in bound.codes or ())
    check_code, is_listed = CHECKS["code"], bound.codes is not None

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is str and value in members:
            return None
        if type(value) is not str or not (is_listed or bound.judge(None, value) is False):
            return check_code(value, scope) if is_listed else None
        return check_code(value, scope) or bound.wrong(value)

    def emit(source: Source, value: str) -> None:
        known = source.constant(members)
        source.refuse_if(f"{value} not in {known} and {source.constant(check)}({value}, s) is not None")

    return described(check, emit)


def _coded(bound: Bound) -> Check:
    codes, judge = bound.codes or frozenset(), bound.judge

    def check(value: Any, _: Scope) -> Findings | None:
        if type(value) is not dict:
            return None
        codings = value.get("coding")
        if _has_member(codings if type(codings) is list else (value,), codes):
            return None
        pairs = list(pairs_in(value))
        # A code without a system has no meaning, so that it is no member of anything
        if any(system is not None and judge(system, code) is not False for system, code in pairs):
            return None
        if not pairs and not bound.needs_code:
            return None
        return bound.wrong(", ".join(f"{system or ''}#{code}" for system, code in pairs) or "-")

    def emit(source: Source, value: str) -> None:
        item = source.variable("o")
        with source.block(f"for {item} in {value}.get('coding') or ({value},):"):
            source.line(f"if ({item}.get('system'), {item}.get('code')) in {source.constant(codes)}: break")
        with source.block("else:"):
            source.refuse_if(f"{source.constant(check)}({value}, s) is not None")

    return described(check, emit)


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
