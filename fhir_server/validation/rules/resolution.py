"""What a reference leads to: contained, in the Bundle around, or at hand outside.

See https://hl7.org/fhir/R4/references.html and https://hl7.org/fhir/R4/bundle.html#references.
"""

from collections.abc import Mapping
from typing import Any

from fhir_server.fhir.references import parse_reference
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.rules.bundle_urls import ABSOLUTE
from fhir_server.validation.site import Scope

CORE = "http://hl7.org/fhir/StructureDefinition/"
"""Where R4's own types are defined; `Reference.type` is relative to it."""


def target_type(reference: Mapping[str, Any], scope: Scope) -> str | None:
    """Returns the type of what a reference points at, or None when nothing tells it."""
    text = reference.get("reference")
    if isinstance(text, str):
        target = resolve(text, scope)
        type_ = target.get("resourceType") if target else type_in_url(text)
        if isinstance(type_, str) and type_:
            return type_
    named = reference.get("type")
    return named.removeprefix(CORE) if isinstance(named, str) else None


def type_in_url(text: str) -> str:
    """Returns the type that the text of a reference names, empty when it names none."""
    # The common form first: parsing costs 2 us, a split of "Patient/1" a tenth of that
    head, slash, tail = text.partition("/")
    if slash and "/" not in tail and ":" not in head and "?" not in text:
        return head
    return parse_reference(text).type


def resolve(text: str, scope: Scope) -> JsonObject | None:
    """Returns what a reference text points at: contained, in the Bundle around, or at hand outside; else None."""
    if text[:1] == "#":
        return scope.root if text == "#" else contained_by_id(scope.root, text[1:])
    inside = in_bundle(text, scope) if scope.bundle else None
    return fetched(text, scope) if inside is None else inside


def fetched(text: str, scope: Scope) -> JsonObject | None:
    """Returns what lies outside the resource and its Bundle, asked for once a run; None when it is not there."""
    key = ("fetched", text)
    if key not in scope.memo:
        scope.memo[key] = scope.resolve(text)
    known: JsonObject | None = scope.memo[key]
    return known


def in_bundle(text: str, scope: Scope) -> JsonObject | None:
    """Returns the resource in the Bundle around that a reference text points at, or None."""
    url = text if ABSOLUTE.fullmatch(text) else absolute_in(text, scope.full_url)
    return scope.bundle.get(url) or scope.bundle.get(url.partition("/_history/")[0])


def leaves_bundle(text: str, scope: Scope) -> bool:
    """Tells at once of `Type/id` in an entry with a fullUrl that no entry of the Bundle has the URL that it stands for."""
    if not scope.near or text.count("/") != 1 or ":" in text or "?" in text:
        return False
    return scope.near + (text.partition("/")[2] if scope.near[-1] == ":" else text) not in scope.bundle


def absolute_in(text: str, full_url: str) -> str:
    """Returns the URL that a relative reference stands for in the entry with this fullUrl; itself without one."""
    near = nearness(full_url)
    return near + (text.partition("/")[2] if near[-1:] == ":" else text)


def nearness(full_url: str) -> str:
    """Returns what stands before `Type/id` in the fullUrls of a server, or before the id in those that are URNs."""
    if full_url.startswith("urn:"):
        return full_url.rpartition(":")[0] + ":"
    base = full_url.rsplit("/", 2)[0] if full_url else ""
    return f"{base}/" if base else ""


def contained_by_id(root: Mapping[str, Any], id_: str) -> JsonObject | None:
    """Returns the contained resource with this id, or None."""
    contained = root.get("contained")
    for one in contained if isinstance(contained, list) else ():
        if isinstance(one, dict) and one.get("id") == id_:
            return one
    return None
