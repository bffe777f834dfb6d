"""One search pair to one clause: `name[:modifier]=value`, https://hl7.org/fhir/R4/search.html#modifiers."""

from collections.abc import Callable, Mapping

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search import composites, content, near
from fhir_server.search.aliases import renamed
from fhir_server.search.chains import chain_clause, check_paths, has_clause
from fhir_server.search.context import SearchContext
from fhir_server.search.filter_clauses import filter_clause
from fhir_server.search.kinds import KINDS, date
from fhir_server.search.names import ChainName, HasName, NamePart, PlainName, parse_name
from fhir_server.search.offered import offered_parameter
from fhir_server.search.query import AllOf, Clause, IdIs, Not, ReferredBy, UpdatedTest
from fhir_server.search.values import alternatives, any_of, modifier_refused, unescape

Parse = Callable[[SearchParameter, str, str | None, SearchContext], Clause]


def clause_of(name: str, raw: str, support: ResourceSupport, context: SearchContext) -> Clause:
    """Returns the clause that a pair of the query string asks for.

    Raises:
        SearchParameterUnknown: the parameter or modifier is unknown or not offered; the issue lists the valid ones.
        SearchValueInvalid: the value cannot be read.
    """
    part = parse_name(name)
    check_paths(part, support, context)

    def read(part: NamePart, support: ResourceSupport) -> Clause:
        match part:
            case HasName():
                return has_clause(part, support, context, read)
            case ChainName():
                return chain_clause(part, support, context, read)
            case PlainName(code, modifier) if code in content.CODES:
                return content.parse(code, raw, modifier)
            case PlainName("_filter", None):
                return filter_clause(raw, support, context, _reader(context))
            case PlainName("_list", None):
                return _listed(raw)
            case PlainName(code, modifier):
                return _of_parameter(offered_parameter(code, support), raw, modifier, support, context)

    return read(part, support)


def _reader(context: SearchContext) -> Callable[[str, str, ResourceSupport], Clause]:
    return lambda name, raw, support: clause_of(name, raw, support, context)


def _of_parameter(
    parameter: SearchParameter, raw: str, modifier: str | None, support: ResourceSupport, context: SearchContext
) -> Clause:
    if parameter.kind != composites.KIND:
        return renamed(_plain(parameter, raw, modifier, context), parameter, support)
    if modifier == "missing":
        return _missing(parameter, raw, composites.present(parameter, support, context))
    if modifier is not None:
        raise modifier_refused(parameter.code, modifier, frozenset())
    return composites.parse(parameter, raw, support, context)


def _plain(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    if modifier == "missing":
        return _missing(parameter, raw, _present(parameter))
    parse = _SPECIAL.get(parameter.code) or KINDS[parameter.kind].parse
    return parse(parameter, raw, modifier, context)


def _present(parameter: SearchParameter) -> Clause:
    if parameter.code == near.CODE:
        return near.present()
    return AllOf(()) if parameter.code in _SPECIAL else KINDS[parameter.kind].present(parameter.code)


def _missing(parameter: SearchParameter, raw: str, present: Clause) -> Clause:
    if raw not in ("true", "false"):
        raise SearchValueInvalid.of("search.value-missing", parameter.code, name=f"{parameter.code}:missing", value=raw)
    return Not(present) if raw == "true" else present


def _id(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    if modifier not in (None, "not"):
        raise modifier_refused("_id", modifier, frozenset({"not"}))
    clause = IdIs(tuple(dict.fromkeys(unescape(part) for part in alternatives("_id", raw))))
    return Not(clause) if modifier else clause


def _last_updated(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    if modifier is not None:
        raise modifier_refused("_lastUpdated", modifier, frozenset())
    return any_of("_lastUpdated", raw, lambda part: _updated(part, context))


def _updated(part: str, context: SearchContext) -> Clause:
    op, searched = date.searched_range("_lastUpdated", part, context)
    return UpdatedTest(op, searched.low, searched.high)


def _listed(raw: str) -> Clause:
    """Returns the clause that a List refers to the resource; what the list says of its entries does not count."""
    found = [unescape(part).removeprefix("List/") for part in alternatives("_list", raw)]
    functional = next((id_ for id_ in found if id_.startswith("$")), None)
    if functional is not None:
        raise SearchParameterUnknown.of("search.list-functional", "_list", value=functional)
    return ReferredBy(ResourceType("List"), "item", (IdIs(tuple(dict.fromkeys(found))),))


_SPECIAL: Mapping[str, Parse] = {"_id": _id, "_lastUpdated": _last_updated, near.CODE: near.parse}
"""Parameters that are no kind's; every resource has the first two, which need no index rows."""
