"""String parameters: the start of a normalised text, `:contains`, `:exact`, https://hl7.org/fhir/R4/search.html#string.

Chinese is written without blanks between words: a value with Chinese characters is found wherever it stands in the text.
`phonetic` compares readings, see `search/phonetic.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.search import bigrams, phonetic
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.han import has_han
from fhir_server.search.normal import normalise
from fhir_server.search.query import Clause, KeyStarts, TextContains, TextIs
from fhir_server.search.rows import TextRow
from fhir_server.search.values import any_of, modifier_refused, unescape

MODIFIERS = frozenset({"exact", "contains"})

_CLAUSES: Mapping[str | None, Callable[[str, str], Clause]] = {
    None: lambda code, text: _plain(code, _wanted(code, text)),
    "contains": lambda code, text: bigrams.contains(code, _wanted(code, text)),
    "exact": TextIs,
}
_PHONETIC: Mapping[str | None, Callable[[str, str], Clause]] = {
    None: lambda code, text: phonetic.starts(code, _wanted(code, text)),
    "contains": lambda code, text: TextContains(code, phonetic.spelling(_wanted(code, text))),
    "exact": TextIs,
}
_PARTS: Mapping[str, tuple[str, ...]] = {
    "HumanName": ("text", "family", "given", "prefix", "suffix"),
    "Address": ("text", "line", "city", "district", "state", "country", "postalCode"),
    "CodeableConcept": ("text",),
    "Coding": ("display", "code"),
    "Annotation": ("text",),
}


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a string value, its alternatives joined by OR.

    Raises:
        SearchValueInvalid: an alternative is empty or normalises to nothing.
        SearchParameterUnknown: a modifier that strings do not take.
    """
    if modifier not in _CLAUSES:
        raise modifier_refused(parameter.code, str(modifier), MODIFIERS)
    clause_of = (_PHONETIC if parameter.code == phonetic.CODE else _CLAUSES)[modifier]
    return any_of(parameter.code, raw, lambda part: clause_of(parameter.code, unescape(part)))


def _plain(code: str, normal: str) -> Clause:
    return bigrams.contains(code, normal) if has_han(normal) else KeyStarts(code, normal)


def _wanted(code: str, text: str) -> str:
    # White space and lone combining marks normalise to nothing, which would be the start of every text.
    normal = normalise(text)
    if not normal:
        raise SearchValueInvalid.of("search.value-empty", code, name=code, value=text)
    return normal


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files a string, or every part of a HumanName or Address, as a normalised key and a text."""
    for text in _texts(value, type_name):
        normal = normalise(text)
        if normal:
            filing.keys.add(f"{code}={normal}")
            filing.texts[TextRow(code, normal, text)] = None
            if not normal.isascii():
                start = f"{code}{bigrams.PAIRS}="
                filing.keys.update([start + pair for pair in bigrams.pairs(normal)])


def _texts(value: Any, type_name: str) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, dict):
        return ()
    found: list[str] = []
    for part in _PARTS.get(type_name, ()):
        one = value.get(part)
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, list):
            found += [text for text in one if isinstance(text, str)]
    codings = value.get("coding") if type_name == "CodeableConcept" else None
    if isinstance(codings, list):
        found += [text for coding in codings for text in _texts(coding, "Coding")]
    return found
