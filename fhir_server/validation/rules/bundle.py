"""Bundles: entries are resources of their own, found by fullUrl, https://hl7.org/fhir/R4/bundle.html."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, shown
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.site import Scope

_PAGING = frozenset({"first", "previous", "next", "last"})
_PAGED = frozenset({"searchset", "history"})


@dataclass(frozen=True, slots=True)
class Contents:
    """What a Bundle holds: its type, its resources by URL, the fullUrl of each, and the fullUrls that stand twice.

    `by_url` has each resource by its fullUrl, by `fullUrl/_history/version` where it has a version, and by `Type/id`;
    of several with the same URL the first. `url_of` goes by the `id()` of the resource. A Parameters resource has no type
    here and no fullUrls.
    """

    type: str
    by_url: Mapping[str, JsonObject]
    url_of: Mapping[int, str]
    ambiguous: frozenset[str]


def contents_of(resource: JsonObject, memo: dict[Any, Any]) -> Contents | None:
    """Returns what a Bundle or a Parameters resource holds, worked out once a run; None for any other resource."""
    type_ = resource.get("resourceType")
    if type_ not in ("Bundle", "Parameters"):
        return None
    key = ("contents", id(resource))
    if key not in memo:
        memo[key] = _contents(resource) if type_ == "Bundle" else _parameters(resource)
        memo["around", id(memo[key].by_url)] = memo[key]
    known: Contents = memo[key]
    return known


def bundle_around(scope: Scope) -> Contents | None:
    """Returns what the Bundle around holds; None outside one, and in a Parameters resource."""
    around: Contents | None = scope.memo.get(("around", id(scope.bundle))) if scope.bundle else None
    return around if around and around.type else None


def _contents(bundle: JsonObject) -> Contents:
    by_url: dict[str, JsonObject] = {"": bundle}  # never empty, so that inside a Bundle it is always true
    url_of: dict[int, str] = {}
    ambiguous: set[str] = set()
    for _, url, resource in entries_of(bundle):
        for key in _keys_of(url, resource):
            by_url.setdefault(key, resource)
        if url is not None:
            url_of[id(resource)] = url
            if by_url[url] is not resource:
                ambiguous.add(url)
    type_ = bundle.get("type")
    return Contents(type_ if isinstance(type_, str) else "?", by_url, url_of, frozenset(ambiguous))


def _keys_of(url: str | None, resource: JsonObject) -> Iterator[str]:
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    name = f"{resource.get('resourceType')}/{resource['id']}" if isinstance(resource.get("id"), str) else None
    for key in (url, name):
        if key is not None:
            yield key
            if isinstance(version, str):
                yield f"{key}/_history/{version}"


def _parameters(resource: JsonObject) -> Contents:
    by_url: dict[str, JsonObject] = {}
    waiting = [resource.get("parameter")]
    while waiting:
        listed = waiting.pop()
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict):
                inner = one.get("resource")
                if isinstance(inner, dict):
                    by_url.update((key, inner) for key in _keys_of(None, inner) if key not in by_url)
                waiting.append(one.get("part"))
    return Contents("", by_url, {}, frozenset())


def check_bundle(value: Any, _: Scope) -> Findings | None:
    """Tells whether the links are what the type of the Bundle allows."""
    return _link_faults(value["link"], text_of(value, "type")) if "link" in value else None


def _link_faults(links: Any, type_: str) -> Findings | None:
    result: Findings | None = None
    seen: set[str] = set()
    for index, link in enumerate(links if isinstance(links, list) else ()):
        relation = text_of(link, "relation") if isinstance(link, dict) else ""
        if relation == "self" or relation in _PAGING:
            if type_ not in _PAGED and relation in _PAGING:
                fault = at(found("validation.bundle-link-paging", relation=relation, type=shown(type_)), "relation")
                result = joined(result, at(fault, index, "link"))
            elif relation in seen:
                result = joined(result, at(found("validation.bundle-link-twice", relation=relation), index, "link"))
            seen.add(relation)
    return result


def entries_of(bundle: Mapping[str, Any]) -> Iterator[tuple[int, str | None, JsonObject]]:
    """Yields the entries of a Bundle that hold a resource: index, fullUrl or None, resource."""
    entries = bundle.get("entry")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            url = entry.get("fullUrl")
            yield index, url if isinstance(url, str) else None, resource
