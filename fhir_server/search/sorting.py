"""`_sort` values, https://hl7.org/fhir/R4/search.html#_sort.

A key may lead through one reference to what the resources there are searched by: `patient.birthdate`, `subject:Patient.name`.
R4 leaves that open; R5 and other servers spell it so.
"""

from collections.abc import Sequence

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import Issue, SearchParameterUnknown, SearchValueInvalid
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.aliases import COMBINED, Alias, find_alias
from fhir_server.search.chains import followed, targets_of
from fhir_server.search.context import SearchContext
from fhir_server.search.kinds import KINDS
from fhir_server.search.names import ChainName, PlainName, parse_name
from fhir_server.search.offered import find_offered, listed, offered
from fhir_server.search.query import Hop, SortBy, SortKey

_BY_NAME = {"_id": SortBy.ID, "_lastUpdated": SortBy.UPDATED}


def parse_sort(
    raw: str, support: ResourceSupport, context: SearchContext
) -> tuple[list[tuple[str, SortKey]], list[Issue]]:
    """Returns the sort keys, each with its text, and a finding for every name that the type cannot be sorted by.

    Raises:
        SearchValueInvalid: an empty name in the list.
    """
    known: list[tuple[str, SortKey]] = []
    unknown: list[Issue] = []
    for text in raw.split(","):
        name = text.removeprefix("-")
        if not name:
            raise SearchValueInvalid.of("search.value-empty", "_sort", name="_sort", value=raw)
        try:
            key = _through(name, support, context) if "." in name else _own(name, support)
        except SearchParameterUnknown as error:
            unknown += error.issues
        else:
            known.append((text, SortKey(key.by, key.param, text.startswith("-"), key.through)))
    return known, unknown


def _own(name: str, support: ResourceSupport) -> SortKey:
    """Returns the key of a parameter of the type itself.

    Raises:
        SearchParameterUnknown: it cannot be sorted by that.
    """
    parameter = _sortable(name, support)
    if parameter.code == support.sort_date:
        return SortKey(SortBy.CLINICAL)
    return _filed_key(parameter, support)


def _through(name: str, support: ResourceSupport, context: SearchContext) -> SortKey:
    """Returns the key of `reference.code` or `reference:Type.code`; without a type, all that know the code count.

    Raises:
        SearchParameterUnknown: no such reference, no target that can be sorted by the code, targets that differ in what
            they are sorted by, or more than one step.
    """
    part = parse_name(name)
    if not isinstance(part, ChainName) or not isinstance(part.rest, PlainName) or part.rest.modifier is not None:
        raise SearchParameterUnknown.of("search.sort-chain", "_sort", name=name)
    parameter = followed(part.code, support)
    alias = find_alias(parameter, support) or Alias((parameter.code,))
    targets = [type_ for type_ in targets_of(part, parameter, context) if alias.only in ("", type_)]
    keys = _keys_there(part.rest.code, targets, context)
    if len(set(keys.values())) != 1:
        raise SearchParameterUnknown.of("search.sort-ambiguous", "_sort", name=name, valid=listed(list(keys)))
    key = next(iter(keys.values()))
    return SortKey(key.by, key.param, through=tuple(Hop(code, type_) for code in alias.codes for type_ in keys))


def _keys_there(code: str, targets: Sequence[ResourceType], context: SearchContext) -> dict[ResourceType, SortKey]:
    """Returns the key of each target type that can be sorted by the code.

    Raises:
        SearchParameterUnknown: none can.
    """
    keys: dict[ResourceType, SortKey] = {}
    unknown: list[Issue] = []
    for type_ in targets:
        support = context.definitions.resources[type_]
        try:
            keys[type_] = _filed_key(_sortable(code, support), support)
        except SearchParameterUnknown as error:
            unknown += error.issues
    if unknown and not keys:
        raise SearchParameterUnknown(*unknown)
    return keys


def _sortable(name: str, support: ResourceSupport) -> SearchParameter:
    parameter = find_offered(name, support)
    if parameter is None or parameter.kind not in KINDS or name.startswith(COMBINED):
        valid = listed(offered(support))
        raise SearchParameterUnknown.of("search.sort-unknown", "_sort", name=name, type=support.type, valid=valid)
    return parameter


def _filed_key(parameter: SearchParameter, support: ResourceSupport) -> SortKey:
    """Returns the key of the rows that a parameter files."""
    code = parameter.code
    if code in _BY_NAME:
        return SortKey(_BY_NAME[code])
    alias = find_alias(parameter, support)
    return SortKey(KINDS[parameter.kind].sort_by, alias.codes[0] if alias else code)
