"""What is written beside a code: `:text` and `:of-type`, https://hl7.org/fhir/R4/search.html#modifiers.

Texts are keys of `param:text`, normalised as strings are; `:text` asks how they start. Typed identifiers are keys of
`param:of-type`, `value␟code␟system` of the type.
"""

from collections.abc import Iterator
from typing import Any

from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir.shapes import JsonObject
from fhir_server.search.filing import Filing
from fhir_server.search.han import has_han
from fhir_server.search.normal import normalise
from fhir_server.search.query import Clause, KeyStarts
from fhir_server.search.rows import LABEL, SEPARATOR
from fhir_server.search.values import unescape
from fhir_server.search.wild import WILD


def clause_of(code: str, part: str) -> Clause:
    """Returns the clause that a text or display starts with this one, whatever its case and width; Chinese may stand inside.

    Raises:
        SearchValueInvalid: it normalises to nothing.
    """
    normal = normalise(unescape(part))
    if not normal:
        raise SearchValueInvalid.of("search.value-empty", code, name=code, value=part)
    return KeyStarts(f"{code}{LABEL}", WILD + normal if has_han(normal) else normal)


def typed(code: str, system: str, type_code: str, value: str) -> tuple[str, str]:
    """Returns the parameter and value of the key of an identifier with a type."""
    return f"{code}:of-type", f"{value.lower()}{SEPARATOR}{type_code.lower()}{SEPARATOR}{system}"


def rows(code: str, value: JsonObject, type_name: str, filing: Filing) -> None:
    """Files the texts of a CodeableConcept, the display of a Coding, the type of an Identifier."""
    if type_name == "Identifier":
        _identifier_rows(code, value, filing)
        return
    for text in _texts(value, type_name):
        normal = normalise(text) if isinstance(text, str) else ""
        if normal:
            filing.keys.add(f"{code}{LABEL}={normal}")


def _texts(value: JsonObject, type_name: str) -> Iterator[Any]:
    if type_name == "Coding":
        yield value.get("display")
    elif type_name == "CodeableConcept":
        yield value.get("text")
        yield from (coding.get("display") for coding in _codings(value))


def _codings(concept: JsonObject) -> list[JsonObject]:
    found = concept.get("coding")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _identifier_rows(code: str, identifier: JsonObject, filing: Filing) -> None:
    type_, value = identifier.get("type"), identifier.get("value")
    if not isinstance(type_, dict):
        return
    text = type_.get("text")
    normal = normalise(text) if isinstance(text, str) else ""
    if normal:
        filing.keys.add(f"{code}{LABEL}={normal}")
    for coding in _codings(type_) if isinstance(value, str) else ():
        if isinstance(coding.get("code"), str):
            filing.keys.add("=".join(typed(code, str(coding.get("system") or ""), coding["code"], str(value))))
