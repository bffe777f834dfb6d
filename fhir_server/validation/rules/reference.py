"""References: what they may point at, https://hl7.org/fhir/R4/references.html.

The type of a target is known when it is contained, in the same Bundle, named by `Reference.type`, or told by the URL.
"""

from collections.abc import Mapping
from typing import Any

from fhir_server.fhir.references import parse_reference
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, listing, shown, warned
from fhir_server.validation.rules.invariant import failed
from fhir_server.validation.rules.types import ANY_RESOURCE
from fhir_server.validation.site import Build, Check, Scope, Site

REF_1 = "SHALL have a contained resource if a local reference is provided"
CONTENT = frozenset({"reference", "identifier", "display", "extension"})


def build_reference(site: Site, build: Build) -> Check | None:
    """Returns the check that a reference points at one of the allowed types."""
    if site.type != "Reference" or (site.base and site.base.types == site.element.types):
        return None
    urls = [url for type_ in site.element.types if type_.code == "Reference" for url in type_.targets]
    targets = frozenset(target for url in urls if (target := _type_of(url, site, build)))
    if not urls or not targets or targets & ANY_RESOURCE:
        return None
    return _to_one_of(targets, build.definitions.model.resources)


def _type_of(url: str, site: Site, build: Build) -> str | None:
    structure = build.definitions.structure(url)
    if structure is None:
        build.report(site, f"unknown target profile {url}")
        return None
    return structure.type


def _to_one_of(targets: frozenset[str], known: frozenset[str]) -> Check:
    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict or (not scope.bundle and _is_plainly_to(targets, value)):
            return None
        type_ = target_type(value, scope)
        if type_ is None or type_ in targets or type_ not in known:
            return None
        return found("validation.reference-target", found=type_, expected=listing(targets))

    return check


def _is_plainly_to(targets: frozenset[str], reference: JsonObject) -> bool:
    """Tells at once of `Type/id`, and of a named type without a reference, what most references are."""
    text = reference.get("reference")
    if type(text) is not str:
        named = None if text is not None else reference.get("type")
        return type(named) is str and named in targets
    head, slash, tail = text.partition("/")
    return head in targets and slash != "" and "/" not in tail and "?" not in tail


def build_reference_rules(resources: frozenset[str]) -> Check:
    """Returns the check of every Reference: ref-1, a `type` that agrees with the target, and some content."""

    def check(value: Any, scope: Scope) -> Findings | None:
        named = value.get("type")
        text = value.get("reference")
        result = _dangling(text, scope) if type(text) is str and text[:1] == "#" else None
        if named is not None:
            result = joined(result, _wrong_type(named, value, scope, resources))
        if text is None and CONTENT.isdisjoint(value):
            result = joined(result, warned("validation.reference-empty"))
        return result

    return check


def _dangling(text: str, scope: Scope) -> Findings | None:
    if text == "#" or contained_by_id(scope.root, text[1:]) is not None:
        return None
    return failed("ref-1", REF_1, f"本地引用 {shown(text)} 必须指向 contained 中的资源")


def _wrong_type(named: Any, reference: JsonObject, scope: Scope, resources: frozenset[str]) -> Findings | None:
    if not isinstance(named, str) or named not in resources:
        return None  # a logical type or another version's: the specification allows any URL
    actual = target_type({"reference": reference.get("reference")}, scope)
    if actual is None or actual == named or actual not in resources:
        return None
    return at(found("validation.reference-type", found=named, expected=actual), "type")


def target_type(reference: Mapping[str, Any], scope: Scope) -> str | None:
    """Returns the type of what a reference points at, or None when nothing tells it."""
    text = reference.get("reference")
    if isinstance(text, str):
        target = resolve(text, scope)
        type_ = target.get("resourceType") if target else _type_in_url(text)
        if isinstance(type_, str) and type_:
            return type_
    named = reference.get("type")
    return named if isinstance(named, str) else None


def _type_in_url(text: str) -> str:
    # The common form first: parsing costs 2 us, a split of "Patient/1" a tenth of that
    head, slash, tail = text.partition("/")
    if slash and "/" not in tail and ":" not in head and "?" not in text:
        return head
    return parse_reference(text).type


def resolve(text: str, scope: Scope) -> JsonObject | None:
    """Returns the contained resource or the Bundle entry that a reference text points at, or None."""
    if text[:1] == "#":
        return scope.root if text == "#" else contained_by_id(scope.root, text[1:])
    return scope.bundle.get(text.partition("/_history/")[0]) if scope.bundle else None


def contained_by_id(root: Mapping[str, Any], id_: str) -> JsonObject | None:
    """Returns the contained resource with this id, or None."""
    contained = root.get("contained")
    for one in contained if isinstance(contained, list) else ():
        if isinstance(one, dict) and one.get("id") == id_:
            return one
    return None
