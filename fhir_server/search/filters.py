"""One search pair to one clause: `name[:modifier]=value`, https://hl7.org/fhir/R4/search.html#modifiers."""

from collections.abc import Callable, Mapping

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.search.aliases import renamed
from fhir_server.search.chains import chain_clause, check_paths, has_clause
from fhir_server.search.context import SearchContext
from fhir_server.search.kinds import KINDS, date
from fhir_server.search.names import ChainName, HasName, NamePart, PlainName, parse_name
from fhir_server.search.offered import offered_parameter
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
    check_paths(part, support, context)

    def read(part: NamePart, support: ResourceSupport) -> Clause:
        match part:
            case HasName():
                return has_clause(part, support, context, read)
            case ChainName():
                return chain_clause(part, support, context, read)
            case PlainName(code, modifier):
                parameter = offered_parameter(code, support)
                return renamed(_plain(parameter, raw, modifier, context), parameter, support)

    return read(part, support)


def _plain(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    if modifier == "missing":
        return _missing(parameter, raw)
    parse = _SPECIAL.get(parameter.code) or KINDS[parameter.kind].parse
    return parse(parameter, raw, modifier, context)


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
