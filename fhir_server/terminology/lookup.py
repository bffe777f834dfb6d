"""What is known of one code, https://hl7.org/fhir/R4/codesystem-operation-lookup.html."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem, Concept
from fhir_server.terminology.filters import values_of
from fhir_server.terminology.grammars import Grammar
from fhir_server.terminology.languages import fits
from fhir_server.terminology.naming import Named, display_of, others_of

_ALWAYS = ("parent", "child", "inactive", "definition")
"""Properties that every listed code has, computed from the system."""

_HEAD = frozenset({"url", "system", "name", "version", "display", "designation"})
"""Names that a client may ask for as properties, and that are no properties of the concept."""


class Details(NamedTuple):
    """The answer, as R4 names its parts; `properties` are `{"code", "value", "description"?}` with the key of value[x]."""

    name: str
    version: str | None
    display: str
    designations: Sequence[JsonObject]
    properties: Sequence[Mapping[str, Any]]


def details_of(
    system: CodeSystem, concept: Concept, *, languages: Sequence[str] = (), wanted: Sequence[str] = ()
) -> Details:
    """Returns what a code system says of a concept; `wanted` are property codes, none for all, `lang.X` designations."""
    named = Named(concept, None, system.language)
    display = display_of(named, languages) or concept.code
    spoken = [one.removeprefix("lang.") for one in wanted if one.startswith("lang.")]
    designations = others_of(named, display)
    if wanted and "designation" not in wanted:
        designations = [one for one in designations if any(fits(one.get("language"), lang) for lang in spoken)]
    chosen = _chosen(concept, wanted)
    properties = [one for code in chosen for one in _property(system, concept, code)]
    return Details(_name(system), system.version, display, designations, properties)


def grammar_details(grammar: Grammar, code: str, *, languages: Sequence[str] = ()) -> Details:
    """Returns what a grammar says of one of its codes."""
    display = grammar.display(code, languages[0] if languages else None) or code
    computed = [{"code": k, "valueString": v} for k, v in grammar.properties(code).items()]
    return Details(grammar.name, grammar.version, display, (), computed)


def _name(system: CodeSystem) -> str:
    return str(system.facts.get("name") or system.facts.get("title") or system.url)


def _chosen(concept: Concept, wanted: Sequence[str]) -> Sequence[str]:
    if wanted:
        return [one for one in wanted if one not in _HEAD and not one.startswith("lang.")]
    return list(dict.fromkeys((*_ALWAYS, *(code for code in concept.properties if code != "subsumedBy"))))


def _property(system: CodeSystem, concept: Concept, code: str) -> Iterator[Mapping[str, Any]]:
    if code in ("parent", "child"):
        for value in values_of(system, concept, code):
            other = system.concepts.get(value)
            described = {"description": other.display} if other and other.display else {}
            yield {"code": code, "valueCode": value, **described}
    elif code == "inactive":
        yield {"code": code, "valueBoolean": concept.is_inactive}
    elif code == "definition":
        yield from ({"code": code, "valueString": one} for one in values_of(system, concept, code))
    else:
        for value in concept.properties.get(code, ()):
            yield {"code": code, _key(system, code, value): value}


_KEYS: Mapping[type, str] = {bool: "valueBoolean", int: "valueInteger", Decimal: "valueDecimal", dict: "valueCoding"}


def _key(system: CodeSystem, code: str, value: Any) -> str:
    if isinstance(value, str):
        declared = system.declared.get(code, "code" if code == "status" else "string")
        return "valueDateTime" if declared == "dateTime" else "valueCode" if declared == "code" else "valueString"
    return _KEYS.get(type(value), "valueString")
