"""Value sets from their `compose`: listed where all members are here, else judged code by code.

See https://hl7.org/fhir/R4/valueset.html#compositions. What cannot be told has a `Gap` that says why; a gap never means
"not a member".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
"""The members in their order, each with what the value set itself says of it: `version` of its system, `display`, `designation`."""

Read: TypeAlias = dict[str, Members | Gap]
Told: TypeAlias = dict[str, bool | Gap]
"""What imported value sets gave so far, by URL: each is read once, and one that is still being read includes itself."""


class Versions(NamedTuple):
    """Versions of code systems by URL: `wanted` where a value set names none, `forced` whatever it names.

    `with_fragments` takes what is here of a system that has more codes.
    """

    wanted: Mapping[str, str] = MappingProxyType({})
    forced: Mapping[str, str] = MappingProxyType({})
    with_fragments: bool = False

    def of(self, part: JsonObject, asked: str | None = None) -> str | None:
        """Returns the version of the system of an include; `asked` is the one that comes with the code in question."""
        url = part["system"]
        return self.forced.get(url) or part.get("version") or asked or self.wanted.get(url)


_ANY = Versions()


class _Question(NamedTuple):
    """A code whose membership is asked, what imports told so far, and the version that the code comes with."""

    pair: Pair
    told: Told
    version: str | None


class Composer:
    """Reads value sets; code systems are built once, when first asked for."""

    def __init__(
        self, sources: Sources, versions: Versions = _ANY, systems: dict[str, CodeSystem] | None = None
    ) -> None:
        self.sources = sources
        self.versions = versions
        self._systems = {} if systems is None else systems

    def pinned(self, versions: Versions) -> "Composer":
        """Returns a composer that takes these versions of code systems."""
        return Composer(self.sources, versions, self._systems)

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

    def contains(
        self, value_set: JsonObject, pair: Pair, told: Told | None = None, version: str | None = None
    ) -> bool | Gap:
        """Tells whether a code is in a ValueSet resource, listed or not; `version` counts where the value set names none."""
        compose = value_set.get("compose")
        found: bool | Gap = Gap("terminology.empty", {"url": _name(value_set)})
        try:
            found = self._judged(compose, _Question(pair, {} if told is None else told, version)) if compose else found
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
        return {
            p: own
            for p, own in included.items()
            if p not in excluded and not (active_only and self.is_inactive(p, own))
        }

    def is_inactive(self, pair: Pair, own: JsonObject | None = None) -> bool:
        """Tells whether a code is known to be out of use."""
        system = self.system_of(pair, own)
        concept = system.find(pair.code) if system else None
        return concept is not None and concept.is_inactive

    def system_of(self, pair: Pair, own: JsonObject | None = None) -> CodeSystem | None:
        """Returns the code system of a member, in the version that the value set takes it from."""
        version = (own or {}).get("version")
        return self.system(f"{pair.system}|{version}" if version else pair.system)

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
        url, system = part["system"], self._system_in(part)
        from_ = self._from(part, system)
        if "concept" in part:
            return {Pair(url, one["code"]): one | from_ for one in part["concept"] if _may_be(system, one["code"])}
        if system is None or not (system.is_complete or (self.versions.with_fragments and system.is_fragment)):
            return self._unlisted(url, system)
        passes = build_filter(system, part.get("filter", ()))
        if isinstance(passes, dict):
            return _filter_gap(url, passes)
        return {Pair(url, concept.code): from_ or None for concept in system.concepts.values() if passes(concept)}

    def _system_in(self, part: JsonObject, asked: str | None = None) -> CodeSystem | None:
        url, version = part["system"], self.versions.of(part, asked)
        return self.system(f"{url}|{version}" if version else url)

    def _from(self, part: JsonObject, system: CodeSystem | None, asked: str | None = None) -> JsonObject:
        """Returns which version the codes of an include are of, if one is named: the one that there is."""
        named = self.versions.of(part, asked)
        version = (system.version if system else named) if named else None
        return {"version": version} if version else {}

    def own_in(self, part: JsonObject, pair: Pair, version: str | None = None) -> JsonObject | None:
        """Returns what an include itself says of a code; None if it is not there by its system, but perhaps by an import."""
        if part.get("system") != pair.system or self._system_has(part, _Question(pair, {}, version)) is not True:
            return None
        system = self._system_in(part, version)
        own: JsonObject = next((one for one in part.get("concept", ()) if _same(system, one["code"], pair.code)), {})
        return {**own, **self._from(part, system, version)}

    def _unlisted(self, url: str, system: CodeSystem | None) -> Gap:
        if url in GRAMMARS:
            return Gap("terminology.system-endless", {"system": url})
        if system is None:
            return Gap("terminology.system-unknown", {"system": url})
        return Gap("terminology.system-incomplete", {"system": url, "content": system.facts.get("content")})

    def _judged(self, compose: JsonObject, asked: _Question) -> bool | Gap:
        included = _any(self._has(part, asked) for part in compose.get("include", ()))
        if included is False:
            return False
        excluded = _any(self._has(part, asked) for part in compose.get("exclude", ()))
        if excluded is True or (compose.get("inactive") is False and self._is_out(compose, asked)):
            return False
        return excluded if isinstance(excluded, Gap) else included

    def _is_out(self, compose: JsonObject, asked: _Question) -> bool:
        """Tells whether the code is inactive where the value set takes it from; imports take theirs as they are."""
        owns = (self.own_in(part, asked.pair, asked.version) for part in compose.get("include", ()))
        own = next((own for own in owns if own is not None), None)
        return self.is_inactive(asked.pair, own)

    def _has(self, part: JsonObject, asked: _Question) -> bool | Gap:
        """Tells whether an include or exclude has a code: a single "no" of its parts is enough."""
        answers = [self._system_has(part, asked)] if "system" in part else []
        answers += [self._set_has(url, asked) for url in part.get("valueSet", ())]
        if False in answers or not answers:
            return False
        return next((one for one in answers if isinstance(one, Gap)), True)

    def _set_has(self, url: str, asked: _Question) -> bool | Gap:
        told = asked.told
        if url not in told:
            value_set = self.sources.value_set(url)
            if value_set is None:
                return Gap("terminology.value-set-unknown", {"url": url})
            told[url] = Gap("terminology.circular", {"url": url})
            told[url] = self.contains(value_set, asked.pair, told, asked.version)
        return told[url]

    def _system_has(self, part: JsonObject, asked: _Question) -> bool | Gap:
        url, code = part["system"], asked.pair.code
        if url != asked.pair.system:
            return False
        grammar = GRAMMARS.get(url)
        system = None if grammar else self._system_in(part, asked.version)
        if "concept" in part:
            return _may_be(system, code) and any(_same(system, one["code"], code) for one in part["concept"])
        if grammar is not None:
            return _grammar_has(grammar, part, code)
        concept = system.find(code) if system else None
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


def _may_be(system: CodeSystem | None, code: str) -> bool:
    """A listed code that its system, wholly here, does not have is no member: the expansion checks that codes are valid."""
    return system is None or not system.is_complete or system.find(code) is not None


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
