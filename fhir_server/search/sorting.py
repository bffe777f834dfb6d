"""`_sort` values, https://hl7.org/fhir/R4/search.html#_sort."""

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import Issue, SearchParameterUnknown, SearchValueInvalid
from fhir_server.search.aliases import COMBINED, find_alias
from fhir_server.search.kinds import KINDS
from fhir_server.search.offered import find_offered, listed, offered
from fhir_server.search.query import SortBy, SortKey

_BY_NAME = {"_id": SortBy.ID, "_lastUpdated": SortBy.UPDATED}


def parse_sort(raw: str, support: ResourceSupport) -> tuple[list[tuple[str, SortKey]], list[Issue]]:
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
        parameter = find_offered(name, support)
        if parameter is None or parameter.kind not in KINDS or name.startswith(COMBINED):
            unknown += _unknown(name, support).issues
        else:
            known.append((text, _key(parameter, support, descending=text.startswith("-"))))
    return known, unknown


def _key(parameter: SearchParameter, support: ResourceSupport, *, descending: bool) -> SortKey:
    code = parameter.code
    if code in _BY_NAME:
        return SortKey(_BY_NAME[code], descending=descending)
    if code == support.sort_date:
        return SortKey(SortBy.CLINICAL, descending=descending)
    alias = find_alias(parameter, support)
    return SortKey(KINDS[parameter.kind].sort_by, alias.codes[0] if alias else code, descending)


def _unknown(name: str, support: ResourceSupport) -> SearchParameterUnknown:
    valid = listed(offered(support))
    return SearchParameterUnknown.of("search.sort-unknown", "_sort", name=name, type=support.type, valid=valid)
