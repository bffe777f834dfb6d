"""Resources that a canonical URL names: contained, loaded, in the same Bundle, or outside, https://hl7.org/fhir/R4/references.html#canonical."""

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.rules.objects import contained_as
from fhir_server.validation.site import Build, Scope

MAX_BUNDLED = 400
"""Most names of entries that are looked through, about 200 entries: each resource of a Bundle may look for another one."""


def find_canonical(type_: str, url: str, scope: Scope, build: Build) -> JsonObject | None:
    """Returns the resource of this type that a canonical (`#id`, `url`, `url|version`) names, or None.

    In a Bundle the version is not looked at, and a large one is not looked through.
    """
    if url[:1] == "#":
        return contained_as(type_, url[1:], scope.root)
    known = build.definitions.resource(type_, url) if url else None
    if known is not None or not url:
        return known
    return _bundled(type_, url.partition("|")[0], scope) or _outside(type_, url, scope)


def _bundled(type_: str, url: str, scope: Scope) -> JsonObject | None:
    if len(scope.bundle) > MAX_BUNDLED:
        return None
    for one in scope.bundle.values():
        if one.get("url") == url and one.get("resourceType") == type_:
            return one
    return None


def _outside(type_: str, url: str, scope: Scope) -> JsonObject | None:
    found = scope.resolve(url)
    return found if found is not None and found.get("resourceType") == type_ else None
