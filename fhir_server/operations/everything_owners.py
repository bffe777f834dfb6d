"""Whose compartments `$everything` tells: one owner's, those of all patients, or those of the patients of a Group.

See https://hl7.org/fhir/R4/group-operation-everything.html.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_server.errors import TooCostly
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import JsonObject, Moment, ResourceId, ResourceType
from fhir_server.operations.call import resource_in
from fhir_server.operations.everything_places import Limits, Place, ids_query
from fhir_server.search.query import IdIs, Query, SortBy, SortKey
from fhir_server.store.contract import Cursor, Key, Snapshot

STRETCH = 500
"""Members of a group that are looked up at a time."""
MOST_GROUPS = 100
"""Groups inside of groups that are followed."""
_PATIENT = ResourceType("Patient")


@dataclass(frozen=True, slots=True)
class Owners:
    """The patients whose compartments follow one another, by id; without `ids` all that are stored."""

    snapshot: Snapshot
    moment: Moment
    ids: tuple[str, ...] | None = None

    async def after(self, id_: str) -> Place | None:
        """Returns where the compartment of the next patient begins."""
        if self.ids is None:
            return await self._first(None, id_)
        left = [one for one in self.ids if one > id_]
        for start in range(0, len(left), STRETCH):
            found = await self._first(tuple(left[start : start + STRETCH]), "")
            if found is not None:
                return found
        return None

    async def _first(self, ids: tuple[str, ...] | None, after: str) -> Place | None:
        where = () if ids is None else (IdIs(ids),)
        query = Query(_PATIENT, where, (SortKey(SortBy.ID),), count=1)
        page = await self.snapshot.search(query, Cursor(self.moment, (after,), ResourceId(after)))
        return Place(str(page.matches[0].key)) if page.matches else None


async def patients_of(snapshot: Snapshot, moment: Moment, group: Key, base: str) -> tuple[str, ...]:
    """Returns the ids of the patients in a Group as of a moment, sorted, those of the groups in it included.

    Who left the group (`inactive`) does not count.

    Raises:
        TooCostly: too many groups are in it.
    """
    found: set[str] = set()
    seen, waiting = {group}, [group]
    while waiting:
        query = ids_query(group.type, tuple(one.id for one in waiting), Limits())
        page = await snapshot.search(query, Cursor(moment, ("",), ResourceId("")))
        named = {name for version in page.matches for name in _members(resource_in(version), base)}
        found.update(id_ for type_, id_ in named if type_ == _PATIENT)
        waiting = [
            one for one in (Key(group.type, ResourceId(i)) for t, i in named if t == group.type) if one not in seen
        ]
        seen.update(waiting)
        if len(seen) > MOST_GROUPS:
            raise TooCostly.of("operation.too-many-groups", owner=str(group), most=MOST_GROUPS)
    return tuple(sorted(found))


def _members(group: JsonObject, base: str) -> Iterator[tuple[str, str]]:
    for member in group.get("member", ()):
        name = local_key(str(member.get("entity", {}).get("reference", "")), base)
        if name is not None and member.get("inactive") is not True:
            yield name[0], name[1]
