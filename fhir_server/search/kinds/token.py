"""Token parameters: codes, identifiers, flags, https://hl7.org/fhir/R4/search.html#token.

Keys put the code first, `param=code␟system`, so that a bare code is a prefix. Codes compare without regard to case.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir.shapes import JsonObject
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.implied import ImpliedSystems
from fhir_server.search.kinds import concepts, labels
from fhir_server.search.query import AnyOf, Clause, KeyEnds, KeyIs, KeyStarts, Not
from fhir_server.search.rows import SEPARATOR
from fhir_server.search.values import any_of, modifier_refused, split, unescape

MODIFIERS = frozenset({"not", "text", "in", "not-in", "above", "below", "of-type"})


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a token value: `code`, `system|code`, `|code` (no system) or `system|` (any code).

    `:not` and `:not-in` are true of a resource none of whose values matches any alternative.

    Raises:
        SearchValueInvalid: an alternative is empty, or has not the parts that the modifier needs.
        SearchParameterUnknown: a modifier that tokens do not take.
        TooCostly: a value set or hierarchy with too many codes.
    """
    plain = modifier.removeprefix("not-") if modifier in _NEGATED else modifier
    if plain == "not":
        plain = None
    if plain not in _CLAUSES:
        raise modifier_refused(parameter.code, str(modifier), MODIFIERS)
    clause = any_of(parameter.code, raw, lambda part: _CLAUSES[plain](parameter.code, part, context))
    return Not(clause) if modifier in _NEGATED else clause


def clause_of(code: str, part: str) -> Clause:
    """Returns the clause of one alternative, filed under the key name `code`.

    Raises:
        SearchValueInvalid: more than one `|`, or nothing on either side of it.
    """
    parts = unescape_parts(part)
    if len(parts) > 2 or not any(parts):
        raise SearchValueInvalid.of("search.value-token", code, name=code, value=part)
    if len(parts) == 1:
        return KeyStarts(code, key(parts[0], ""))
    system, value = parts
    return KeyIs(code, key(value, system)) if value else KeyEnds(code, SEPARATOR + system)


def key(token: str, system: str) -> str:
    """Returns a token as it is filed."""
    return token.lower() + SEPARATOR + system


def _one_of(code: str, part: str, context: SearchContext, *, find: concepts.Find) -> Clause:
    found = find(code, unescape_parts(part), context)
    return AnyOf(tuple(KeyIs(code, key(token, system)) for system, token in sorted(found)))


def _of_type(code: str, part: str, context: SearchContext) -> Clause:
    parts = unescape_parts(part)
    if len(parts) != 3 or not all(parts):
        raise SearchValueInvalid.of("search.value-of-type", code, name=code, value=part)
    return KeyIs(*labels.typed(code, *parts))


def unescape_parts(part: str) -> list[str]:
    """Returns what stands between the bars of a value, escapes resolved."""
    return [unescape(one) for one in split(part, "|")]


_NEGATED = frozenset({"not", "not-in"})
_CLAUSES: Mapping[str | None, Callable[[str, str, SearchContext], Clause]] = {
    None: lambda code, part, _: clause_of(code, part),
    "text": lambda code, part, _: labels.clause_of(code, part),
    "in": partial(_one_of, find=concepts.members),
    "below": partial(_one_of, find=concepts.descendants),
    "above": partial(_one_of, find=concepts.ancestors),
    "of-type": _of_type,
}


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files the tokens of a coded value, an identifier, a contact point or a primitive."""
    for token, system in tokens(value, type_name):
        filing.keys.add(f"{code}={token.lower()}{SEPARATOR}{system}")
    if isinstance(value, dict):
        labels.rows(code, value, type_name, filing)


def rows_of_codes(systems: ImpliedSystems) -> Callable[[str, Any, str, Filing], None]:
    """Returns `rows` for a parameter whose values of type `code` imply a system."""

    def file(code: str, value: Any, type_name: str, filing: Filing) -> None:
        if type_name == "code" and isinstance(value, str):
            filing.keys.add(f"{code}={value.lower()}{SEPARATOR}{systems.of(value)}")
        else:
            rows(code, value, type_name, filing)

    return file


def tokens(value: Any, type_name: str) -> Iterable[tuple[str, str]]:
    """Returns the (code, system) pairs of a value; the system is empty where the value has none."""
    if isinstance(value, dict):
        return _TOKENS.get(type_name, _nothing)(value)
    if isinstance(value, str):
        return ((value, ""),)
    if isinstance(value, bool):
        return (("true" if value else "false", ""),)
    return () if value is None else ((str(value), ""),)


def _nothing(value: JsonObject) -> Iterable[tuple[str, str]]:
    return ()


def _pair(code: Any, system: Any) -> Iterable[tuple[str, str]]:
    return ((code, system if isinstance(system, str) else ""),) if isinstance(code, str) else ()


def _coding(value: JsonObject) -> Iterable[tuple[str, str]]:
    return _pair(value.get("code"), value.get("system"))


def _codeable_concept(value: JsonObject) -> Iterable[tuple[str, str]]:
    codings = value.get("coding")
    if not isinstance(codings, list):
        return ()
    return [
        (coding["code"], coding.get("system") or "")
        for coding in codings
        if isinstance(coding, dict) and isinstance(coding.get("code"), str)
    ]


def _identifier(value: JsonObject) -> Iterable[tuple[str, str]]:
    return _pair(value.get("value"), value.get("system"))


def _contact_point(value: JsonObject) -> Iterable[tuple[str, str]]:
    # R4 makes `use` the namespace of a contact point; clients also write its system, `phone|...`. Both are filed.
    text = value.get("value")
    if not isinstance(text, str):
        return ()
    namespaces = [n for n in (value.get("system"), value.get("use")) if isinstance(n, str)]
    return [(text, namespace) for namespace in namespaces or [""]]


_TOKENS: Mapping[str, Callable[[JsonObject], Iterable[tuple[str, str]]]] = {
    "Coding": _coding,
    "CodeableConcept": _codeable_concept,
    "Identifier": _identifier,
    "ContactPoint": _contact_point,
    "Quantity": _coding,
}
