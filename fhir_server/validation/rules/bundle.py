"""Bundles: entries are resources of their own, found by fullUrl, https://hl7.org/fhir/R4/bundle.html."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.fhir.references import ReferenceKind, parse_reference
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, shown
from fhir_server.validation.site import Scope

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")


def entries_by_url(bundle: Mapping[str, Any]) -> dict[str, JsonObject]:
    """Returns the resources of a Bundle by their fullUrl, and by `Type/id` where they have an id.

    Where two entries share a `Type/id`, the first one answers to it.
    """
    index: dict[str, JsonObject] = {}
    for _, url, resource in _resources(bundle):
        if url is not None:
            index.setdefault(url, resource)
        if isinstance(resource.get("id"), str):
            index.setdefault(f"{resource.get('resourceType')}/{resource['id']}", resource)
    return index


def check_bundle(value: Any, _: Scope) -> Findings | None:
    """Tells whether each fullUrl is absolute and names the resource beside it."""
    result: Findings | None = None
    for index, url, resource in _resources(value):
        fault = None if url is None else _url_fault(url, resource)
        if fault is not None:
            result = joined(result, at(fault, "fullUrl", index, "entry"))
    return result


def _url_fault(url: str, resource: JsonObject) -> Findings | None:
    if not _ABSOLUTE.fullmatch(url):
        return found("validation.bundle-full-url", url=shown(url))
    parsed = parse_reference(url)
    expected = f"{resource.get('resourceType')}/{resource.get('id')}"
    if parsed.kind is not ReferenceKind.REMOTE or "id" not in resource or f"{parsed.type}/{parsed.id}" == expected:
        return None
    return found("validation.bundle-full-url-id", url=shown(url), expected=expected)


def _resources(bundle: Mapping[str, Any]) -> Iterator[tuple[int, str | None, JsonObject]]:
    entries = bundle.get("entry")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            url = entry.get("fullUrl")
            yield index, url if isinstance(url, str) else None, resource
