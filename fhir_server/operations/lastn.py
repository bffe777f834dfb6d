"""`$lastn`: the latest observations of each code, https://hl7.org/fhir/R4/observation-operation-lastn.html."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from fhir_server.errors import MissingElement, SearchParameterUnknown, TooCostly
from fhir_server.fhir.bundles import BundleEntry, Link, bundle_bytes
from fhir_server.fhir.dates import DateError, period_range, range_of, timing_range
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import Pairs, self_url
from fhir_server.operations.call import check_type, read_any, refused, resource_in
from fhir_server.search.normal import normalise
from fhir_server.search.parse import parse_query
from fhir_server.search.query import Query, SortBy, SortKey
from fhir_server.store.contract import Cursor, StoredVersion

STRETCH = 500
"""Observations that are read at a time."""
MOST_READ = 10_000
"""Observations among which the latest are looked for."""
_NEWEST_FIRST = (SortKey(SortBy.CLINICAL, descending=True),)
_SHAPING = ("_count", "_sort", "_total", "_include", "_revinclude", "_summary", "_elements")


class Dated(NamedTuple):
    """An observation, when it was made (microseconds, None if it does not say), and what its code may be called.

    A name has whose it is in front: the latest of one patient are not compared with those of another.
    """

    version: StoredVersion
    at: int | None
    names: frozenset[str]


async def lastn(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns the `max` latest observations of each subject and code among those that the search parameters select.

    Codes are the same when they share a coding, through others as well; without codings their text counts. Several of
    one instant count as one, so a group may have more than `max`. Groups stand by their latest, newest first.

    Raises:
        MissingElement: neither `subject` nor `patient` is given.
        SearchParameterUnknown: a name that cannot be used.
        SearchValueInvalid, BadValue: a value that cannot be read.
        TooCostly: too many observations are selected.
    """
    check_type(target, "lastn", "Observation")
    given = read_any(request)
    if sum(name == "max" for name, _ in given.values) > 1:
        raise refused("max", ", ".join(v for n, v in given.pairs if n == "max"), "operation.expected-once")
    most = given.number("max", 1, 10**9)
    pairs = [p for p in given.pairs if p[0] != "max"]
    _check(pairs)
    parsed = parse_query(ResourceType("Observation"), pairs, parts.search_context(request.base))
    query = replace(parsed.query, sort=_NEWEST_FIRST, count=STRETCH, with_total=False)
    latest = await asyncio.to_thread(_chosen, parts, await _read(parts, query), most)
    used = [*parsed.used, ("max", str(most))]
    entries = [BundleEntry(f"{request.base}/{v.key}", v.body, "match") for v in latest]
    links = [Link("self", self_url(request, used))]
    return FhirResponse(200, bundle_bytes("searchset", entries, links, total=len(latest)))


def _check(pairs: Pairs) -> None:
    names = {name.partition(":")[0].partition(".")[0] for name, _ in pairs}
    naming = [name for name, text in pairs if text and not name.endswith((":missing", ":not"))]
    if not any(re.match(r"(subject|patient)\b", name) for name in naming):
        raise MissingElement.of("lastn.subject-missing", "subject")
    for name in sorted(names.intersection(_SHAPING)):
        raise SearchParameterUnknown.of("lastn.shaping", name, name=name)


async def _read(parts: Parts, query: Query) -> list[StoredVersion]:
    found: list[StoredVersion] = []
    cursor: Cursor | None = None
    async with parts.store.snapshot() as snapshot:
        while True:
            page = await snapshot.search(query, cursor)
            found += page.matches
            if len(found) > MOST_READ:
                raise TooCostly.of("lastn.too-many", most=MOST_READ)
            if page.next is None:
                return found
            cursor = page.next


def _chosen(parts: Parts, versions: Sequence[StoredVersion], most: int) -> list[StoredVersion]:
    found = sorted((_dated(parts, version) for version in versions), key=_by_age)
    return [one.version for group in _groups(found) for one in _latest(group, most)]


def _dated(parts: Parts, version: StoredVersion) -> Dated:
    resource = resource_in(version)
    whose = str((resource.get("subject") or {}).get("reference"))
    names = frozenset(f"{whose} {name}" for name in _names(resource.get("code")))
    return Dated(version, _instant_of(parts, resource), names)


def _by_age(one: Dated) -> tuple[bool, int, str]:
    """Newest first; an observation that does not say when it was made is never the latest, whenever it was stored."""
    return one.at is None, -(one.at or 0), one.version.key.id


def _instant_of(parts: Parts, resource: JsonObject) -> int | None:
    """Returns the start of `effective[x]`, which observations are ordered by in searches too."""
    text = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
    period, timing = resource.get("effectivePeriod"), resource.get("effectiveTiming")
    found = None
    try:
        if isinstance(text, str):
            found = range_of(text, parts.zone)
        elif isinstance(period, dict):
            found = period_range(period, parts.zone)
        elif isinstance(timing, dict):
            found = timing_range(timing, parts.zone)
    except DateError:
        return None
    return None if found is None else found.low


def _names(code: object) -> Iterable[str]:
    if not isinstance(code, dict):
        return ("",)
    codings = [c for c in code.get("coding") or () if isinstance(c, dict) and "code" in c]
    return [f"{c.get('system', '')}|{c['code']}" for c in codings] or [normalise(str(code.get("text", "")))]


def _groups(found: Sequence[Dated]) -> list[list[Dated]]:
    """Returns the observations by code, in their order, the group of the first one first."""
    chief: dict[str, str] = {}

    def chief_of(name: str) -> str:
        while chief.setdefault(name, name) != name:
            name = chief[name]
        return name

    for one in found:
        first, *others = sorted(one.names)
        for other in others:
            chief[chief_of(other)] = chief_of(first)
    groups: dict[str, list[Dated]] = {}
    for one in found:
        groups.setdefault(chief_of(min(one.names)), []).append(one)
    return list(groups.values())


def _latest(group: Sequence[Dated], most: int) -> Iterable[Dated]:
    """Yields the first `most` of a group that is in order, and those of the same instant as the last of them."""
    last = group[most - 1].at if len(group) >= most else None
    for n, one in enumerate(group):
        if n < most or (last is not None and one.at == last):
            yield one
