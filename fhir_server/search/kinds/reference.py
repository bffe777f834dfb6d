"""Reference parameters, https://hl7.org/fhir/R4/search.html#reference.

Keys are `param=Type/id`, with `␟base` for a resource elsewhere; versions do not count. The identifier of a logical
reference is filed as a token under `param:identifier`, a canonical with and without its version.
"""

import re
from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.fhir.references import ReferenceKind, parse_reference, search_key
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.kinds import hierarchies, token, uri
from fhir_server.search.query import AnyOf, Clause, KeyIs, KeyStarts
from fhir_server.search.values import any_of, modifier_refused, unescape

MODIFIERS = frozenset({"identifier", *hierarchies.MODIFIERS})
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NARROWED = re.compile(r"^[\w.]+\.where\(resolve\(\) is (\w+)\)$")
_LINKS = frozenset({"uri", "url", "oid", "uuid"})
_FIRST = frozenset({"Composition", "MessageHeader"})
"""Resources in the first entry of a Bundle, which `composition` and `message` name."""


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a reference value: `Type/id`, a bare id, a URL, or `system|value` with `:identifier`.

    A bare id means any of the parameter's target types, or the one that the modifier names (`subject:Patient=23`).
    `:below` and `:above` take what is part of the resource, or what it is part of; of canonicals, the versions.

    Raises:
        SearchValueInvalid: an alternative is none of these.
        SearchParameterUnknown: a modifier that is no target type of the parameter.
    """
    code = parameter.code
    if modifier == "identifier":
        return any_of(code, raw, lambda part: token.clause_of(_identifier_code(code), part))
    if modifier in hierarchies.MODIFIERS:
        known = hierarchies.known_parents(_own_targets(parameter), context)
        return any_of(
            code, raw, lambda part: hierarchies.clause_of(parameter, unescape(part), modifier, known, context)
        )
    targets = _targets(parameter, modifier, context)
    return any_of(code, raw, lambda part: _clause(code, unescape(part), targets, context))


def _identifier_code(code: str) -> str:
    return f"{code}:identifier"


def _targets(parameter: SearchParameter, modifier: str | None, context: SearchContext) -> tuple[ResourceType, ...]:
    targets = _own_targets(parameter) or tuple(sorted(context.definitions.resources))
    if modifier is None:
        return targets
    if modifier in targets:
        return (ResourceType(modifier),)
    if modifier in context.definitions.model.resources:
        raise SearchParameterUnknown.of(
            "search.target-invalid", parameter.code, type=modifier, name=parameter.code, valid=", ".join(targets)
        )
    raise modifier_refused(parameter.code, modifier, MODIFIERS)


def _own_targets(parameter: SearchParameter) -> tuple[ResourceType, ...]:
    # R4 gives every `patient` the target Group too, although its expression lets only Patients through.
    narrowed = _NARROWED.search(parameter.expression)
    return (ResourceType(narrowed[1]),) if narrowed else parameter.targets


def _clause(code: str, text: str, targets: tuple[ResourceType, ...], context: SearchContext) -> Clause:
    if _ID.fullmatch(text):
        clauses = tuple(KeyIs(code, f"{target}/{text}") for target in targets)
        return clauses[0] if len(clauses) == 1 else AnyOf(clauses)
    found = parse_reference(text, context.base_url)
    if found.kind is ReferenceKind.OTHER and ":" not in text:
        raise SearchValueInvalid.of("search.value-reference", code, name=code, value=text)
    if found.key == text or not _may_be_canonical(targets, context):
        return KeyIs(code, found.key)
    return AnyOf((KeyIs(code, found.key), KeyIs(code, text)))  # a canonical may look like the URL of a resource


def _may_be_canonical(targets: tuple[ResourceType, ...], context: SearchContext) -> bool:
    """Tells whether one of the types is known by a canonical URL of its own."""
    known = context.definitions.model.properties
    return any("url" in known[target] for target in targets)


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files a Reference by its target and its identifier, a canonical or uri by its URL; contained ones not at all."""
    if isinstance(value, dict) and type_name in ("Reference", "Resource"):
        _reference_rows(code, value, filing)
    elif isinstance(value, dict) and type_name in _FIRST and "id" in value:
        filing.keys.add(f"{code}={type_name}/{value['id']}")
    elif isinstance(value, str) and type_name == "canonical":
        uri.rows(code, value, type_name, filing)
    elif isinstance(value, str) and type_name in _LINKS:
        filing.keys.add(f"{code}={search_key(value, filing.base_url)}")


def _reference_rows(code: str, value: JsonObject, filing: Filing) -> None:
    text = value.get("reference")
    if isinstance(text, str) and not text.startswith("#"):
        filing.keys.add(f"{code}={search_key(text, filing.base_url)}")
    identifier = value.get("identifier")
    if isinstance(identifier, dict):
        token.rows(_identifier_code(code), identifier, "Identifier", filing)


def present(code: str) -> Clause:
    """Returns the clause that a reference of any form is there: by target or by identifier."""
    return AnyOf((KeyStarts(code, ""), KeyStarts(_identifier_code(code), "")))
