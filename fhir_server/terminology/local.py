"""What this server itself knows about codes, https://hl7.org/fhir/R4/terminology-service.html.

What needs a code system that is not wholly here (SNOMED CT, LOINC) is not known: None means "not known here", never
"not a member". UCUM, MIME types and language tags cannot be listed, and are judged code by code.
"""

from typing import TypeAlias

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem, Concept
from fhir_server.terminology.compose import Composer, Gap, Members, Pair, Versions
from fhir_server.terminology.grammars import GRAMMARS
from fhir_server.terminology.sources import Sources

Codes: TypeAlias = frozenset[tuple[str, str]]
"""(system, code) pairs."""

MAX_REMEMBERED = 5_000
"""Most value sets by URL that answers are kept of: strangers' URLs must not fill the memory."""


class LocalTerminology:
    """Answers from the code systems and value sets of one `Definitions`; what is asked often is computed once."""

    def __init__(self, definitions: Definitions) -> None:
        self.sources = Sources(definitions)
        self.composer = Composer(self.sources)
        self._expansions: dict[str, Codes | None] = {}
        self._open_sets: dict[str, JsonObject | None] = {}

    def expand(self, url: str) -> Codes | None:
        """Returns the members of a value set (`|version` prefers that version), or None when they cannot all be listed."""
        if url not in self._expansions:
            if len(self._expansions) >= MAX_REMEMBERED:
                self._expansions.clear()
            members = self.composer.members_of(url)
            codes = None if isinstance(members, Gap) or not members else frozenset(members)
            plain = self._expansions.get(url.partition("|")[0])
            self._expansions[url] = plain if plain == codes else codes  # one copy where the version makes no difference
        return self._expansions[url]

    def validate(self, url: str, system: str | None, code: str) -> bool | None:
        """Tells whether a code is in a value set; None when that is not known here.

        Without a system any member with this code counts.
        """
        codes = self.expand(url)
        if codes is not None and system is not None and (system, code) in codes:
            return True
        if codes is not None and system is None:
            return any(code == one for _, one in codes) or any(self.is_same(*pair, code) for pair in codes)
        if codes is not None and not self._folds(system):
            return False
        value_set = self._open_set(url)
        found = None if value_set is None else self.contains(value_set, system, code)
        return found if isinstance(found, bool) else None

    def _open_set(self, url: str) -> JsonObject | None:
        if url not in self._open_sets:
            if len(self._open_sets) >= MAX_REMEMBERED:
                self._open_sets.clear()
            self._open_sets[url] = self.sources.value_set(url)
        return self._open_sets[url]

    def _folds(self, system: str | None) -> bool:
        known = self.system(system) if system else None
        return known is not None and known.facts.get("caseSensitive") is False

    def is_same(self, system: str, code: str, other: str) -> bool:
        """Tells whether two codes are one: case does not count where the system says so."""
        return code == other or (code.casefold() == other.casefold() and self._folds(system))

    def contains(self, value_set: JsonObject, system: str | None, code: str) -> bool | Gap:
        """Tells whether a code is in a ValueSet resource, or why that cannot be told.

        Without a system, the systems that the value set names are tried in their order.
        """
        found = self.find(value_set, system, code)
        return found if isinstance(found, Gap) else found is not None

    def find(
        self, value_set: JsonObject, system: str | None, code: str, version: str | None = None
    ) -> Pair | Gap | None:
        """Returns the member of a ValueSet resource that a code stands for, None where there is none, or why that cannot be told.

        `version` is that of the system, and counts where the value set names none.
        """
        if system is not None:
            found = self.composer.contains(value_set, Pair(system, code), version=version)
            return found if isinstance(found, Gap) else Pair(system, code) if found else None
        members = self.composer.members(value_set)
        if not isinstance(members, Gap):
            return next((pair for pair in members if self.is_same(*pair, code)), None)
        pairs = [Pair(url, code) for url in self.systems_of(value_set)]
        answers = [self.composer.contains(value_set, pair) for pair in pairs]
        if True in answers:
            return pairs[answers.index(True)]
        return next((one for one in answers if isinstance(one, Gap)), None) if answers else members

    def own_of(self, value_set: JsonObject, pair: Pair, version: str | None = None) -> JsonObject | None:
        """Returns what the value set itself, or one that it imports, says of one of its codes; `version` as for `find`."""
        waiting, seen, named = [value_set], set[str](), None
        while waiting:
            for part in waiting.pop(0).get("compose", {}).get("include", ()):
                own = self.composer.own_in(part, pair, version)
                if own is not None and "code" in own:
                    return own
                named = named or own
                new = [url for url in part.get("valueSet", ()) if url not in seen]
                seen.update(new)
                waiting += [found for found in map(self.sources.value_set, new) if found is not None]
        return named

    def systems_of(self, value_set: JsonObject) -> tuple[str, ...]:
        """Returns the code systems that a ValueSet resource includes codes of, in its order, those of imports last."""
        found: dict[str, None] = {}
        waiting, seen = [value_set], set[str]()
        while waiting:
            for part in waiting.pop(0).get("compose", {}).get("include", ()):
                found.update({part["system"]: None} if "system" in part else {})
                new = [url for url in part.get("valueSet", ()) if url not in seen]
                seen.update(new)
                waiting += [one for one in map(self.sources.value_set, new) if one is not None]
        return tuple(found)

    def members(self, value_set: JsonObject, versions: Versions | None = None) -> Members | Gap:
        """Returns the members of a ValueSet resource in its order, or why they cannot be listed."""
        return (self.composer.pinned(versions) if versions is not None else self.composer).members(value_set)

    def display(self, system: str, code: str) -> str | None:
        """Returns the display of a code, or None when the system or the code is not known here."""
        grammar = GRAMMARS.get(system)
        if grammar is not None:
            return grammar.display(code, None)
        concept = self.concept(system, code)
        return concept.display if concept else None

    def concept(self, system: str, code: str) -> Concept | None:
        """Returns a concept of a code system that is listed here, or None."""
        known = self.system(system)
        return known.find(code) if known else None

    def system(self, url: str) -> CodeSystem | None:
        """Returns a code system that lists at least some of its codes, or None."""
        return self.composer.system(url)

    def knows(self, system: str) -> bool:
        """Tells whether codes of a system can be judged here: it is listed, wholly or in part, or has a grammar."""
        known = self.system(system)
        return system in GRAMMARS or (known is not None and bool(known.concepts))
