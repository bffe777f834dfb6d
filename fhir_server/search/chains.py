"""Chains (`subject.name`) and `_has`, https://hl7.org/fhir/R4/search.html#chaining."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import Issue, SearchParameterUnknown
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.aliases import Alias, find_alias, renamed
from fhir_server.search.canonicals import names_by_url
from fhir_server.search.context import SearchContext
from fhir_server.search.names import ChainName, HasName, NamePart, PlainName
from fhir_server.search.offered import find_offered, listed, offered_parameter, references
from fhir_server.search.query import AnyOf, Clause, ReferredBy, RefersTo

Read = Callable[[NamePart, ResourceSupport], Clause]
"""Reads the rest of a name, asked of another type, together with the value of the whole pair."""

MOST_PATHS = 200
"""Ways from type to type that one name may take; a chain that names its target types takes one."""


def chain_clause(part: ChainName, support: ResourceSupport, context: SearchContext, read: Read) -> Clause:
    """Returns the clause of `code[:Target].rest`; without a target, every target type that knows the rest is asked.

    Raises:
        SearchParameterUnknown: `code` is no reference or a canonical, the target is none of its, or no target knows the rest.
    """
    parameter = followed(part.code, support)
    found: list[Clause] = []
    unknown: list[Issue] = []
    for type_ in targets_of(part, parameter, context):
        try:
            inner = read(part.rest, context.definitions.resources[type_])
        except SearchParameterUnknown as error:
            unknown += error.issues
        else:
            found.append(renamed(RefersTo(parameter.code, type_, (inner,)), parameter, support))
    if not found:
        raise SearchParameterUnknown(*unknown)
    return found[0] if len(found) == 1 else AnyOf(tuple(found))


def has_clause(part: HasName, support: ResourceSupport, context: SearchContext, read: Read) -> Clause:
    """Returns the clause of `_has:Source:reference:rest`.

    Raises:
        SearchParameterUnknown: the server has no such type, or `reference` is none of its references, a canonical, or never
            leads here.
    """
    source = _source(part, context)
    parameter = followed(part.reference, source)
    if parameter.targets and support.type not in parameter.targets:
        raise _wrong_target(parameter, support.type, parameter.targets)
    where = (read(part.rest, source),)
    alias = find_alias(parameter, source) or Alias((parameter.code,))
    if alias.only not in ("", support.type):
        return AnyOf(())
    found: list[Clause] = [ReferredBy(source.type, code, where) for code in alias.codes]
    return found[0] if len(found) == 1 else AnyOf(tuple(found))


def check_paths(part: NamePart, support: ResourceSupport, context: SearchContext) -> None:
    """Refuses a name that leads along too many ways, which only chains without target types do.

    Raises:
        SearchParameterUnknown: more than `MOST_PATHS`.
    """
    ways: dict[ResourceType, int] = {support.type: 1}
    while not isinstance(part, PlainName):
        if isinstance(part, HasName):
            ways = {ResourceType(part.source): sum(ways.values())}
        else:
            ways = _ways_on(part, ways, context)
        if sum(ways.values()) > MOST_PATHS:
            raise SearchParameterUnknown.of("search.chain-too-wide", support.type, most=MOST_PATHS)
        part = part.rest


def _source(part: HasName, context: SearchContext) -> ResourceSupport:
    source = context.definitions.resources.get(ResourceType(part.source))
    if source is None:
        valid = listed(list(context.definitions.resources))
        raise SearchParameterUnknown.of("search.has-type", "_has", type=part.source, valid=valid)
    return source


def reference_of(code: str, support: ResourceSupport) -> SearchParameter:
    """Returns the reference parameter of that code.

    Raises:
        SearchParameterUnknown: the type has none that can be searched.
    """
    parameter = offered_parameter(code, support)
    if parameter.kind != "reference":
        raise SearchParameterUnknown.of(
            "search.chain-no-reference", code, name=code, type=support.type, valid=listed(references(support))
        )
    return parameter


def followed(code: str, support: ResourceSupport) -> SearchParameter:
    """Returns the reference parameter of that code, whose references can be followed from resource to resource.

    Raises:
        SearchParameterUnknown: the type has none that can be searched, or it names resources by their canonical URL.
    """
    parameter = reference_of(code, support)
    if names_by_url(parameter, support.type):
        raise SearchParameterUnknown.of("search.chain-canonical", code, name=code, type=support.type)
    return parameter


def targets_of(part: ChainName, parameter: SearchParameter, context: SearchContext) -> Sequence[ResourceType]:
    """Returns the types that a hop leads to: the one that it names, or all that the parameter may refer to.

    Raises:
        SearchParameterUnknown: the parameter never refers to the named one.
    """
    supported = context.definitions.resources
    known = sorted(type_ for type_ in parameter.targets or supported if type_ in supported)
    if part.target is None:
        return known
    if part.target not in known:
        raise _wrong_target(parameter, part.target, known)
    return [ResourceType(part.target)]


def _wrong_target(parameter: SearchParameter, type_: str, known: Sequence[str]) -> SearchParameterUnknown:
    code = parameter.code
    return SearchParameterUnknown.of("search.target-invalid", code, type=type_, name=code, valid=listed(known))


def _ways_on(part: ChainName, ways: Mapping[ResourceType, int], context: SearchContext) -> dict[ResourceType, int]:
    """Returns in how many ways each type is reached by one more hop; unknown names are refused elsewhere."""
    further: Counter[ResourceType] = Counter()
    for type_, count in ways.items():
        support = context.definitions.resources.get(type_)
        parameter = find_offered(part.code, support) if support else None
        if parameter is not None:
            further.update(dict.fromkeys(_reached(part, parameter, context), count))
    return further


def _reached(part: ChainName, parameter: SearchParameter, context: SearchContext) -> Sequence[ResourceType]:
    return [ResourceType(part.target)] if part.target else targets_of(part, parameter, context)
