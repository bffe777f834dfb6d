"""The properties that a CodeSystem declares, https://hl7.org/fhir/R4/codesystem.html#properties.

The standard ones have their meaning, code and type from https://hl7.org/fhir/R4/codesystem-concept-properties.html.
"""

from collections.abc import Mapping
from typing import NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, joined, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Scope

BASE = "http://hl7.org/fhir/concept-properties#"
TYPES: Mapping[str, str] = {
    "status": "code",
    "inactive": "boolean",
    "effectiveDate": "dateTime",
    "deprecationDate": "dateTime",
    "retirementDate": "dateTime",
    "notSelectable": "boolean",
    "parent": "code",
    "child": "code",
    "partOf": "code",
    "synonym": "code",
    "comment": "string",
    "itemWeight": "decimal",
}
"""Types of the standard properties by their codes; R4's own, and those that later versions added to its namespace."""


class Property(NamedTuple):
    """A declared property: its type, and the code of the standard property that its URI names, or empty texts."""

    type: str
    standard: str


def declared(system: JsonObject) -> Mapping[str, Property]:
    """Returns the declared properties by code; of two with one code the later counts."""
    found: dict[str, Property] = {}
    for _, one in objects(system, "property"):
        standard = text_of(one, "uri").removeprefix(BASE)
        found[text_of(one, "code")] = Property(text_of(one, "type"), standard if standard in TYPES else "")
    return found


def property_faults(system: JsonObject, scope: Scope) -> Findings:
    """Returns what is wrong with the declarations: two of one code or URI, or not what the standard property is."""
    faults: Findings = []
    codes: set[str] = set()
    uris: set[str] = set()
    for index, one in objects(system, "property"):
        code, uri = text_of(one, "code"), text_of(one, "uri")
        twice = [(name, value) for name, value, seen in (("code", code, codes), ("uri", uri, uris)) if value in seen]
        here = [_fault("validation.property-twice", scope, element=name, value=value) for name, value in twice]
        here += _standard_faults(one, uri, scope, text_of(system, "url")) if uri else _named_faults(one)
        faults += at(here, index, "property")
        codes.update({code} - {""})
        uris.update({uri} - {""})
    return faults


def _fault(key: str, scope: Scope, **params: str) -> Finding:
    return Finding(key, dict(params), by_policy(scope.policy))


def _standard_faults(one: JsonObject, uri: str, scope: Scope, own: str) -> Findings:
    code, type_ = text_of(one, "code"), text_of(one, "type")
    standard = uri.removeprefix(BASE)
    if standard not in TYPES:
        is_ours = "://hl7.org/fhir" not in uri or (own and uri.startswith(own))
        return [] if is_ours or "#" not in uri else [_fault("validation.property-uri", scope, uri=uri)]
    faults: Findings = []
    if code in TYPES and code != standard:
        faults.append(_fault("validation.property-code", scope, uri=uri, found=code, expected=standard))
    if type_ and type_ != TYPES[standard]:
        faults.append(_fault("validation.property-uri-type", scope, uri=uri, found=type_, expected=TYPES[standard]))
    return faults


def _named_faults(one: JsonObject) -> Findings:
    code, type_ = text_of(one, "code"), text_of(one, "type")
    if code not in TYPES:
        return []
    faults = warned("validation.property-without-uri", code=code, uri=BASE + code)
    wrong = type_ and type_ != TYPES[code]
    return (
        joined(faults, warned("validation.property-code-type", code=code, expected=TYPES[code])) or []
        if wrong
        else faults
    )
