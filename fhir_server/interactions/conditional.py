"""Criteria of conditional requests, written once for every interaction, https://hl7.org/fhir/R4/http.html#ccreate."""

from dataclasses import replace
from urllib.parse import parse_qsl

from fhir_server.errors import MissingElement, MultipleMatches
from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.search.parse import parse_query
from fhir_server.search.query import Query
from fhir_server.store.contract import Snapshot, StoredVersion


def criteria_of(parts: Parts, type_: ResourceType, text: str) -> Query:
    """Reads `identifier=x|y&...` (a leading `?` or `Type?` is allowed) into a query that asks for two matches.

    Raises:
        MissingElement: no criteria at all.
        SearchParameterUnknown: a criterion that cannot be used.
    """
    pairs = parse_qsl(text.rpartition("?")[2], keep_blank_values=True)
    query = parse_query(type_, pairs, parts.search_context()).query
    if not query.where:
        raise MissingElement.of("rest.criteria-missing", found=text)
    return replace(query, count=2, with_total=False)


async def find_one(snapshot: Snapshot, criteria: Query, text: str) -> StoredVersion | None:
    """Returns the one match of the criteria, or None.

    Raises:
        MultipleMatches: there are several.
    """
    page = await snapshot.search(criteria)
    if len(page.matches) > 1:
        raise MultipleMatches.of("rest.multiple-matches", count="several", criteria=text)
    return page.matches[0] if page.matches else None
