"""Resources to index entries, by the expressions of their search parameters.

https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from fhir_server import fhirpath
from fhir_server.definitions.registry import Definitions, ResourceSupport, SearchParameter
from fhir_server.definitions.search_parameters import published_for
from fhir_server.errors import ResourceInvalid
from fhir_server.fhir.dates import microseconds
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search import composites, near, phonetic
from fhir_server.search.aliases import find_alias
from fhir_server.search.branches import union_branches
from fhir_server.search.entrance import entrance_keys
from fhir_server.search.filing import Filing
from fhir_server.search.implied import NONE_IMPLIED, implied_systems
from fhir_server.search.kinds import KINDS, File, token
from fhir_server.search.kinds.typed import FileTyped, typed_filer
from fhir_server.search.offered import offered
from fhir_server.search.rows import IndexEntries

_WITHOUT_ROWS = frozenset({"_id", "_lastUpdated"})


class ExpressionBroken(ValueError):
    """The expression of a search parameter does not compile; the message names the parameter."""

    def __init__(self, type_: str, parameter: SearchParameter, reason: ValueError) -> None:
        super().__init__(f"{parameter.url} ({type_}?{parameter.code}): {parameter.expression!r}: {reason}")


@dataclass(frozen=True, slots=True)
class _Branch:
    """One alternative of an expression, the keys it starts from (None: unknown), and what files its findings."""

    expression: fhirpath.Expression
    entrance: frozenset[str] | None
    filers: tuple[tuple[str, File], ...]


Compiled = tuple[tuple[Callable[[JsonObject, None], Sequence[Any]], FileTyped], ...]
"""What to run on resources that have certain keys: (what finds values, what files each)."""

MOST_SHAPES = 512
"""Sets of keys, per type, for which the branches to run are remembered."""


class Extractor:
    """Computes the index entries of resources; every expression is compiled once.

    Expressions of loaded packages are compiled when the extractor is built, R4's own when their type is first met.
    """

    def __init__(self, definitions: Definitions, zone: tzinfo, *, base_url: str = "") -> None:
        """Compiles the parameters of loaded packages; `zone` reads dates without an offset.

        References below `base_url`, this server's own, are filed as local.

        Raises:
            ExpressionBroken: the expression of a parameter does not compile.
        """
        self._definitions = definitions
        self._zone = zone
        self._base_url = base_url
        self._sort_dates = {type_: support.sort_date for type_, support in definitions.resources.items()}
        self._by_type: dict[ResourceType, tuple[_Branch, ...]] = {}
        self._by_shape: dict[ResourceType, dict[frozenset[str], Compiled]] = {t: {} for t in definitions.resources}
        for type_ in definitions.resources:
            _compile_own(definitions, type_)

    def over(self, definitions: Definitions) -> "Extractor":
        """Returns the extractor of other definitions, with the same zone and base; itself if nothing differs for it.

        Raises:
            ExpressionBroken: the expression of a parameter does not compile.
        """
        if definitions.resources is self._definitions.resources:
            return self
        return Extractor(definitions, self._zone, base_url=self._base_url)

    def extract(self, resource: JsonObject, updated: datetime) -> IndexEntries:
        """Returns everything that the resource can be found by; contained resources are not indexed.

        Values that no kind can read, such as an impossible date, are not filed.

        Raises:
            ResourceInvalid: an expression fails on this resource, which cannot be a valid one.
            KeyError: the server has no such type.
        """
        type_ = ResourceType(resource["resourceType"])
        filing = Filing(self._zone, self._base_url)
        try:
            for values, file in self._compiled_for(type_, frozenset(resource)):
                for value in values(resource, None):
                    if value is not None:
                        file(value, filing)
        except fhirpath.MALFORMED:
            filing = self._filed_with_care(type_, resource)
        return filing.entries(self._sort_date(type_, filing, updated))

    def _filed_with_care(self, type_: ResourceType, resource: JsonObject) -> Filing:
        """Files a resource that the fast way stumbled over: its shape is odd, and perhaps not too odd.

        Raises:
            ResourceInvalid: an expression fails on it.
        """
        filing = Filing(self._zone, self._base_url)
        for branch in self._branches_of(type_):
            for value, type_name in _nodes(branch, resource):
                for code, file in branch.filers:
                    file(code, value, type_name, filing)
        return filing

    def _compiled_for(self, type_: ResourceType, present: frozenset[str]) -> Compiled:
        """Returns what can find anything in resources that have these keys."""
        known = self._by_shape[type_]
        found = known.get(present)
        if found is None:
            branches = (b for b in self._branches_of(type_) if b.entrance is None or not b.entrance.isdisjoint(present))
            found = tuple(map(_compiled_branch, branches))
            if len(known) < MOST_SHAPES:
                known[present] = found
        return found

    def _branches_of(self, type_: ResourceType) -> tuple[_Branch, ...]:
        found = self._by_type.get(type_)
        if found is None:
            found = self._by_type[type_] = _branches(self._definitions, type_)
        return found

    def _sort_date(self, type_: ResourceType, filing: Filing, updated: datetime) -> int:
        code = self._sort_dates[type_]
        lows = [int(low) for param, low, _, _ in filing.ranges if param == code]
        return min(lows) if lows else microseconds(updated)


def _compile_own(definitions: Definitions, type_: ResourceType) -> None:
    published = published_for(type_)
    for parameter in _filed_parameters(definitions, type_):
        if published.get(parameter.code) is not parameter:
            for text in union_branches(parameter.expression):
                _compiled(text, type_, parameter)


def _filed_parameters(definitions: Definitions, type_: ResourceType) -> list[SearchParameter]:
    support = definitions.resources[type_]
    return [
        p for p in offered(support).values() if p.code not in _WITHOUT_ROWS and _files_rows(p, support, definitions)
    ]


def _files_rows(parameter: SearchParameter, support: ResourceSupport, definitions: Definitions) -> bool:
    if parameter.kind == composites.KIND:
        return composites.files_rows(parameter, support, definitions.model)
    return find_alias(parameter, support) is None


def _branches(definitions: Definitions, type_: ResourceType) -> tuple[_Branch, ...]:
    expressions: dict[str, fhirpath.Expression] = {}
    filers: dict[str, list[tuple[str, File]]] = {}
    for parameter in _filed_parameters(definitions, type_):
        for text in union_branches(parameter.expression):
            expressions[text] = expressions.get(text) or _compiled(text, type_, parameter)
            filers.setdefault(text, []).append((parameter.code, _filer(definitions, type_, parameter)))
    return tuple(_Branch(e, entrance_keys(e, type_), tuple(filers[text])) for text, e in expressions.items())


def _compiled(text: str, type_: ResourceType, parameter: SearchParameter) -> fhirpath.Expression:
    try:
        return fhirpath.compile(text, type_)
    except ValueError as error:
        raise ExpressionBroken(type_, parameter, error) from error


def _compiled_branch(branch: _Branch) -> tuple[Callable[[JsonObject, None], Sequence[Any]], FileTyped]:
    """Returns what finds the values of a branch and what files one of them; where types differ, pairs are passed on."""
    lister = branch.expression.lister()
    if lister is None:
        return branch.expression.extractor(), _all_of([_of_pairs(code, file) for code, file in branch.filers])
    values, type_name = lister
    return values, _all_of([typed_filer(code, file, type_name) for code, file in branch.filers])


def _of_pairs(code: str, file: File) -> FileTyped:
    return lambda pair, filing: file(code, pair[0], pair[1], filing)


def _all_of(filers: Sequence[FileTyped]) -> FileTyped:
    if len(filers) == 1:
        return filers[0]

    def file_all(value: Any, filing: Filing) -> None:
        for file in filers:
            file(value, filing)

    return file_all


def _nodes(branch: _Branch, resource: JsonObject) -> list[tuple[Any, str]]:
    try:
        return branch.expression.nodes(resource)
    except fhirpath.EvaluationError as error:
        names, type_ = ", ".join(code for code, _ in branch.filers), resource["resourceType"]
        raise ResourceInvalid.of("search.not-indexable", type_, name=names, type=type_, reason=str(error)) from error


def _filer(definitions: Definitions, type_: ResourceType, parameter: SearchParameter) -> File:
    if parameter.kind == composites.KIND:
        return composites.filer(definitions, definitions.resources[type_], parameter)
    if parameter.code == near.CODE:
        return near.rows
    if parameter.kind == "token":
        systems = implied_systems(definitions, type_, parameter)
        if systems != NONE_IMPLIED:
            return token.rows_of_codes(systems)
    return phonetic.rows if parameter.code == phonetic.CODE else KINDS[parameter.kind].file
