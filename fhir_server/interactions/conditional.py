"""Criteria of conditional requests, written once for every interaction, https://hl7.org/fhir/R4/http.html#cond-update."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from fhir_server.errors import BadValue, InvalidRequest, MissingElement, MultipleMatches
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.search.parse import parse_query
from fhir_server.search.query import Clause, IdIs, Not, Query
from fhir_server.store.contract import Snapshot, StoredVersion

Pair = tuple[str, str]
_BEFORE = re.compile(r"(?:https?://[^?\s]*/|/)?(?P<type>[A-Za-z]*)\?")
"""What may stand before the criteria: the URL of a search, whole or from its type on, or a question mark alone."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A search that tells which resource a request is about, and its text for messages."""

    query: Query
    text: str

    def without(self, ids: Collection[ResourceId]) -> "Criteria":
        """Returns the criteria for everything but these resources."""
        if not ids:
            return self
        others: Clause = Not(IdIs(tuple(sorted(ids))))
        return replace(self, query=replace(self.query, where=(*self.query.where, others)))


def criteria_of(parts: Parts, type_: ResourceType, text: str, base: str = "") -> Criteria:
    """Reads `identifier=x|y&...` (a leading `?`, `Type?` or search URL is allowed) into criteria.

    Raises:
        BadValue: they are about another type.
        MissingElement: no criteria at all.
        InvalidRequest: a parameter that shapes results, which criteria do not have.
        SearchParameterUnknown: a criterion that cannot be used.
        SearchValueInvalid: a value that cannot be read.
    """
    before = _BEFORE.match(text)
    if before is not None and before["type"] not in ("", type_):
        raise BadValue.of("rest.criteria-type", found=before["type"], expected=type_)
    return criteria_from(parts, type_, parse_qsl(text[before.end() if before else 0 :], keep_blank_values=True), base)


def criteria_from(parts: Parts, type_: ResourceType, pairs: Sequence[Pair], base: str = "") -> Criteria:
    """Reads decoded query pairs into criteria; raises as `criteria_of`."""
    text = urlencode(pairs, safe=":/|,$")
    parsed = parse_query(type_, pairs, parts.search_context(base))
    if not parsed.query.where:
        raise MissingElement.of("rest.criteria-missing", found=text)
    shaping = [name for name, _ in pairs if name.startswith("_") and name.partition(":")[0] in _SHAPING]
    if shaping:
        raise InvalidRequest.of("rest.criteria-shaping", shaping[0], name=shaping[0])
    return Criteria(replace(parsed.query, count=2, with_total=False), text)


_SHAPING = frozenset(
    {"_count", "_sort", "_total", "_totalMethod", "_include", "_revinclude", "_summary", "_elements", "_contained"}
)


async def find_one(snapshot: Snapshot, criteria: Criteria) -> StoredVersion | None:
    """Returns the one match of the criteria, or None.

    Raises:
        MultipleMatches: there are several.
    """
    page = await snapshot.search(criteria.query)
    if len(page.matches) > 1:
        raise MultipleMatches.of("rest.multiple-matches", criteria=criteria.text)
    return page.matches[0] if page.matches else None
