"""`ValueSet/$expand`, https://hl7.org/fhir/R4/valueset-operation-expand.html."""

from collections.abc import Iterator, Sequence
from typing import Any

from fhir_server.errors import FhirError, Issue, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.terminology_input import Given, read_input
from fhir_server.operations.terminology_remote import answered
from fhir_server.operations.terminology_subject import UnknownHere, check_type, subject, undecided
from fhir_server.terminology.compose import Gap, Members, Versions
from fhir_server.terminology.expansion import Expanded, Wanted, expansion_of
from fhir_server.terminology.languages import preferences

SUPPORTED = (
    "url", "valueSet", "valueSetVersion", "filter", "offset", "count", "includeDesignations", "designation",
    "includeDefinition", "activeOnly", "excludeNested", "excludeNotForUI", "excludePostCoordinated", "displayLanguage",
    "exclude-system", "system-version", "check-system-version", "force-system-version",
)  # fmt: skip
_VERSIONS = ("system-version", "check-system-version", "force-system-version")
_HEAD = ("url", "identifier", "version", "name", "title", "status", "experimental", "publisher", "language")
_UTC = "+00:00"
UNCLOSED = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"
"""Tells that values other than those listed may be valid, https://hl7.org/fhir/R4/extension-valueset-unclosed.html."""


class ExpansionTooCostly(FhirError):
    """422: the expansion has more members than the configured limit, and no page was asked for."""

    status, code = 422, "too-costly"


class VersionConflict(FhirError):
    """422: the value set takes another version of a code system than it should."""

    status, code = 422, "business-rule"


async def expand(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns the ValueSet with its expansion: the members that pass the filters, all or a page of them.

    Raises:
        UnknownHere: no such value set, or a system in another version than asked for.
        Undecided: a code system or value set that it needs is not here.
        ExpansionTooCostly: too many members.
        VersionConflict: `check-system-version` is not what the value set takes.
    """
    check_type(request, target, "ValueSet")
    given = read_input(parts, request, "ValueSet-expand", SUPPORTED)

    async def locally() -> JsonObject:
        value_set = await subject(parts, given, target, inline="valueSet", version=given.one("valueSetVersion"))
        return _expanded(parts, value_set, given, wanted_of(given, request.header("accept-language")))

    return FhirResponse(200, encode(await answered(parts, request, target, given, locally)))


def wanted_of(given: Given, accept_language: str | None) -> Wanted:
    """Returns what the parameters ask for; the header speaks where `displayLanguage` does not."""
    return Wanted(
        text=given.one("filter") or "",
        offset=given.one("offset") or 0,
        count=given.one("count"),
        languages=preferences(given.one("displayLanguage") or accept_language),
        with_designations=given.flag("includeDesignations"),
        designations=given.all("designation"),
        active_only=given.flag("activeOnly"),
        for_ui=given.flag("excludeNotForUI"),
        nested=not given.flag("excludeNested"),
        exclude_systems=given.all("exclude-system"),
    )


def _expanded(parts: Parts, value_set: JsonObject, given: Given, wanted: Wanted) -> JsonObject:
    members, unclosed = _members(parts, value_set, _versions(given))
    expanded = expansion_of(parts.terminology, members, wanted)
    limit = parts.settings.max_expansion
    if len(expanded.contains) > limit or (not wanted.is_paged and expanded.total > limit):
        raise ExpansionTooCostly.of("terminology.too-costly", "count", found=expanded.total, limit=limit)
    _check_versions(parts, expanded, given)
    more = {"extension": [{"url": UNCLOSED, "valueBoolean": True}]} if unclosed else {}
    return {**_head(value_set, given), "expansion": {**more, **_expansion(parts, expanded, given, wanted)}}


def _members(parts: Parts, value_set: JsonObject, versions: Versions) -> tuple[Members, bool]:
    """Returns the members, and whether there may be more: of a fragment of a system those that are here.

    Raises:
        Undecided: they cannot be listed.
    """
    members = parts.terminology.members(value_set, versions)
    if not isinstance(members, Gap):
        return members, False
    if members.params.get("content") == "fragment" and not parts.settings.terminology_server:
        some = parts.terminology.members(value_set, versions._replace(with_fragments=True))
        if not isinstance(some, Gap):
            return some, True
    raise undecided(members)


def _versions(given: Given) -> Versions:
    wanted, forced = (
        {url: version for url, _, version in (one.partition("|") for one in given.all(name)) if version}
        for name in ("system-version", "force-system-version")
    )
    return Versions(wanted, forced)


def _check_versions(parts: Parts, expanded: Expanded, given: Given) -> None:
    """Accepts wanted versions of code systems that are those that were used.

    Raises:
        UnknownHere: another one was, as the wanted one is not loaded.
        VersionConflict: another one was, as the value set names it.
    """
    issues: list[Issue] = []
    conflicts: list[Issue] = []
    for name, (system, _, version) in ((n, one.partition("|")) for n in _VERSIONS for one in given.all(n)):
        used = [told for url, _, told in (one.partition("|") for one in expanded.systems) if url == system]
        others = [one for one in used if version and version != one]
        if not others or (name == "system-version" and version in _loaded(parts, system, version)):
            continue
        told = {"type": "CodeSystem", "url": system, "version": version, "found": others[0] or "-"}
        if version in _loaded(parts, system, version):
            conflicts.append(issue("terminology.version-used", name, **told))
        else:
            issues.append(issue("terminology.version-unknown", name, **told))
    if issues:
        raise UnknownHere(*issues, *conflicts)
    if conflicts:
        raise VersionConflict(*conflicts)


def _loaded(parts: Parts, system: str, version: str) -> tuple[str, ...]:
    found = parts.terminology.system(f"{system}|{version}")
    return (found.version,) if found and found.version else ()


def _head(value_set: JsonObject, given: Given) -> JsonObject:
    whole = given.flag("includeDefinition")
    kept = {k: v for k, v in value_set.items() if (whole and k not in ("expansion", "text")) or k in _HEAD}
    head: JsonObject = {"resourceType": "ValueSet", **kept}
    head.setdefault("status", "active")  # R4's own facts are kept without it
    return head


def _expansion(parts: Parts, expanded: Expanded, given: Given, wanted: Wanted) -> JsonObject:
    parameters = [*_echo(given, wanted), *({"name": "version", "valueUri": one} for one in expanded.systems)]
    found: JsonObject = {
        "identifier": f"urn:uuid:{parts.ids.fresh()}",
        "timestamp": parts.clock.now().isoformat(timespec="milliseconds").replace(_UTC, "Z"),
        "total": expanded.total,
    }
    if wanted.is_paged:
        found["offset"] = wanted.offset
    lists: Sequence[tuple[str, list[Any]]] = (("parameter", parameters), ("contains", expanded.contains))
    return found | {name: listed for name, listed in lists if listed}


def _echo(given: Given, wanted: Wanted) -> Iterator[JsonObject]:
    """Yields the parameters that shaped the expansion, as its `parameter`; languages may come in a header instead."""
    if wanted.languages and given.one("displayLanguage") is None:
        yield {"name": "displayLanguage", "valueCode": ",".join(wanted.languages)}
    for name, values in given.values.items():
        for value in values:
            if isinstance(value, bool):
                yield {"name": name, "valueBoolean": value}
            elif isinstance(value, int):
                yield {"name": name, "valueInteger": value}
            elif isinstance(value, str):
                yield {"name": name, _KEYS.get(name, "valueString"): value}


_KEYS = {"displayLanguage": "valueCode", "url": "valueUri"} | dict.fromkeys(("exclude-system", *_VERSIONS), "valueUri")
