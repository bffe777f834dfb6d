"""One search pair to one clause: `name[:modifier]=value`, https://hl7.org/fhir/R4/search.html#modifiers."""

from collections.abc import Callable, Mapping

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.search.aliases import find_alias, without_aliases
from fhir_server.search.context import SearchContext
from fhir_server.search.kinds import KINDS, date
from fhir_server.search.names import ChainName, HasName, PlainName, parse_name
from fhir_server.search.offered import NOT_OFFERED, find_offered, listed, offered
from fhir_server.search.query import AllOf, Clause, IdIs, Not, UpdatedTest
from fhir_server.search.values import alternatives, any_of, modifier_refused, unescape

Parse = Callable[[SearchParameter, str, str | None, SearchContext], Clause]


def clause_of(name: str, raw: str, support: ResourceSupport, context: SearchContext) -> Clause:
    """Returns the clause that a pair of the query string asks for.

    Raises:
        SearchParameterUnknown: the parameter or modifier is unknown or not offered; the issue lists the valid ones.
        SearchValueInvalid: the value cannot be read.
    """
    part = parse_name(name)
    match part:
        case HasName():
            raise SearchParameterUnknown.of("search.has-not-offered", name, name=name)
        case ChainName():
            _parameter(part.code, support)
            raise SearchParameterUnknown.of("search.chain-not-offered", name, name=name, code=part.code)
        case PlainName(code, modifier):
            parameter = _parameter(code, support)
            clause = _plain(parameter, raw, modifier, context)
            alias = find_alias(parameter, support)
            return clause if alias is None else without_aliases(clause, code, alias)


def _plain(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    if modifier == "missing":
        return _missing(parameter, raw)
    parse = _SPECIAL.get(parameter.code) or KINDS[parameter.kind].parse
    return parse(parameter, raw, modifier, context)


def _parameter(code: str, support: ResourceSupport) -> SearchParameter:
    known = find_offered(code, support)
    if known is not None:
        return known
    defined = code in NOT_OFFERED or code in support.search
    key = "search.parameter-not-offered" if defined else "search.parameter-unknown"
    raise SearchParameterUnknown.of(key, code, name=code, type=support.type, valid=listed(offered(support)))


def _missing(parameter: SearchParameter, raw: str) -> Clause:
    if raw not in ("true", "false"):
        raise SearchValueInvalid.of("search.value-missing", parameter.code, name=f"{parameter.code}:missing", value=raw)
    present = AllOf(()) if parameter.code in _SPECIAL else KINDS[parameter.kind].present(parameter.code)
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


_SPECIAL: Mapping[str, Parse] = {"_id": _id, "_lastUpdated": _last_updated}
"""Parameters that the stores answer from the resource itself, without index rows. Every resource has both."""
