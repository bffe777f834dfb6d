"""The fullUrl of Bundle entries, https://hl7.org/fhir/R4/bundle.html#bundle-unique."""

import re
from typing import Any

from fhir_server.fhir.references import ReferenceKind, parse_reference
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, shown
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.site import Build, Check, Scope

ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_BASE = re.compile(r"https?://(?:[A-Za-z0-9\-.:%$\\]*/)*")
"""What may stand before `Type/id` in a URL that counts as RESTful, https://hl7.org/fhir/R4/references.html#literal."""
_WITHOUT_URLS = frozenset({"transaction", "transaction-response", "batch", "batch-response"})


def build_full_urls(build: Build) -> Check:
    """Returns the check that each fullUrl is there, is absolute, and names the resource beside it."""
    types = build.definitions.model.resources

    def check(value: Any, scope: Scope) -> Findings | None:
        is_needed = scope.policy.strict and text_of(value, "type") not in _WITHOUT_URLS
        result: Findings | None = None
        for index, entry in objects(value, "entry"):
            url, resource = entry.get("fullUrl"), entry.get("resource")
            fault = None
            if isinstance(url, str):
                fault = _fault(url, resource if isinstance(resource, dict) else {}, types)
            elif is_needed and url is None:
                fault = found("validation.bundle-full-url-missing", type=shown(value.get("type")))
            result = joined(result, at(fault, index, "entry") if fault else None)
        return result

    return check


def _fault(url: str, resource: JsonObject, types: frozenset[str]) -> Findings | None:
    if not ABSOLUTE.fullmatch(url):
        return at(found("validation.bundle-full-url", url=shown(url)), "fullUrl")
    type_, id_ = resource.get("resourceType"), resource.get("id")
    is_rest = is_restful(url, types)
    if resource and is_rest and not url.endswith(f"/{type_}/{id_}"):
        if id_ is None:
            return at(found("validation.bundle-full-url-no-id", url=shown(url), type=shown(type_)), "fullUrl")
        return at(found("validation.bundle-full-url-id", url=shown(url), expected=f"{type_}/{id_}"), "fullUrl")
    if resource.get("url") == url and not (is_rest and url.endswith(f"/{id_}")) and not _is_old_table(url):
        return at(found("validation.bundle-full-url-canonical", url=shown(url)), "fullUrl")
    return None


def is_restful(url: str, types: frozenset[str]) -> bool:
    """Tells whether an absolute URL looks like that of a resource on a server: `[base]/Type/id`, of a known type."""
    parsed = parse_reference(url)
    if parsed.kind is not ReferenceKind.REMOTE or parsed.type not in types:
        return False
    return _BASE.fullmatch(parsed.base + "/") is not None


def _is_old_table(url: str) -> bool:
    # The tables of v2 and v3 had URLs below hl7.org/fhir before they moved to terminology.hl7.org
    return url.startswith(("http://hl7.org/fhir/v2/", "http://hl7.org/fhir/v3/"))
