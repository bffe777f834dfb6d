"""An expansion: the members that were asked for, a page of them, flat or as a tree.

See https://hl7.org/fhir/R4/valueset-operation-expand.html.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.compose import Members, Pair
from fhir_server.terminology.local import LocalTerminology
from fhir_server.terminology.naming import Named, display_of, folded, matches, others_of

_BCP_47 = "urn:ietf:bcp:47"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asked of an expansion.

    `offset` and `count` are members; `languages` go most wanted first; `designations` are `system|code` tokens of
    languages or uses, empty for all; `exclude_systems` are URLs, with or without `|version`.
    """

    text: str = ""
    offset: int = 0
    count: int | None = None
    languages: tuple[str, ...] = ()
    with_designations: bool = False
    designations: tuple[str, ...] = ()
    active_only: bool = False
    for_ui: bool = False
    nested: bool = True
    exclude_systems: tuple[str, ...] = ()

    @property
    def is_paged(self) -> bool:
        """Whether only a page is wanted; such an expansion is flat."""
        return self.offset > 0 or self.count is not None


class Expanded(NamedTuple):
    """`total` members passed; `contains` is the page as R4 writes it; `systems` are `url|version` of the systems used."""

    total: int
    contains: list[JsonObject]
    systems: tuple[str, ...]


class _Row(NamedTuple):
    pair: Pair
    named: Named


def expansion_of(local: LocalTerminology, members: Members, wanted: Wanted) -> Expanded:
    """Returns what was asked for of the members of a value set, in the value set's order."""
    words = folded(wanted.text).split()
    rows = [row for row in _rows(local, members) if _is_wanted(row, wanted, words)]
    end = None if wanted.count is None else wanted.offset + wanted.count
    page = rows[wanted.offset : end]
    entries = {row.pair: _entry(row, wanted) for row in page}
    nest = wanted.nested and not wanted.is_paged and not words
    contains = _nested(page, entries) if nest else list(entries.values())
    return Expanded(len(rows), contains, _used(local, members))


def _rows(local: LocalTerminology, members: Members) -> Iterable[_Row]:
    for pair, own in members.items():
        system = local.composer.system_of(pair, own)
        concept = system.find(pair.code) if system else None
        yield _Row(pair, Named(concept, own, system.language if system else None))


def _is_wanted(row: _Row, wanted: Wanted, words: Sequence[str]) -> bool:
    concept = row.named.concept
    if row.pair.system in {url.partition("|")[0] for url in wanted.exclude_systems}:
        return False
    if concept is not None and (
        (wanted.active_only and concept.is_inactive) or (wanted.for_ui and concept.is_abstract)
    ):
        return False
    return not words or matches(words, row.pair.code, row.named)


def _entry(row: _Row, wanted: Wanted) -> JsonObject:
    concept, display = row.named.concept, display_of(row.named, wanted.languages)
    flags = {"abstract": concept.is_abstract, "inactive": concept.is_inactive} if concept else {}
    entry: JsonObject = {"system": row.pair.system, **{name: True for name, is_so in flags.items() if is_so}}
    if row.named.own and "version" in row.named.own:
        entry["version"] = row.named.own["version"]
    entry["code"] = row.pair.code
    if display is not None:
        entry["display"] = display
    told = _designations(row.named, display, wanted)
    return {**entry, "designation": told} if told else entry


def _designations(named: Named, display: str | None, wanted: Wanted) -> list[JsonObject]:
    if not wanted.with_designations and not wanted.designations:
        return []
    return [one for one in others_of(named, display) if not wanted.designations or _has_token(one, wanted.designations)]


def _has_token(designation: JsonObject, tokens: Iterable[str]) -> bool:
    use = designation.get("use", {})
    own = {f"{_BCP_47}|{designation.get('language')}", f"{use.get('system')}|{use.get('code')}"}
    return not own.isdisjoint(tokens)


def _nested(rows: Sequence[_Row], entries: Mapping[Pair, JsonObject]) -> list[JsonObject]:
    """Hangs each member below the first of its parents that is a member too; a circle stays at the top."""
    top: list[JsonObject] = []
    above: dict[Pair, Pair] = {}
    for row in rows:
        parent = _parent(row, entries)
        if parent is None or _leads_to(parent, row.pair, above):
            top.append(entries[row.pair])
        else:
            above[row.pair] = parent
            entries[parent].setdefault("contains", []).append(entries[row.pair])
    return top


def _parent(row: _Row, entries: Mapping[Pair, JsonObject]) -> Pair | None:
    parents = row.named.concept.parents if row.named.concept else ()
    pairs = (Pair(row.pair.system, code) for code in parents)
    return next((pair for pair in pairs if pair in entries), None)


def _leads_to(pair: Pair, target: Pair, above: Mapping[Pair, Pair]) -> bool:
    step: Pair | None = pair
    while step is not None and step != target:
        step = above.get(step)
    return step is not None


def _used(local: LocalTerminology, members: Members) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for pair, own in members.items():
        system, url = local.composer.system_of(pair, own), pair.system
        if system is not None:
            found[f"{url}|{system.version}" if system.version else url] = None
            found.update(dict.fromkeys(system.supplements))
    return tuple(found)
