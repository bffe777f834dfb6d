"""The search parameter types of R4, one module each, https://hl7.org/fhir/R4/search.html#ptypes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.kinds import date, number, quantity, reference, string, token, uri
from fhir_server.search.query import Clause, HasRange, KeyStarts, SortBy

Parse = Callable[[SearchParameter, str, str | None, SearchContext], Clause]
File = Callable[[str, Any, str, Filing], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One search parameter type.

    `parse` turns a raw value into a clause, `file` an extracted value into index rows, `present` says that the
    parameter has any value; `modifiers` are those `parse` takes (`:missing` goes for all, `:Type` for references).
    """

    modifiers: frozenset[str]
    parse: Parse
    file: File
    present: Callable[[str], Clause]
    sort_by: SortBy


def _has_key(code: str) -> Clause:
    return KeyStarts(code, "")


KINDS: Mapping[str, Kind] = {
    "string": Kind(string.MODIFIERS, string.parse, string.rows, _has_key, SortBy.TEXT),
    "token": Kind(token.MODIFIERS, token.parse, token.rows, _has_key, SortBy.KEY),
    "reference": Kind(reference.MODIFIERS, reference.parse, reference.rows, reference.present, SortBy.KEY),
    "uri": Kind(uri.MODIFIERS, uri.parse, uri.rows, _has_key, SortBy.KEY),
    "date": Kind(date.MODIFIERS, date.parse, date.rows, HasRange, SortBy.RANGE),
    "number": Kind(number.MODIFIERS, number.parse, number.rows, HasRange, SortBy.RANGE),
    "quantity": Kind(quantity.MODIFIERS, quantity.parse, quantity.rows, HasRange, SortBy.RANGE),
}
"""By the FHIR name of the type; `composite` and `special` are not offered."""
