"""Value sets from their `compose`: listed where all members are here, else judged code by code.

See https://hl7.org/fhir/R4/valueset.html#compositions. What cannot be told has a `Gap` that says why; a gap never means
"not a member".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem, Concept, build_code_system
from fhir_server.terminology.filters import FilterTooCostly, build_filter
from fhir_server.terminology.grammars import GRAMMARS, Grammar
from fhir_server.terminology.sources import Sources


class Pair(NamedTuple):
    """A code in its system."""

    system: str
    code: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Why something cannot be told here: a key of the catalogue and its parameters."""

    key: str
    params: Mapping[str, Any]


Members: TypeAlias = Mapping[Pair, JsonObject | None]
"""The members in the order of the value set, each with what the value set itself says of it (`display`, `designation`)."""

Read: TypeAlias = dict[str, Members | Gap]
Told: TypeAlias = dict[str, bool | Gap]
"""What imported value sets gave so far, by URL: each is read once, and one that is still being read includes itself."""


class Composer:
    """Reads value sets; code systems are built once, when first asked for."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._systems: dict[str, CodeSystem] = {}

    def system(self, url: str) -> CodeSystem | None:
        """Returns a code system whose codes are listed here, at least some of them, or None.

        A version that is not loaded is the loaded one; strangers' URLs and versions leave nothing behind.
        """
        if url in self._systems:
            return self._systems[url]
        facts = self.sources.code_system(url)
        plain, _, version = url.partition("|")
        if facts is None or (version and facts["url"] != url and facts.get("version") != version):
            return None if facts is None else self.system(plain)
        self._systems[url] = build_code_system(facts, self.sources.supplements(url))
        return self._systems[url]

    def members_of(self, url: str, read: Read | None = None) -> Members | Gap:
        """Returns the members of a value set by its URL; `read` is what is known of others in the same question."""
        read = {} if read is None else read
        if url not in read:
            value_set = self.sources.value_set(url)
            if value_set is None:
                return Gap("terminology.value-set-unknown", {"url": url})
            read[url] = Gap("terminology.circular", {"url": url})
            read[url] = self.members(value_set, read)
        return read[url]

    def members(self, value_set: JsonObject, read: Read | None = None) -> Members | Gap:
        """Returns the members of a ValueSet resource; a stored expansion serves where there is no other way."""
        compose = value_set.get("compose")
        try:
            composed = self._composed(compose, {} if read is None else read) if compose else None
        except FilterTooCostly as error:
            composed = Gap("terminology.filter-too-costly", {"value": str(error)})
        except RecursionError:
            composed = Gap("terminology.circular", {"url": _name(value_set)})
        if composed is None or isinstance(composed, Gap):
            stored = stored_expansion(value_set)
            return stored if stored is not None else composed or Gap("terminology.empty", {"url": _name(value_set)})
        return composed

    def contains(self, value_set: JsonObject, pair: Pair, told: Told | None = None) -> bool | Gap:
        """Tells whether a code is in a ValueSet resource, listed or not."""
        compose = value_set.get("compose")
        found: bool | Gap = Gap("terminology.empty", {"url": _name(value_set)})
        try:
            found = self._judged(compose, pair, {} if told is None else told) if compose else found
        except FilterTooCostly as error:
            found = Gap("terminology.filter-too-costly", {"value": str(error)})
        except RecursionError:
            found = Gap("terminology.circular", {"url": _name(value_set)})
        stored = stored_expansion(value_set) if isinstance(found, Gap) else None
        return found if stored is None else pair in stored

    def _composed(self, compose: JsonObject, read: Read) -> Members | Gap:
        included = self._union(compose.get("include", ()), read)
        excluded = self._union(compose.get("exclude", ()), read)
        if isinstance(included, Gap) or isinstance(excluded, Gap):
            return included if isinstance(included, Gap) else excluded
        active_only = compose.get("inactive") is False
        return {p: c for p, c in included.items() if p not in excluded and not (active_only and self.is_inactive(p))}

    def is_inactive(self, pair: Pair) -> bool:
        """Tells whether a code is known to be out of use."""
        system = self.system(pair.system)
        concept = system.find(pair.code) if system else None
        return concept is not None and concept.is_inactive

    def _union(self, parts: Iterable[JsonObject], read: Read) -> Members | Gap:
        found: dict[Pair, JsonObject | None] = {}
        for part in parts:
            members = self._part(part, read)
            if isinstance(members, Gap):
                return members
            for pair, own in members.items():
                found[pair] = found.get(pair) or own
        return found

    def _part(self, part: JsonObject, read: Read) -> Members | Gap:
        """Returns the members of one include or exclude: those of its system that are in all of its value sets."""
        sets = [self._of_system(part)] if "system" in part else []
        sets += [self.members_of(url, read) for url in part.get("valueSet", ())]
        known: list[Members] = []
        for one in sets:
            if isinstance(one, Gap):
                return one
            known.append(one)
        if not known:
            return Gap("terminology.empty", {"url": "include"})
        return {pair: own for pair, own in known[0].items() if all(pair in other for other in known[1:])}

    def _of_system(self, part: JsonObject) -> Members | Gap:
        url = part["system"]
        if "concept" in part:
            return {Pair(url, one["code"]): one for one in part["concept"]}
        system = self.system(_versioned(part))
        if system is None or not system.is_complete:
            return self._unlisted(url, system)
        passes = build_filter(system, part.get("filter", ()))
        if isinstance(passes, dict):
            return _filter_gap(url, passes)
        return {Pair(url, concept.code): None for concept in system.concepts.values() if passes(concept)}

    def _unlisted(self, url: str, system: CodeSystem | None) -> Gap:
        if url in GRAMMARS:
            return Gap("terminology.system-endless", {"system": url})
        if system is None:
            return Gap("terminology.system-unknown", {"system": url})
        return Gap("terminology.system-incomplete", {"system": url, "content": system.facts.get("content")})

    def _judged(self, compose: JsonObject, pair: Pair, told: Told) -> bool | Gap:
        included = _any(self._has(part, pair, told) for part in compose.get("include", ()))
        if included is False:
            return False
        excluded = _any(self._has(part, pair, told) for part in compose.get("exclude", ()))
        if excluded is True or (compose.get("inactive") is False and self.is_inactive(pair)):
            return False
        return excluded if isinstance(excluded, Gap) else included

    def _has(self, part: JsonObject, pair: Pair, told: Told) -> bool | Gap:
        """Tells whether an include or exclude has a code: a single "no" of its parts is enough."""
        answers = [self._system_has(part, pair)] if "system" in part else []
        answers += [self._set_has(url, pair, told) for url in part.get("valueSet", ())]
        if False in answers or not answers:
            return False
        return next((one for one in answers if isinstance(one, Gap)), True)

    def _set_has(self, url: str, pair: Pair, told: Told) -> bool | Gap:
        if url not in told:
            value_set = self.sources.value_set(url)
            if value_set is None:
                return Gap("terminology.value-set-unknown", {"url": url})
            told[url] = Gap("terminology.circular", {"url": url})
            told[url] = self.contains(value_set, pair, told)
        return told[url]

    def _system_has(self, part: JsonObject, pair: Pair) -> bool | Gap:
        url = part["system"]
        if url != pair.system:
            return False
        grammar = GRAMMARS.get(url)
        system = None if grammar else self.system(_versioned(part))
        if "concept" in part:
            return any(_same(system, one["code"], pair.code) for one in part["concept"])
        if grammar is not None:
            return _grammar_has(grammar, part, pair.code)
        concept = system.find(pair.code) if system else None
        if system is None or concept is None:
            return False if system and system.is_complete else self._unlisted(url, system)
        return _passes(system, part, concept)


def _passes(system: CodeSystem, part: JsonObject, concept: Concept) -> bool | Gap:
    passes = build_filter(system, part.get("filter", ()))
    return _filter_gap(system.url, passes) if isinstance(passes, dict) else passes(concept)


def _grammar_has(grammar: Grammar, part: JsonObject, code: str) -> bool | Gap:
    if not grammar.is_code(code):
        return False
    passes = grammar.passes(code, part.get("filter", []))
    return _filter_gap(grammar.url, passes) if isinstance(passes, dict) else passes


def _same(system: CodeSystem | None, listed: str, code: str) -> bool:
    if listed == code:
        return True
    return system is not None and system.facts.get("caseSensitive") is False and listed.casefold() == code.casefold()


def _versioned(part: JsonObject) -> str:
    return f"{part['system']}|{part['version']}" if "version" in part else str(part["system"])


def _filter_gap(system: str, one: JsonObject) -> Gap:
    told = {name: one.get(name) for name in ("property", "op", "value")}
    return Gap("terminology.filter-unknown", {"system": system, **told})


def _name(value_set: JsonObject) -> str:
    return str(value_set.get("url") or value_set.get("id") or "ValueSet")


def _any(answers: Iterable[bool | Gap]) -> bool | Gap:
    """Returns True when one answer is, a gap when there is one, else False."""
    gap: Gap | None = None
    for one in answers:
        if one is True:
            return True
        gap = one if isinstance(one, Gap) else gap
    return gap if gap is not None else False


def stored_expansion(value_set: JsonObject) -> Members | None:
    """Returns the members of the expansion that a ValueSet carries, or None when it carries none or only a page of one."""
    expansion = value_set.get("expansion")
    if not expansion or expansion.get("offset"):
        return None
    found: dict[Pair, JsonObject | None] = {}
    _collect(expansion.get("contains", ()), found.__setitem__)
    total = expansion.get("total")
    return None if isinstance(total, int) and total > len(found) else found


def _collect(contains: Iterable[JsonObject], put: Callable[[Pair, JsonObject], None]) -> None:
    for one in contains:
        if "code" in one and "system" in one and not one.get("abstract"):
            put(Pair(one["system"], one["code"]), one)
        _collect(one.get("contains", ()), put)
