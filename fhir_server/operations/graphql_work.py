"""What one GraphQL query reads, on one snapshot and within its limits, https://hl7.org/fhir/R4/graphql.html#searching."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fhir_server import fhirpath
from fhir_server.errors import InvalidRequest, TooCostly
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import JsonObject, Moment, ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.operations.call import present, refused, resource_in
from fhir_server.search.cursor import PageToken
from fhir_server.search.parse import parse_query
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Key, Page, Snapshot, StoredVersion

MOST_SEARCHES = 200
"""Searches that one query may make, those of nested lists included."""
SIGNED_FOR = "graphql"
"""What page tokens of GraphQL are signed for; they carry their search."""
_AS_WRITTEN = frozenset({"_sort", "_filter", "_text", "_content"})
"""Arguments with a syntax of their own, in which a comma is what it is."""

Pairs = Sequence[tuple[str, str]]


@dataclass(slots=True)
class Work:
    """One query's reading. `slices` are the names of sliced items, by the place of their list in the answer."""

    parts: Parts
    snapshot: Snapshot
    base: str
    budget: fhirpath.Budget
    read: dict[Key, JsonObject] = field(default_factory=dict)
    searches: int = 0
    containers: dict[int, JsonObject] = field(default_factory=dict)
    slices: dict[tuple[str | int, ...], list[str]] = field(default_factory=dict)

    def take(self, versions: Sequence[StoredVersion]) -> list[JsonObject]:
        """Returns the resources of versions, each decoded once.

        Raises:
            TooCostly: the query has read more than `max_included` resources.
        """
        for version in versions:
            if version.key not in self.read:
                self.read[version.key] = self.opened(resource_in(version))
        if len(self.read) > self.parts.settings.max_included:
            raise TooCostly.of("graphql.too-many-resources", "query", most=self.parts.settings.max_included)
        return [self.read[version.key] for version in versions]

    def opened(self, resource: JsonObject) -> JsonObject:
        """Remembers whose contained resources the references of a resource mean."""
        if resource.get("contained"):
            self.containers.update({id(one): resource for one in _local_references(resource)})
        return resource

    async def one(self, type_: str, id_: str) -> JsonObject:
        """Returns a resource.

        Raises:
            NotFound, Gone: it is not there.
        """
        key = Key(ResourceType(type_), ResourceId(id_))
        return self.read.get(key) or self.take([await present(self.snapshot, key)])[0]

    async def referred(self, reference: JsonObject) -> JsonObject | None:
        """Returns what a Reference leads to, or None when it leads nowhere on this server.

        Raises:
            TooCostly: the query has read too much.
        """
        text = str(reference.get("reference", ""))
        if text.startswith("#"):
            container = self.containers.get(id(reference), {})
            contained = container.get("contained", ())
            return next((one for one in contained if one.get("id") == text[1:]), None) if text != "#" else container
        name = local_key(text, self.base)
        if name is None:
            return None
        key = Key(ResourceType(name[0]), ResourceId(name[1]))
        if key in self.read:
            return self.read[key]
        stored = await self.snapshot.read(key)
        return None if stored is None or stored.body is None else self.take([stored])[0]

    async def listed(self, type_: str, pairs: Pairs) -> list[JsonObject]:
        """Returns every match of a search, or the first `_count`.

        Raises:
            TooCostly: there are more than `max_count` and no `_count` is given.
            FhirError: the search cannot be read.
        """
        query = self.query(type_, pairs)
        is_limited = any(name == "_count" for name, _ in pairs)
        if not is_limited:
            query = replace(query, count=self.parts.settings.max_count)
        page = await self.search(query)
        if page.next is not None and not is_limited:
            raise TooCostly.of("graphql.list-too-long", type_ + "List", type=type_, most=query.count)
        return self.take(page.matches)

    async def connection(self, type_: str, pairs: Pairs, token: str | None) -> JsonObject:
        """Returns one page of a search with the number of all matches and the cursors of the pages around it.

        Raises:
            SearchValueInvalid: a cursor that is not ours.
            FhirError: the search cannot be read.
        """
        offset, cursor = 0, Cursor(self.snapshot.moment, (), ResourceId(""))
        if token is not None:
            pairs, offset, cursor = self.continued(type_, token)
        query = replace(self.query(type_, pairs), with_total=True)
        page = await self.search(query, cursor if token else None)
        size, total = len(page.matches), page.total or 0
        offset = max(0, (offset if cursor.id else total) - size) if cursor.back else offset
        begin = cursor._replace(values=(), id=ResourceId(""), back=False)
        found: JsonObject = {
            "count": total,
            "offset": offset,
            "pagesize": query.count,
            "first": self.token(type_, pairs, 0, begin),
            "last": self.token(type_, pairs, 0, begin._replace(back=True)),
            "edges": [{"mode": "match", "resource": one} for one in self.take(page.matches)],
        }
        if page.next is not None:
            found["next"] = self.token(type_, pairs, offset + size, page.next)
        if page.previous is not None:
            found["previous"] = self.token(type_, pairs, offset, page.previous)
        return found

    def token(self, type_: str, pairs: Pairs, offset: int, cursor: Cursor) -> str:
        """Returns the signed cursor of a page, which carries the search; a page that leads back ends at the offset."""
        told = "\x1f".join(part for pair in pairs for part in pair)
        token = PageToken(cursor.moment, (told, offset, *cursor.values), cursor.id, cursor.back)
        return self.parts.pages.write(token, f"{SIGNED_FOR} {type_}")

    def continued(self, type_: str, token: str) -> tuple[Pairs, int, Cursor]:
        """Returns the search, the offset and the place that a cursor stands for."""
        found = self.parts.pages.read(token, f"{SIGNED_FOR} {type_}")
        told, offset, *values = found.values
        parts = str(told).split("\x1f") if told else []
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        return pairs, int(offset or 0), Cursor(Moment(found.moment), tuple(values), ResourceId(found.id), found.back)

    def query(self, type_: str, pairs: Pairs) -> Query:
        """Returns the query of a search."""
        return parse_query(ResourceType(type_), pairs, self.parts.search_context(self.base)).query

    async def search(self, query: Query, cursor: Cursor | None = None) -> Page:
        """Returns a page of a search.

        Raises:
            TooCostly: the query has made too many.
        """
        self.searches += 1
        if self.searches > MOST_SEARCHES:
            raise TooCostly.of("graphql.too-many-searches", "query", most=MOST_SEARCHES)
        return await self.snapshot.search(query, cursor)

    def evaluate(self, expression: str, type_: str, value: Any) -> list[Any]:
        """Returns what a FHIRPath expression gives for a value of a type.

        Raises:
            InvalidRequest: it is not FHIRPath, or cannot be evaluated.
        """
        try:
            return list(fhirpath.compile_once(expression, type_).evaluate(value, budget=self.budget))
        except (fhirpath.FhirPathError, fhirpath.EvaluationError) as error:
            raise InvalidRequest(error.issue("fhirpath")) from None

    def keeps(self, expression: str, type_: str, value: Any) -> bool:
        """Tells whether a FHIRPath filter keeps a value: it gives something else than false."""
        return self.evaluate(expression, type_, value) not in ([], [False])


def _local_references(value: Any) -> Iterator[JsonObject]:
    """Yields the references to contained resources inside a value."""
    if isinstance(value, list):
        for item in value:
            yield from _local_references(item)
    elif isinstance(value, dict):
        if str(value.get("reference", "")).startswith("#"):
            yield value
        for child in value.values():
            yield from _local_references(child)


def search_pairs(arguments: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns the pairs of a search: each argument once, the values of a list joined as alternatives.

    A comma inside a value is part of the value, as GraphQL has lists for alternatives; null stands for no value.

    Raises:
        BadValue: an object, or a list without values, which would ask for everything.
    """
    found = []
    for name, given in arguments.items():
        values = given if isinstance(given, list) else [given]
        texts = [_text(name, one) for one in values if one is not None]
        if isinstance(given, list) and not texts:
            raise refused(name, "[]", "operation.expected-list")
        found.append((names[name], ",".join(texts)))
    return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        raise refused(name, str(value), "operation.expected-argument")
    return str(value) if name in _AS_WRITTEN else str(value).replace(",", "\\,")
