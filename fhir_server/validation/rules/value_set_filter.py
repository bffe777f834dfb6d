"""A filter of a ValueSet against the code system that it selects from, https://hl7.org/fhir/R4/valueset.html#compose-filter."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, found, listing, shown, warned
from fhir_server.validation.rules.code_system_properties import TYPES
from fhir_server.validation.rules.known_systems import Known, find_known
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Scope

CONCEPT_OPERATORS = frozenset({"=", "in", "is-a", "descendent-of", "is-not-a", "generalizes", "not-in"})
CODES = frozenset({"concept", "code"})
RELATED = frozenset({"parent", "child", "partOf"})
"""Properties of every code system with a hierarchy; their values are codes of it."""
MANY = frozenset({"in", "not-in"})
"""Operators whose value is a list of values, with commas between."""

_COMPARED = re.compile(r"(?:eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)\Z", re.DOTALL)
_CODING = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+#\S.*\Z")


def _matches(pattern: str) -> Callable[[str], bool]:
    test = re.compile(rf"(?:{pattern})\Z", re.ASCII).match

    def is_one(text: str) -> bool:
        return test(text) is not None

    return is_one


def _is_code(text: str) -> bool:
    return bool(text) and text == text.strip()


SHAPES: Mapping[str, Callable[[str], bool]] = {
    "boolean": _matches("true|false"),
    "integer": _matches(r"-?(?:0|[1-9][0-9]*)"),
    "decimal": _matches(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"),
    "dateTime": _matches(
        r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01])(?:T[0-9:.]+(?:Z|[+-][0-9:]{5})?)?)?)?"
    ),
    "Coding": lambda text: _CODING.match(text) is not None,
    "code": _is_code,
}
"""What tells that the text of a filter's value is of a property's type."""


class Source(NamedTuple):
    """The code system that is filtered: what is at hand of its codes, and its resource; None where nothing is."""

    url: str
    known: Known | None
    resource: JsonObject | None


def filter_faults(one: JsonObject, source: Source, scope: Scope, build: Build) -> Findings:
    """Returns what is wrong with one filter, as far as the code system is at hand."""
    property_, op, value = text_of(one, "property"), text_of(one, "op"), text_of(one, "value")
    if source.resource is None or not property_:
        return []
    types = _property_types(source.resource)
    operators = _operators(source.resource)
    if property_ not in types.keys() | operators.keys():
        expected = listing(types.keys() | operators.keys())
        return warned("validation.filter-property", property=shown(property_), system=source.url, expected=expected)
    faults: Findings = []
    allowed = operators.get(property_, frozenset())
    if op and allowed and op not in allowed:
        params = {"op": shown(op), "property": property_, "expected": listing(allowed), "system": source.url}
        faults.append(Finding("validation.filter-operator", params, by_policy(scope.policy)))
    if value:
        faults += _value_faults(property_, op, value, (types.get(property_, ""), source, scope, build))
    return faults


def _property_types(system: JsonObject) -> Mapping[str, str]:
    declared = {text_of(one, "code"): text_of(one, "type") for _, one in objects(system, "property")}
    related = dict.fromkeys(RELATED, "code") if "hierarchyMeaning" in system else {}
    standard = {code: type_ for code, type_ in TYPES.items() if code not in RELATED}
    return {"concept": "code", "code": "code", **standard, **related, **declared}


def _operators(system: JsonObject) -> Mapping[str, frozenset[str]]:
    declared = {}
    for _, one in objects(system, "filter"):
        operators = one.get("operator")
        declared[text_of(one, "code")] = frozenset(operators if type(operators) is list else ())
    return {"concept": CONCEPT_OPERATORS, "code": CONCEPT_OPERATORS | {"regex"}, **declared}


def _value_faults(property_: str, op: str, value: str, about: tuple[str, Source, Scope, Build]) -> Iterator[Finding]:
    type_, source, scope, build = about
    if op == "regex":
        yield from _regex_faults(property_, value)
        return
    if op == "exists":
        type_ = "boolean"
    for each in value.split(",") if op in MANY else [value]:
        text = _COMPARED.match(each)[1] if type_ in ("integer", "decimal", "dateTime") else each  # type: ignore[index]
        if type_ in SHAPES and not SHAPES[type_](text):
            yield from found("validation.filter-value", property=property_, value=shown(each), expected=EXPECTED[type_])
        else:
            yield from _code_faults(property_, type_, each, (source, scope, build))


EXPECTED: Mapping[str, str] = {
    "boolean": "true | false",
    "integer": "integer",
    "decimal": "decimal",
    "dateTime": "dateTime",
    "Coding": "system(|version)#code",
    "code": "code",
}
"""How the sentence names what a value should look like."""


def _regex_faults(property_: str, value: str) -> Iterator[Finding]:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        yield from found("validation.filter-value", property=property_, value=shown(value), expected="regex")


def _code_faults(property_: str, type_: str, value: str, about: tuple[Source, Scope, Build]) -> Findings:
    if type_ == "Coding":
        system, _, code = value.partition("#")
        return _unknown(property_, system.partition("|")[0], code, about)
    if property_ in CODES or property_ in RELATED:
        return _unknown(property_, about[0].url, value, about)
    return []


def _unknown(property_: str, system: str, code: str, about: tuple[Source, Scope, Build]) -> Findings:
    _, scope, build = about
    known = find_known(system, build) if system else None
    if known is None or known.fault or known.code_fault(code) is None:
        return []
    params = {"property": property_, "code": shown(code), "system": system}
    return [Finding("validation.filter-code", params, by_policy(scope.policy))]
