"""`_include` and `_revinclude`: what the matches refer to, or what refers to them.

https://hl7.org/fhir/R4/search.html#include
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fhir_server import fhirpath
from fhir_server.errors import TooCostly
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.search.aliases import Alias, find_alias
from fhir_server.search.includes import Include
from fhir_server.search.query import AnyOf, KeyIs, Query, SortBy, SortKey
from fhir_server.store.contract import Key, Snapshot, StoredVersion


async def included(
    parts: Parts, snapshot: Snapshot, includes: Sequence[Include], matches: Sequence[StoredVersion], base: str
) -> list[StoredVersion]:
    """Returns the resources that the includes add, each once, none that is a match already.

    Includes that iterate go on from what was added until nothing new comes.

    Raises:
        TooCostly: more than the `max_included` setting; nothing is cut off silently.
    """
    walk = _Walk(parts, snapshot, base, {m.key for m in matches})
    fresh = await walk.step(includes, matches)
    again = [include for include in includes if include.iterate]
    while fresh and again:
        fresh = await walk.step(again, fresh)
    return walk.added


@dataclass(slots=True)
class _Walk:
    """What has been added so far, on one snapshot."""

    parts: Parts
    snapshot: Snapshot
    base: str
    seen: set[Key]
    added: list[StoredVersion] = field(default_factory=list)

    async def step(self, includes: Sequence[Include], sources: Sequence[StoredVersion]) -> list[StoredVersion]:
        """Adds what the includes find from the sources, and returns what of it is new."""
        new: list[StoredVersion] = []
        bodies = _Bodies(sources)
        for include in includes:
            found = await (self._reverse(include, sources) if include.reverse else self._forward(include, bodies))
            fresh = [v for v in found if v.key not in self.seen and v.body is not None]
            self.seen.update(v.key for v in fresh)
            new += fresh
            self.added += fresh
            self._refuse_too_many()
        return new

    def _refuse_too_many(self) -> None:
        most = self.parts.settings.max_included
        if len(self.added) > most:
            raise TooCostly.of("search.include-too-many", "_include", most=most)

    async def _forward(self, include: Include, bodies: "_Bodies") -> Sequence[StoredVersion]:
        wanted = dict.fromkeys(
            key
            for resource in bodies.of_type.get(include.source, ())
            for key in self._targets(include, resource)
            if include.target in (None, key.type)
        )
        return await self.snapshot.read_many([key for key in wanted if key not in self.seen])

    def _targets(self, include: Include, resource: JsonObject) -> Iterable[Key]:
        parameter = self.parts.support(include.source).search[include.parameter]
        expression = fhirpath.compile(parameter.expression, include.source)
        for value, _ in expression.nodes(resource):
            text = value.get("reference") if isinstance(value, dict) else value
            key = local_key(text, self.base) if isinstance(text, str) else None
            if key is not None and ResourceType(key[0]) in self.parts.definitions.resources:
                yield Key(ResourceType(key[0]), ResourceId(key[1]))

    async def _reverse(self, include: Include, sources: Sequence[StoredVersion]) -> Sequence[StoredVersion]:
        support = self.parts.support(include.source)
        parameter = support.search[include.parameter]
        alias = find_alias(parameter, support) or Alias((include.parameter,))
        reachable = [t for t in (include.target, ResourceType(alias.only)) if t]
        wanted = [s.key for s in sources if all(s.key.type == type_ for type_ in reachable)]
        wanted = [key for key in wanted if not parameter.targets or key.type in parameter.targets]
        if not wanted:
            return []
        clause = AnyOf(tuple(KeyIs(code, str(key)) for key in wanted for code in alias.codes))
        count = self.parts.settings.max_included + 1
        query = Query(include.source, (clause,), (SortKey(SortBy.ID),), count=count)
        return (await self.snapshot.search(query)).matches


@dataclass(frozen=True)
class _Bodies:
    """The resources of some versions, read when an include first asks for them."""

    versions: Sequence[StoredVersion]

    @cached_property
    def of_type(self) -> Mapping[ResourceType, list[JsonObject]]:
        """The resources by type."""
        found: dict[ResourceType, list[JsonObject]] = {}
        for version in self.versions:
            if version.body is not None:
                found.setdefault(version.key.type, []).append(decode(version.body))
        return found
