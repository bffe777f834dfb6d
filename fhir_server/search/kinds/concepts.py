"""The codes that `:in`, `:above` and `:below` stand for, https://hl7.org/fhir/R4/search.html#modifiers.

They are looked up when the search is read, in the code systems and value sets that are known here.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from fhir_server.errors import SearchValueInvalid, TooCostly
from fhir_server.search.context import SearchContext
from fhir_server.terminology import Codes, LocalTerminology
from fhir_server.terminology.code_system import CodeSystem

Find: TypeAlias = Callable[[str, Sequence[str], SearchContext], Codes]
"""From the parameter's code and the parts of the value to (system, code) pairs."""

_R4 = "http://hl7.org/fhir/"
MOST_CODES = 5_000
"""Codes that one value may stand for."""


def members(code: str, parts: Sequence[str], context: SearchContext) -> Codes:
    """Returns the members of a value set, named by its URL (`|version` prefers that version) or as `ValueSet/id`.

    Raises:
        SearchValueInvalid: no such value set is known here, or its members cannot all be listed.
        TooCostly: more than `MOST_CODES`.
    """
    terminology = _terminology(context)
    url = _canonical("|".join(parts), terminology)
    found = terminology.expand(url)
    if found is None:
        known = terminology.sources.value_set(url) is not None
        key = "search.value-set-open" if known else "search.value-set-unknown"
        raise SearchValueInvalid.of(key, code, name=code, value=url)
    return _bounded(code, found)


def _canonical(text: str, terminology: LocalTerminology) -> str:
    """Returns the URL of a value set of R4 that is named by its id; any other name as it is."""
    is_own = text.startswith("ValueSet/") and terminology.sources.value_set(text) is None
    return _R4 + text if is_own else text


def descendants(code: str, parts: Sequence[str], context: SearchContext) -> Codes:
    """Returns the code itself and all below it in its system.

    Raises:
        SearchValueInvalid: not `system|code`, or a code that is not known here with its whole hierarchy.
        TooCostly: more than `MOST_CODES`.
    """
    system, concept = _concept(code, parts, context)
    return _pairs(code, system, {concept, *system.descendants(concept)})


def ancestors(code: str, parts: Sequence[str], context: SearchContext) -> Codes:
    """Returns the code itself and all above it in its system.

    Raises:
        SearchValueInvalid: not `system|code`, or a code that is not known here with its whole hierarchy.
        TooCostly: more than `MOST_CODES`.
    """
    system, concept = _concept(code, parts, context)
    return _pairs(code, system, {concept, *system.ancestors(concept)})


def _concept(code: str, parts: Sequence[str], context: SearchContext) -> tuple[CodeSystem, str]:
    if len(parts) != 2 or not all(parts):
        raise SearchValueInvalid.of("search.value-concept", code, name=code, value="|".join(parts))
    system = _terminology(context).system(parts[0])
    concept = system.find(parts[1]) if system and system.is_complete else None
    if system is None or concept is None:
        raise SearchValueInvalid.of("search.concept-unknown", code, name=code, system=parts[0], code=parts[1])
    return system, concept.code


def _pairs(code: str, system: CodeSystem, codes: Collection[str]) -> Codes:
    return _bounded(code, frozenset((system.url, one) for one in codes))


def _bounded(code: str, found: Codes) -> Codes:
    if len(found) > MOST_CODES:
        raise TooCostly.of("search.too-many-codes", code, name=code, count=len(found), most=MOST_CODES)
    return found


def _terminology(context: SearchContext) -> LocalTerminology:
    return context.terminology or LocalTerminology(context.definitions)
