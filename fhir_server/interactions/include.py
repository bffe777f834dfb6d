"""`_include` and `_revinclude`: what the matches refer to or name by canonical URL, or what does so of them.

https://hl7.org/fhir/R4/search.html#include
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fhir_server import fhirpath
from fhir_server.errors import TooCostly
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.search.aliases import Alias, find_alias
from fhir_server.search.canonicals import named_clause, names_by_url, without_fragment
from fhir_server.search.includes import Include
from fhir_server.search.query import AnyOf, Clause, KeyIs, Query, SortBy, SortKey
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
        values = [
            pair for resource in bodies.of_type.get(include.source, ()) for pair in self._values(include, resource)
        ]
        keys = (self._key(text) for text, _ in values)
        wanted = dict.fromkeys(key for key in keys if key is not None and include.target in (None, key.type))
        found = await self.snapshot.read_many([key for key in wanted if key not in self.seen])
        canonicals = {text for text, type_ in values if type_ == "canonical"}
        return [*found, *await self._named(include, canonicals)] if canonicals else found

    def _values(self, include: Include, resource: JsonObject) -> Iterable[tuple[str, str]]:
        """Yields the references and canonicals of an include's parameter, with their types."""
        parameter = self.parts.support(include.source).search[include.parameter]
        for value, type_ in fhirpath.compile(parameter.expression, include.source).nodes(resource):
            text = value.get("reference") if isinstance(value, dict) else value
            if isinstance(text, str):
                yield text, type_

    def _key(self, text: str) -> Key | None:
        local = local_key(text, self.base)
        is_known = local is not None and ResourceType(local[0]) in self.parts.definitions.resources
        return Key(ResourceType(local[0]), ResourceId(local[1])) if local is not None and is_known else None

    async def _named(self, include: Include, canonicals: Collection[str]) -> list[StoredVersion]:
        """Returns what canonicals name: every resource of that URL, or of that URL and version."""
        clause = AnyOf(tuple(named_clause(text) for text in sorted(canonicals)))
        targets = self.parts.support(include.source).search[include.parameter].targets
        types = [include.target] if include.target else [t for t in targets if t in self.parts.definitions.resources]
        known = [type_ for type_ in types if "url" in self.parts.support(type_).search]
        return [version for type_ in known for version in await self._matches(type_, clause)]

    async def _matches(self, type_: ResourceType, clause: Clause) -> Sequence[StoredVersion]:
        count = self.parts.settings.max_included + 1
        return (await self.snapshot.search(Query(type_, (clause,), (SortKey(SortBy.ID),), count=count))).matches

    async def _naming(self, include: Include, sources: Sequence[StoredVersion]) -> list[StoredVersion]:
        """Returns the resources whose canonical names one of the sources, its version if it says one."""
        names: set[str] = set()
        for resource in (one for each in _Bodies(sources).of_type.values() for one in each if "url" in one):
            names |= {str(resource["url"]), f"{resource['url']}|{resource.get('version')}"}
        clause = AnyOf(tuple(KeyIs(include.parameter, name) for name in sorted(names)))
        found = await self._matches(include.source, clause) if names else ()
        return [version for version in found if self._names(include, version) & names]

    def _names(self, include: Include, version: StoredVersion) -> set[str]:
        return {without_fragment(text) for text, _ in self._values(include, decode(version.body or b""))}

    async def _reverse(self, include: Include, sources: Sequence[StoredVersion]) -> Sequence[StoredVersion]:
        support = self.parts.support(include.source)
        parameter = support.search[include.parameter]
        alias = find_alias(parameter, support) or Alias((include.parameter,))
        reachable = [t for t in (include.target, ResourceType(alias.only)) if t]
        wanted = [s.key for s in sources if all(s.key.type == type_ for type_ in reachable)]
        wanted = [key for key in wanted if not parameter.targets or key.type in parameter.targets]
        if not wanted:
            return []
        if names_by_url(parameter, include.source):
            return await self._naming(include, [source for source in sources if source.key in wanted])
        return await self._matches(
            include.source, AnyOf(tuple(KeyIs(code, str(key)) for key in wanted for code in alias.codes))
        )


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
