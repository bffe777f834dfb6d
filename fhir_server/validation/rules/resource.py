"""A resource as a whole: its type, its own profiles, and resources within it, https://hl7.org/fhir/R4/resource.html."""

from collections.abc import Mapping
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.policy import SERVER, Policy, Resolve, nowhere
from fhir_server.validation.report import Findings, at, found, joined, shown, warned
from fhir_server.validation.rules.bundle import contents_of
from fhir_server.validation.rules.json_types import wrong_json
from fhir_server.validation.rules.resolution import nearness
from fhir_server.validation.site import Build, Check, Scope, deeper

_NO_BUNDLE: Mapping[str, JsonObject] = {}


def scope_of(
    resource: JsonObject, *, use_meta: bool = True, policy: Policy = SERVER, resolve: Resolve = nowhere
) -> Scope:
    """Returns the scope of a resource that stands alone."""
    memo: dict[Any, Any] = {}
    contents = contents_of(resource, memo)
    around = contents.by_url if contents else _NO_BUNDLE
    return Scope(resource, resource, around, 0, use_meta, policy, resolve, "", memo)


def scope_within(scope: Scope, resource: JsonObject, *, is_contained: bool) -> Scope:
    """Returns the scope of a resource within another one: contained, or an entry that is a root of its own.

    Raises:
        TooDeep: too many resources within resources.
    """
    inner = deeper(scope)
    root = scope.root if is_contained else resource
    around = contents_of(scope.resource, scope.memo)
    full_url = around.url_of.get(id(resource), "") if around else scope.full_url
    contents = contents_of(resource, scope.memo)
    bundle = contents.by_url if contents else scope.bundle
    return Scope(resource, root, bundle, inner.depth, *scope[4:7], full_url, scope.memo, nearness(full_url))


def resource_type_fault(resource: JsonObject, known: frozenset[str]) -> Findings | None:
    """Returns the finding that `resourceType` is missing or not R4's, or None."""
    type_ = resource.get("resourceType")
    if type_ is None:
        return found("validation.resource-type-missing")
    if not isinstance(type_, str) or type_ not in known:
        return found("validation.resource-type-unknown", found=shown(type_))
    return None


def check_resource(resource: JsonObject, scope: Scope, build: Build) -> Findings | None:
    """Checks a resource of a known type against R4 and, where the scope says so, the profiles that it names."""
    result = build.type_check(resource["resourceType"])(resource, scope)
    meta = resource.get("meta") if scope.use_meta else None
    urls = meta.get("profile") if isinstance(meta, dict) else None
    for index, url in enumerate(urls if isinstance(urls, list) else ()):
        if isinstance(url, str):
            result = joined(result, _named_profile(resource, url, index, scope, build))
    return result


def _named_profile(resource: JsonObject, url: str, index: int, scope: Scope, build: Build) -> Findings | None:
    check = build.profile_check(url)
    if check is None:
        return at(warned("validation.profile-unknown", profile=shown(url)), index, "profile", "meta")
    return check(resource, scope)


def build_inner_resource(build: Build, *, is_contained: bool) -> Check:
    """Returns the check of a property that holds a whole resource."""
    known = build.definitions.model.resources

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict:
            return wrong_json(value, "object")
        if is_contained and not scope.policy.check_contained:
            return None
        fault = resource_type_fault(value, known)
        return fault or check_resource(value, scope_within(scope, value, is_contained=is_contained), build)

    return check
