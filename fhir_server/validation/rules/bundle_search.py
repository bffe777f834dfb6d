"""What the entries of search results have to be, https://hl7.org/fhir/R4/bundle.html#searchset."""

from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, listing, shown, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.site import Build, Check, Scope


def build_search(build: Build) -> Check:
    """Returns the check of a searchset: a self link, and in each entry a resource that suits its search mode."""
    known = build.definitions.model.resources

    def check(value: Any, _: Scope) -> Findings | None:
        if value.get("type") != "searchset" or "entry" not in value:
            return None
        url = next((text_of(one, "url") for _, one in objects(value, "link") if one.get("relation") == "self"), None)
        result = warned("validation.search-no-self") if url is None else None
        types = _types_in(url or "", known)
        for index, entry in objects(value, "entry"):
            fault = _fault(entry, types)
            result = joined(result, at(fault, index, "entry") if fault else None)
        return result

    return check


def _types_in(url: str, known: frozenset[str]) -> frozenset[str]:
    """Returns the types that a search URL is for; empty when it does not tell."""
    path, _, query = url.partition("?")
    last = path.rpartition("/")[2]
    if last in known:
        return frozenset({last})
    named = (one.removeprefix("_type=") for one in query.split("&") if one.startswith("_type="))
    return frozenset(type_ for one in named for type_ in one.split(","))


def _fault(entry: JsonObject, types: frozenset[str]) -> Findings | None:
    resource, search = entry.get("resource"), entry.get("search")
    if not isinstance(resource, dict):
        return found("validation.search-no-resource")
    mode = search.get("mode") if isinstance(search, dict) else None
    type_ = shown(resource.get("resourceType"))
    if mode == "outcome":
        is_outcome = type_ == "OperationOutcome"
        return None if is_outcome else at(found("validation.search-outcome", found=type_), "resource")
    if mode not in ("match", "include"):
        return None
    result = None if "id" in resource else at(found("validation.search-no-id", type=type_), "resource")
    if mode == "match" and types and type_ not in types:
        result = joined(result, at(found("validation.search-type", found=type_, expected=listing(types)), "resource"))
    return result
