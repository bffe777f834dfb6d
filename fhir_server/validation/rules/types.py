"""Which types a profile allows, and the profiles that a value of a type must meet.

See https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.type.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fhir_server.fhir.shapes import Canonical
from fhir_server.validation.report import Findings, found, has_error, listing
from fhir_server.validation.rules.resource import scope_within
from fhir_server.validation.site import Build, Check, Key, Scope, Site
from fhir_server.validation.sure import Source, described

ANY_RESOURCE = frozenset({"Resource", "DomainResource"})


def build_allowed(keys: Iterable[Key], allowed: Sequence[str], place: str, profile: str) -> Check | None:
    """Returns the check that a choice element uses one of the allowed types, or None when it cannot do otherwise."""
    barred = {name: key.type for key in keys if key.type not in allowed for name in (key.name, key.sibling) if name}
    if not allowed or not barred:
        return None
    names = frozenset(barred)

    def check(owner: Any, _: Scope) -> Findings | None:
        used = names.intersection(owner)
        if not used:
            return None
        given = listing({barred[name] for name in used})
        return found("validation.choice-type", element=place, found=given, expected=listing(allowed), profile=profile)

    def emit(source: Source, owner: str) -> None:
        source.refuse_if(f"not ({source.has_none_of(names, owner)})")

    return described(check, emit)


def build_type_profile(site: Site, build: Build) -> Check | None:
    """Returns the check that a value meets one of the profiles of its type.

    Extensions are left to `rules/extension.py`, which looks every one up by its URL.
    """
    urls = [url for type_ in site.element.types if type_.code == site.type for url in type_.profiles]
    if not urls or site.type == "Extension" or (site.base and site.base.types == site.element.types):
        return None
    checks = {url: check for url in urls if (check := build.profile_check(url))}
    if len(checks) < len(urls):
        build.report(site, f"unknown profile {listing(set(urls) - checks.keys())}")
        return None
    return next(iter(checks.values())) if len(checks) == 1 else _any_of(checks, site)


def _any_of(checks: Mapping[Canonical, Check], site: Site) -> Check:
    def check(value: Any, scope: Scope) -> Findings | None:
        if any(not has_error(one(value, scope)) for one in checks.values()):
            return None
        return found("validation.profile-none", element=site.place, expected=listing(checks), profile=site.profile)

    return check


def build_resource_type(site: Site, build: Build) -> Check | None:
    """Returns the check of an element that holds a resource: its type and, where one is asked, its profile."""
    allowed = {type_.code: type_.profiles for type_ in site.element.types}
    if not allowed or (allowed.keys() <= ANY_RESOURCE and not any(allowed.values())):
        return None
    by_type = {code: _profiles_of(code, urls, site, build) for code, urls in allowed.items()}

    is_contained = site.element.path.endswith(".contained")

    def check(value: Any, scope: Scope) -> Findings | None:
        type_ = value.get("resourceType") if isinstance(value, dict) else None
        if not isinstance(type_, str):
            return None
        mine = next((by_type[code] for code in (type_, "Resource", "DomainResource") if code in by_type), None)
        if mine is None:
            names = {"element": site.place, "found": type_, "expected": listing(allowed), "profile": site.profile}
            return found("validation.resource-type", **names)
        return _first_met(mine, value, scope_within(scope, value, is_contained=is_contained), site)

    return check


def _profiles_of(code: str, urls: Sequence[str], site: Site, build: Build) -> tuple[tuple[str, Check], ...]:
    checks = tuple((url, check) for url in urls if (check := build.profile_check(url)))
    if len(checks) < len(urls):
        build.report(site, f"unknown profile of {code}: {listing(set(urls) - {url for url, _ in checks})}")
    return checks


def _first_met(checks: tuple[tuple[str, Check], ...], value: Any, scope: Scope, site: Site) -> Findings | None:
    if not checks:
        return None
    outcomes = [check(value, scope) for _, check in checks]
    if len(outcomes) == 1:
        return outcomes[0]
    if any(not has_error(outcome) for outcome in outcomes):
        return None
    return found(
        "validation.profile-none", element=site.place, expected=listing(url for url, _ in checks), profile=site.profile
    )
