"""Resources to index entries, by the expressions of their search parameters.

https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from fhir_server import fhirpath
from fhir_server.definitions.registry import Definitions, SearchParameter
from fhir_server.fhir.dates import microseconds
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search.filing import Filing
from fhir_server.search.implied import NONE_IMPLIED, implied_systems
from fhir_server.search.kinds import KINDS, File, token
from fhir_server.search.offered import offered
from fhir_server.search.rows import IndexEntries

_WITHOUT_ROWS = frozenset({"_id", "_lastUpdated"})


class ExpressionBroken(ValueError):  # noqa: N818 -- says what is broken: the definition, not the request
    """The expression of a search parameter does not compile; the message names the parameter."""

    def __init__(self, type_: str, parameter: SearchParameter, reason: ValueError) -> None:
        super().__init__(f"{parameter.url} ({type_}?{parameter.code}): {parameter.expression!r}: {reason}")


@dataclass(frozen=True, slots=True)
class _Compiled:
    code: str
    nodes: Callable[[JsonObject], list[tuple[Any, str]]]
    file: File


class Extractor:
    """Computes the index entries of resources; expressions are compiled once a type."""

    def __init__(self, definitions: Definitions, zone: tzinfo, *, base_url: str = "") -> None:
        """Takes the parameters from `definitions`; `zone` reads dates without an offset.

        References below `base_url`, this server's own, are filed as local.
        """
        self._definitions = definitions
        self._zone = zone
        self._base_url = base_url
        self._by_type: dict[str, tuple[_Compiled, ...]] = {}

    def compile_all(self) -> None:
        """Compiles the parameters of every supported type, so that a broken one is found at start.

        Raises:
            ExpressionBroken: an expression does not compile.
        """
        for type_ in self._definitions.resources:
            self._parameters(type_)

    def extract(self, resource: JsonObject, updated: datetime) -> IndexEntries:
        """Returns everything that the resource can be found by; contained resources are not indexed.

        Values that no kind can read, such as an impossible date, are not filed.

        Raises:
            KeyError: the server has no such type.
        """
        type_ = ResourceType(resource["resourceType"])
        filing = Filing(self._zone, self._base_url)
        for parameter in self._parameters(type_):
            for value, type_name in parameter.nodes(resource):
                parameter.file(parameter.code, value, type_name, filing)
        return filing.entries(self._sort_date(type_, filing, updated))

    def _sort_date(self, type_: ResourceType, filing: Filing, updated: datetime) -> int:
        code = self._definitions.resources[type_].sort_date
        lows = (int(row.low) for row in filing.ranges if row.param == code)
        return min(lows, default=microseconds(updated))

    def _parameters(self, type_: ResourceType) -> tuple[_Compiled, ...]:
        found = self._by_type.get(type_)
        if found is None:
            parameters = offered(self._definitions.resources[type_]).values()
            found = tuple(_compiled(self._definitions, type_, p) for p in parameters if p.code not in _WITHOUT_ROWS)
            self._by_type[type_] = found
        return found


def _compiled(definitions: Definitions, type_: ResourceType, parameter: SearchParameter) -> _Compiled:
    try:
        expression = fhirpath.compile(parameter.expression, type_)
    except ValueError as error:
        raise ExpressionBroken(type_, parameter, error) from error
    return _Compiled(parameter.code, expression.nodes, _filer(definitions, type_, parameter))


def _filer(definitions: Definitions, type_: ResourceType, parameter: SearchParameter) -> File:
    if parameter.kind == "token":
        systems = implied_systems(definitions, type_, parameter)
        if systems != NONE_IMPLIED:
            return token.rows_of_codes(systems)
    return KINDS[parameter.kind].file
