"""The order in which `$everything` tells a compartment, and a place in it, https://hl7.org/fhir/R4/compartmentdefinition.html."""

from dataclasses import dataclass

from fhir_server.definitions.registry import ResourceSupport
from fhir_server.fhir.dates import Range
from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.search.aliases import Alias, find_alias
from fhir_server.search.offered import find_offered
from fhir_server.search.query import (
    AnyOf,
    Clause,
    HasRange,
    IdIs,
    KeyIs,
    Not,
    Query,
    RangeOp,
    RangeTest,
    SortBy,
    SortKey,
    UpdatedTest,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: in which compartment, in which section of it, after which id or key."""

    owner: str
    section: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The resources of one type in a compartment; without `codes` the owner itself. `care` is its care date, if any."""

    type: ResourceType
    codes: tuple[str, ...]
    care: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What of a compartment is wanted: types (none given: all), changed since (microseconds), date of care."""

    types: frozenset[str] = frozenset()
    since: int | None = None
    care: Range | None = None

    def wants(self, type_: str) -> bool:
        """Tells whether resources of a type are wanted."""
        return not self.types or type_ in self.types


def sections_of(parts: Parts, owner: ResourceType) -> tuple[Section, ...]:
    """Returns the sections of a compartment: the owner, then every other stored type in it, by name."""
    members = parts.definitions.compartment(owner)
    known = parts.definitions.resources
    others = [(type_, _codes(known[type_], members[type_], owner)) for type_ in sorted(members) if type_ in known]
    of_others = (Section(t, codes, known[t].sort_date) for t, codes in others if codes and t != owner)
    return (Section(owner, (), known[owner].sort_date), *of_others)


def _codes(support: ResourceSupport, codes: tuple[str, ...], owner: ResourceType) -> tuple[str, ...]:
    """Returns the parameters that file the membership; an alias files none of its own."""
    found: dict[str, None] = {}
    for code in codes:
        parameter = find_offered(code, support)
        if parameter is not None:
            alias = find_alias(parameter, support) or Alias((code,))
            found.update(dict.fromkeys(alias.codes if alias.only in ("", owner) else ()))
    return tuple(found)


def query_of(section: Section, owner: str, limits: Limits, count: int) -> Query:
    """Returns the query of one section of the compartment of `owner`, an id of the first section's type."""
    where = (_membership(section, owner), *_changed(limits.since), *_cared(section, limits.care))
    return Query(section.type, where, (SortKey(SortBy.ID),), count=count)


def ids_query(type_: ResourceType, ids: tuple[str, ...], limits: Limits) -> Query:
    """Returns the query of all resources with these ids that changed since the asked instant."""
    return Query(type_, (IdIs(ids), *_changed(limits.since)), (SortKey(SortBy.ID),), count=len(ids))


def _membership(section: Section, owner: str) -> Clause:
    key, id_ = owner, owner.partition("/")[2]
    return AnyOf(tuple(KeyIs(code, key) for code in section.codes)) if section.codes else IdIs((id_,))


def _changed(since: int | None) -> tuple[Clause, ...]:
    return () if since is None else (UpdatedTest(RangeOp.GE, since, since + 1),)


def _cared(section: Section, care: Range | None) -> tuple[Clause, ...]:
    """A resource whose date of care is not known stays: nobody could say that it lies outside."""
    if care is None or section.care is None or not section.codes:
        return ()
    inside = RangeTest(section.care, RangeOp.AP, care.low, care.high)
    return (AnyOf((inside, Not(HasRange(section.care)))),)
