"""Value sets expanded from the code systems at hand, https://hl7.org/fhir/R4/valueset.html#expansion.

What needs a code system that is not wholly here (SNOMED CT, LOINC, UCUM, MIME types) has no expansion: None means
"not known here", never "not a member".
"""

from collections.abc import Iterable
from typing import TypeAlias

from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem, build_code_system
from fhir_server.terminology.filters import filtered

Codes: TypeAlias = frozenset[tuple[str, str]]
"""(system, code) pairs."""


class LocalTerminology:
    """Answers from the code systems and value sets of one `Definitions`; every answer is computed once."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._expansions: dict[str, Codes | None] = {}
        self._systems: dict[str, CodeSystem | None] = {}

    def expand(self, url: str) -> Codes | None:
        """Returns the members of a value set (`|version` is ignored), or None when they cannot all be listed here."""
        return self._expansion(url, frozenset())

    def validate(self, url: str, system: str | None, code: str) -> bool | None:
        """Tells whether a code is in a value set; None when that is not known here.

        Without a system any member with this code counts.
        """
        codes = self.expand(url)
        if codes is not None:
            return (system, code) in codes if system is not None else any(code == one for _, one in codes)
        value_set = self._definitions.value_set(url.partition("|")[0])
        return None if value_set is None or system is None else self._judge(value_set, system, code)

    def display(self, system: str, code: str) -> str | None:
        """Returns the display of a code, or None when the system or the code is not known here."""
        known = self.system(system)
        concept = known.concepts.get(code) if known else None
        return concept.display if concept else None

    def system(self, url: str) -> CodeSystem | None:
        """Returns a code system that lists at least some of its codes, or None."""
        plain = url.partition("|")[0]
        if plain not in self._systems:
            facts = self._definitions.code_system(plain)
            self._systems[plain] = build_code_system(facts) if facts else None
        return self._systems[plain]

    def _expansion(self, url: str, around: frozenset[str]) -> Codes | None:
        """Returns the expansion; `around` are the value sets being expanded, and one that includes itself has none."""
        plain = url.partition("|")[0]
        if plain in around:
            return None
        if plain not in self._expansions:
            self._expansions[plain] = self._expand(plain, around | {plain})
        return self._expansions[plain]

    def _expand(self, url: str, around: frozenset[str]) -> Codes | None:
        value_set = self._definitions.value_set(url)
        if value_set is None:
            return None
        included = self._union(value_set["include"], around)
        excluded = self._union(value_set["exclude"], around)
        return None if not included or excluded is None else included - excluded

    def _union(self, parts: Iterable[JsonObject], around: frozenset[str]) -> Codes | None:
        sets = [self._part(part, around) for part in parts]
        known = [one for one in sets if one is not None]
        return frozenset().union(*known) if len(known) == len(sets) else None

    def _part(self, part: JsonObject, around: frozenset[str]) -> Codes | None:
        """Returns the codes of one include or exclude: those of its system that are in all of its value sets."""
        sets = [self._expansion(url, around) for url in part.get("valueSet", ())]
        if "system" in part:
            sets.append(self._of_system(part))
        known = [one for one in sets if one is not None]
        return frozenset.intersection(*known) if known and len(known) == len(sets) else None

    def _of_system(self, part: JsonObject) -> Codes | None:
        url = part["system"]
        if "concept" in part:
            return frozenset((url, concept["code"]) for concept in part["concept"])
        system = self.system(url)
        codes = filtered(system, part.get("filter", ())) if system and system.is_complete else None
        return None if codes is None else frozenset((url, code) for code in codes)

    def _judge(self, value_set: JsonObject, system: str, code: str) -> bool | None:
        included = _any(self._has(part, system, code) for part in value_set["include"])
        excluded = _any(self._has(part, system, code) for part in value_set["exclude"])
        if included is False or excluded is True:
            return False
        return None if included is None or excluded is None else True

    def _has(self, part: JsonObject, system: str, code: str) -> bool | None:
        if "system" in part and part["system"] != system:
            return False
        codes = self._part(part, frozenset())
        return None if codes is None else (system, code) in codes


def _any(answers: Iterable[bool | None]) -> bool | None:
    """Returns True when one answer is, None when it may be, else False."""
    known = list(answers)
    if True in known:
        return True
    return None if None in known else False
