"""What every reference has to be, wherever it stands, https://hl7.org/fhir/R4/references.html."""

import re
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.policy import References
from fhir_server.validation.report import Finding, Findings, at, found, joined, shown, warned
from fhir_server.validation.rules.bundle import Contents, bundle_around
from fhir_server.validation.rules.bundle_urls import ABSOLUTE
from fhir_server.validation.rules.invariant import failed
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.rules.resolution import (
    CORE,
    absolute_in,
    contained_by_id,
    in_bundle,
    leaves_bundle,
    resolve,
    target_type,
)
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Check, Scope
from fhir_server.validation.sure import BUNDLE, POLICY, Source, described

REF_1 = "SHALL have a contained resource if a local reference is provided"
CONTENT = frozenset({"reference", "identifier", "display", "extension"})
EXAMPLES = ("example.org", "acme.com")
"""Hosts of examples: what lies there need not exist."""

_RELATIVE = re.compile(r"[^/]*/[^/]*(?:/[^/]*/[^/]*)?")
_SEARCH = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?[_a-zA-Z][^=&]*=[^&]+(?:&[_a-zA-Z][^=&]*=[^&]+)*")
_ANSWERS = frozenset({"transaction-response", "batch-response"})
_NEVER_ASKED = "http://tools.ietf.org/html/bcp47"


def build_reference_rules(resources: frozenset[str]) -> Check:
    """Returns the check of every Reference: ref-1, a `type` that agrees with the target, a target, and some content."""

    def check(value: Any, scope: Scope) -> Findings | None:
        named = value.get("type")
        text = value.get("reference")
        result = _text_faults(text, scope, resources) if type(text) is str else None
        if named is not None:
            result = joined(result, _wrong_type(named, value, scope, resources))
        if text is None and CONTENT.isdisjoint(value):
            result = joined(result, warned("validation.reference-empty"))
        return result

    def emit(source: Source, value: str) -> None:
        # Most references: to nothing in a Bundle, not contained, and nobody asks for their targets.
        known = source.known_keys(value)
        if known is not None and "reference" not in known and "type" not in known and not CONTENT.isdisjoint(known):
            return  # an identifier or a name alone
        text = source.variable("t")
        looks = [
            f"({text} := {source.member(value, 'reference')} or '#')[:1] != '#'",
            f"(not {BUNDLE} or {source.constant(leaves_bundle)}({text}, s))",
            f"{POLICY}.references is {source.constant(References.IGNORE)}",
            source.has_none_of(frozenset({"type"}), value),
        ]
        source.refuse_if(f"not ({' and '.join(looks)}) and {source.constant(check)}({value}, s) is not None")

    return described(check, emit)


def _text_faults(text: str, scope: Scope, resources: frozenset[str]) -> Findings | None:
    if text[:1] == "#":
        return _dangling(text, scope)
    result = _bundle_faults(text, scope, resources) if scope.bundle else None
    if not scope.policy.references.asks_existence:
        return result
    return joined(result, _absent(text, scope))


def _dangling(text: str, scope: Scope) -> Findings | None:
    if text == "#" or contained_by_id(scope.root, text[1:]) is not None:
        return None
    return failed("ref-1", REF_1, f"本地引用 {shown(text)} 必须指向 contained 中的资源")


def _absent(text: str, scope: Scope) -> Findings | None:
    is_example = scope.policy.examples and any(host in text for host in EXAMPLES)
    if is_example or text == _NEVER_ASKED or resolve(text, scope) is not None:
        return None
    return found("validation.reference-not-found", reference=shown(text))


def _bundle_faults(text: str, scope: Scope, resources: frozenset[str]) -> Findings | None:
    """Returns what keeps a reference from being resolved inside its Bundle, or None."""
    if leaves_bundle(text, scope):
        return None
    around = bundle_around(scope)
    if around is None or text == _NEVER_ASKED or scope.resource.get("resourceType") == "Bundle":
        return None
    if ABSOLUTE.fullmatch(text):
        return _ambiguous(text, text, around)
    if not _RELATIVE.fullmatch(text):
        search = _SEARCH.fullmatch(text) if around.type == "transaction" else None
        return None if search and search["type"] in resources else _misformed(text)
    if not scope.full_url:
        is_wanted = scope.policy.strict and around.type not in _ANSWERS
        return found("validation.reference-no-base", reference=shown(text)) if is_wanted else None
    return _ambiguous(text, absolute_in(text, scope.full_url), around) or _other_type(text, scope, resources)


def _misformed(text: str) -> Findings:
    return at(found("validation.reference-form", reference=shown(text)), "reference")


def _ambiguous(text: str, url: str, around: Contents) -> Findings | None:
    if around.type == "history" or url not in around.ambiguous:
        return None
    return found("validation.reference-ambiguous", reference=shown(text))


def _other_type(text: str, scope: Scope, resources: frozenset[str]) -> Findings | None:
    target, wanted = in_bundle(text, scope), text.partition("/")[0]
    actual = text_of(target, "resourceType") if target else wanted
    if actual == wanted or actual not in resources:
        return None
    return found("validation.reference-target", found=actual, expected=wanted)


def _wrong_type(named: Any, reference: JsonObject, scope: Scope, resources: frozenset[str]) -> Findings | None:
    plain = named.removeprefix(CORE) if isinstance(named, str) else None
    if plain not in resources:
        return None  # a logical type or another version's: the specification allows any URL
    result = None if named == plain else _absolute_type(plain, scope)
    actual = target_type({"reference": reference.get("reference")}, scope)
    if actual is None or actual == plain or actual not in resources:
        return result
    return joined(result, at(found("validation.reference-type", found=named, expected=actual), "type"))


def _absolute_type(plain: str, scope: Scope) -> Findings:
    return at([Finding("validation.reference-type-url", {"expected": plain}, by_policy(scope.policy))], "type")
