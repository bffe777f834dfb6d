"""`_include` and `_revinclude` values, https://hl7.org/fhir/R4/search.html#include."""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.offered import find_offered, listed, references


@dataclass(frozen=True, slots=True)
class Include:
    """What comes along with the matches.

    Forward: what `parameter` of the matches, of type `source`, points at. Reverse: resources of type `source` whose
    `parameter` points at a match. `target` restricts what is pointed at.
    """

    source: ResourceType
    parameter: str
    target: ResourceType | None
    reverse: bool


def parse_include(name: str, raw: str, type_: ResourceType, context: SearchContext) -> Include:
    """Returns a checked include of a search of `type_`; `name` is `_include` or `_revinclude`.

    Raises:
        SearchParameterUnknown: a wildcard, or a type or reference parameter that the server does not have.
        SearchValueInvalid: another form than `Type:parameter[:Target]`, or types that cannot meet.
    """
    parts = raw.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise _wildcard(name, raw) if raw == "*" else _invalid("search.include-malformed", name, raw)
    if "*" in parts:
        raise _wildcard(name, raw)
    support = context.definitions.resources.get(ResourceType(parts[0]))
    if support is None:
        raise SearchParameterUnknown.of("search.include-type", name, name=name, value=raw, type=parts[0])
    parameter = _reference(name, raw, support, parts[1])
    target = ResourceType(parts[2]) if len(parts) == 3 else None
    include = Include(support.type, parameter.code, target, reverse=name == "_revinclude")
    _check(include, parameter, type_, (name, raw))
    return include


def _reference(name: str, raw: str, support: ResourceSupport, code: str) -> SearchParameter:
    parameter = find_offered(code, support)
    if parameter is not None and parameter.kind == "reference":
        return parameter
    valid = listed(references(support))
    raise SearchParameterUnknown.of(
        "search.include-parameter", name, name=name, value=raw, type=support.type, code=code, valid=valid
    )


def _check(include: Include, parameter: SearchParameter, type_: ResourceType, pair: tuple[str, str]) -> None:
    name, raw = pair
    if not include.reverse and include.source != type_:
        raise _invalid("search.include-source", name, raw, found=include.source, type=type_)
    reached: Sequence[ResourceType | None] = [include.target, type_] if include.reverse else [include.target]
    for wanted in reached:
        if wanted is not None and parameter.targets and wanted not in parameter.targets:
            raise _invalid(
                "search.include-target", name, raw, type=wanted, code=parameter.code, valid=listed(parameter.targets)
            )
    if include.reverse and include.target not in (None, type_):
        raise _invalid("search.include-target", name, raw, type=type_, code=parameter.code, valid=include.target)


def _invalid(key: str, name: str, raw: str, **params: object) -> SearchValueInvalid:
    return SearchValueInvalid.of(key, name, name=name, value=raw, **params)


def _wildcard(name: str, raw: str) -> SearchParameterUnknown:
    return SearchParameterUnknown.of(
        "search.include-wildcard", name, name=name, value=raw, example="Observation:subject"
    )
