"""What keeps a stored SearchParameter from being used, https://hl7.org/fhir/R4/searchparameter.html."""

import re
from collections.abc import Collection, Iterator

from fhir_server import fhirpath
from fhir_server.definitions.registry import Definitions, SearchParameter
from fhir_server.errors import Issue, issue
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search.branches import union_branches
from fhir_server.search.composites import KIND as COMPOSITE
from fhir_server.search.composites import find_composite
from fhir_server.search.kinds import KINDS
from fhir_server.search.names import is_code
from fhir_server.search.offered import listed

_NEEDED = ("url", "code", "type", "base", "expression", "status")
_NAME = re.compile(r"\w+")


def own_faults(resource: JsonObject) -> Iterator[Issue]:
    """Yields what is wrong with a SearchParameter whatever the types that it is for."""
    missing = [name for name in _NEEDED if not resource.get(name)]
    if resource.get("type") == COMPOSITE and not _has_components(resource):
        missing.append("component")
    for name in missing:
        path = f"SearchParameter.{name}"
        file = f"SearchParameter/{resource.get('id', '-')}"
        yield issue("definitions.member-missing", path, file=file, place=path)
    if missing:
        return
    code, kind = resource["code"], resource["type"]
    if not is_code(code):
        yield issue("search.parameter-code", "SearchParameter.code", code=code)
    if kind not in KINDS and kind != COMPOSITE:
        valid = listed([*KINDS, COMPOSITE])
        yield issue("search.parameter-kind", "SearchParameter.type", code=code, found=kind, valid=valid)


def _has_components(resource: JsonObject) -> bool:
    components = resource.get("component") or [{}]
    return all(one.get("definition") and one.get("expression") for one in components)


def faults_on(
    definitions: Definitions, one: SearchParameter, taken: Collection[tuple[ResourceType, str]]
) -> Iterator[Issue]:
    """Yields what is wrong with a parameter on the one type that is its base; `taken` are codes of others stored."""
    type_ = one.bases[0]
    if one.code in definitions.resources[type_].search or (type_, one.code) in taken:
        yield issue("search.parameter-taken", "SearchParameter.code", code=one.code, type=type_)
    if not one.expression:
        yield issue("search.parameter-elsewhere", "SearchParameter.expression", code=one.code, type=type_)
        return
    reasons = [reason for text in union_branches(one.expression) for reason in _reasons(text, type_)]
    for reason in reasons:
        path = "SearchParameter.expression"
        yield issue("search.parameter-broken", path, code=one.code, type=type_, reason=reason)
    if one.kind == COMPOSITE and not reasons:
        yield from _composite_faults(definitions, one)


def _reasons(text: str, type_: ResourceType) -> list[str]:
    try:
        return [str(fault) for fault in fhirpath.compile(text, type_).faults(type_)]
    except ValueError as error:
        return [str(error)]


def _composite_faults(definitions: Definitions, one: SearchParameter) -> Iterator[Issue]:
    type_, support = one.bases[0], definitions.resources[one.bases[0]]
    for _, path in one.components:
        # An element may have any of several types: what it lacks is seen when it is filed, as with any choice.
        try:
            fhirpath.compile(path)
        except ValueError as error:
            place = "SearchParameter.component.expression"
            yield issue("search.parameter-broken", place, code=one.code, type=type_, reason=str(error))
            return
    found = find_composite(one, support, definitions.model)
    parts = zip((found.first, found.second), found.paths, strict=True) if found else ()
    if found is None or (found.is_rewritten and not all(_is_about(part, path) for part, path in parts)):
        yield issue("search.parameter-composite", "SearchParameter.component", code=one.code, type=type_)


def _is_about(parameter: SearchParameter, path: str) -> bool:
    """Tells whether a parameter files the element that a path from its type starts with."""
    name = _NAME.search(path)
    return name is not None and re.search(rf"\.{name[0]}\b", parameter.expression) is not None
