"""`ValueSet/$expand`, https://hl7.org/fhir/R4/valueset-operation-expand.html."""

from collections.abc import Iterator, Sequence
from typing import Any

from fhir_server.errors import FhirError, Issue, Severity, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.terminology_input import Given, read_input
from fhir_server.operations.terminology_remote import answered
from fhir_server.operations.terminology_subject import UnknownHere, check_type, subject, undecided
from fhir_server.terminology.compose import Gap
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


class ExpansionTooCostly(FhirError):
    """422: the expansion has more members than the configured limit, and no page was asked for."""

    status, code = 422, "too-costly"


async def expand(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns the ValueSet with its expansion: the members that pass the filters, all or a page of them.

    Raises:
        UnknownHere: no such value set, or a system in another version than asked for.
        Undecided: a code system or value set that it needs is not here.
        ExpansionTooCostly: too many members.
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
    members = parts.terminology.members(value_set)
    if isinstance(members, Gap):
        raise undecided(members)
    expanded = expansion_of(parts.terminology, members, wanted)
    limit = parts.settings.max_expansion
    if len(expanded.contains) > limit or (not wanted.is_paged and expanded.total > limit):
        raise ExpansionTooCostly.of("terminology.too-costly", "count", found=expanded.total, limit=limit)
    _check_versions(parts, expanded, given)
    return {**_head(value_set, given), "expansion": _expansion(parts, expanded, given, wanted)}


def _check_versions(parts: Parts, expanded: Expanded, given: Given) -> None:
    """Accepts wanted versions of code systems that are the loaded ones: there is one version of everything.

    Raises:
        UnknownHere: another version is wanted.
    """
    used = dict(one.partition("|")[::2] for one in expanded.systems)
    issues: list[Issue] = []
    for name in _VERSIONS:
        for system, _, version in (one.partition("|") for one in given.all(name)):
            if system in used and version and version != used[system]:
                told = {"type": "CodeSystem", "url": system, "version": version, "found": used[system] or "-"}
                issues.append(issue("terminology.version-unknown", name, severity=Severity.ERROR, **told))
    if issues:
        raise UnknownHere(*issues)


def _head(value_set: JsonObject, given: Given) -> JsonObject:
    whole = given.flag("includeDefinition")
    kept = {k: v for k, v in value_set.items() if (whole and k not in ("expansion", "text")) or k in _HEAD}
    head: JsonObject = {"resourceType": "ValueSet", **kept}
    head.setdefault("status", "active")  # R4's own facts are kept without it
    return head


def _expansion(parts: Parts, expanded: Expanded, given: Given, wanted: Wanted) -> JsonObject:
    parameters = [*_echo(given), *({"name": "version", "valueUri": one} for one in expanded.systems)]
    found: JsonObject = {
        "identifier": f"urn:uuid:{parts.ids.fresh()}",
        "timestamp": parts.clock.now().isoformat(timespec="milliseconds").replace(_UTC, "Z"),
        "total": expanded.total,
    }
    if wanted.is_paged:
        found["offset"] = wanted.offset
    lists: Sequence[tuple[str, list[Any]]] = (("parameter", parameters), ("contains", expanded.contains))
    return found | {name: listed for name, listed in lists if listed}


def _echo(given: Given) -> Iterator[JsonObject]:
    """Yields the parameters that shaped the expansion, as its `parameter`."""
    for name, values in given.values.items():
        for value in values:
            if isinstance(value, bool):
                yield {"name": name, "valueBoolean": value}
            elif isinstance(value, int):
                yield {"name": name, "valueInteger": value}
            elif isinstance(value, str):
                yield {"name": name, _KEYS.get(name, "valueString"): value}


_KEYS = {"displayLanguage": "valueCode", "url": "valueUri"} | dict.fromkeys(("exclude-system", *_VERSIONS), "valueUri")
