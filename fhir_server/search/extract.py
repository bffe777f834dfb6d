"""Resources to index entries, by the expressions of their search parameters.

https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from fhir_server import fhirpath
from fhir_server.definitions.registry import Definitions, ResourceSupport, SearchParameter
from fhir_server.definitions.search_parameters import published_for
from fhir_server.errors import ResourceInvalid
from fhir_server.fhir.dates import microseconds
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search import composites, near, paired, phonetic
from fhir_server.search.aliases import find_alias
from fhir_server.search.branches import union_branches
from fhir_server.search.compiled import FileProperty, Filer, Place, compiled
from fhir_server.search.contained import entries_with_contained
from fhir_server.search.entrance import entrance_keys
from fhir_server.search.filing import Filing
from fhir_server.search.implied import NONE_IMPLIED, implied_systems
from fhir_server.search.kinds import KINDS, token
from fhir_server.search.offered import offered
from fhir_server.search.paths import Step, find_paths
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
    filers: tuple[Filer, ...]
    is_published: bool
    """Whether a parameter of R4 itself uses it: then only an invalid resource can make it fail."""


@dataclass(frozen=True, slots=True)
class _Search:
    """The branches of which one function is enough: what finds their values, and what files one with its type."""

    entrance: frozenset[str] | None
    pairs: Callable[[JsonObject, None], Sequence[tuple[Any, str]]]
    filers: tuple[Filer, ...]


@dataclass(frozen=True, slots=True)
class _OfType:
    """How resources of a type are filed: the places below each property, what is compiled of them, other searches."""

    branches: tuple[_Branch, ...]
    place: Place
    searches: tuple[_Search, ...]
    sort_date: str | None
    steps: Mapping[str, Step]
    by_key: dict[str, FileProperty]

    def file_property(self, key: str) -> FileProperty:
        """Compiles what files a property of that key, the first time that it is met."""
        step = self.steps.get(key)
        if step is None:
            return _nothing
        self.by_key[key] = made = compiled(step, self.place.below[step])
        return made


class Extracted(NamedTuple):
    """Index entries, and the values of keys in them that reference parameters have filed; not always all of those."""

    entries: IndexEntries
    referred: AbstractSet[str]


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
        self._by_type: dict[ResourceType, _OfType] = {}
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
        """Returns everything that the resource can be found by, what it contains included.

        Values that no kind can read, such as an impossible date, are not filed; nor is anything by a parameter that R4
        does not define where its expression fails: it must not keep valid resources out.

        Raises:
            ResourceInvalid: an expression of R4 fails on this resource, which cannot be a valid one.
            KeyError: the server has no such type.
        """
        return self.extracted(resource, updated).entries

    def extracted(self, resource: JsonObject, updated: datetime) -> Extracted:
        """Returns what `extract` does, and the references among it.

        Raises:
            ResourceInvalid: an expression of R4 fails on this resource, which cannot be a valid one.
            KeyError: the server has no such type.
        """
        if resource.get("contained"):
            types = self._definitions.resources
            return Extracted(entries_with_contained(resource, updated, self.extract, types), frozenset())
        type_ = ResourceType(resource["resourceType"])
        of_type = self._by_type.get(type_) or self._made_of_type(type_)
        try:
            filing = self._filed(of_type, resource)
        except (*fhirpath.MALFORMED, fhirpath.EvaluationError):
            filing = self._filed_with_care(of_type, resource)
        return Extracted(filing.entries(_sort_date(of_type.sort_date, filing, updated)), filing.referred)

    def _filed(self, of_type: _OfType, resource: JsonObject) -> Filing:
        filing = Filing(self._zone, self._base_url)
        known = of_type.by_key
        for key, value in resource.items():
            (known.get(key) or of_type.file_property(key))(value, filing)
        for search in of_type.searches:
            if search.entrance is None or not search.entrance.isdisjoint(resource):
                for value, type_name in search.pairs(resource, None):
                    for filer in search.filers:
                        filer.rows(filer.code, value, type_name, filing)
        return filing

    def _filed_with_care(self, of_type: _OfType, resource: JsonObject) -> Filing:
        """Files a resource that the fast way stumbled over: its shape is odd, or an expression is not made for it.

        Raises:
            ResourceInvalid: an expression of R4 fails on it.
        """
        filing = Filing(self._zone, self._base_url)
        for branch in of_type.branches:
            for value, type_name in _nodes(branch, resource):
                for filer in branch.filers:
                    filer.rows(filer.code, value, type_name, filing)
        return filing

    def _made_of_type(self, type_: ResourceType) -> _OfType:
        made = self._by_type[type_] = _of_type(self._definitions, type_)
        return made


def _nothing(value: Any, filing: Filing) -> None:
    """Files nothing."""


def _sort_date(code: str | None, filing: Filing, updated: datetime) -> int:
    lows = [int(row.low) for row in filing.ranges if row.param == code]
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


def _of_type(definitions: Definitions, type_: ResourceType) -> _OfType:
    place, searches, branches = Place(), [], _branches(definitions, type_)
    for branch in branches:
        paths = find_paths(branch.expression, type_)
        for path in paths or ():
            place.add(path, branch.filers)
        if paths is None:
            searches.append(_Search(branch.entrance, branch.expression.extractor(), branch.filers))
    steps = {step.key: step for step in place.below}
    by_key: dict[str, FileProperty] = dict.fromkeys(
        {"resourceType", *definitions.model.properties[type_]} - steps.keys(), _nothing
    )
    return _OfType(branches, place, tuple(searches), definitions.resources[type_].sort_date, steps, by_key)


def _branches(definitions: Definitions, type_: ResourceType) -> tuple[_Branch, ...]:
    expressions: dict[str, fhirpath.Expression] = {}
    filers: dict[str, list[Filer]] = {}
    published = published_for(type_)
    of_r4: set[str] = set()
    for parameter in _filed_parameters(definitions, type_):
        for text in union_branches(parameter.expression):
            expressions[text] = expressions.get(text) or _compiled(text, type_, parameter)
            filers.setdefault(text, []).append(_filer(definitions, type_, parameter))
            of_r4 |= {text} if published.get(parameter.code) is parameter else set()
    return tuple(
        _Branch(e, entrance_keys(e, type_), tuple(filers[text]), text in of_r4) for text, e in expressions.items()
    )


def _compiled(text: str, type_: ResourceType, parameter: SearchParameter) -> fhirpath.Expression:
    try:
        return fhirpath.compile(text, type_)
    except ValueError as error:
        raise ExpressionBroken(type_, parameter, error) from error


def _nodes(branch: _Branch, resource: JsonObject) -> list[tuple[Any, str]]:
    try:
        return branch.expression.nodes(resource)
    except fhirpath.EvaluationError as error:
        if not branch.is_published:
            return []
        names, type_ = ", ".join(filer.code for filer in branch.filers), resource["resourceType"]
        raise ResourceInvalid.of("search.not-indexable", type_, name=names, type=type_, reason=str(error)) from error


def _filer(definitions: Definitions, type_: ResourceType, parameter: SearchParameter) -> Filer:
    code, support = parameter.code, definitions.resources[type_]
    if parameter.kind == composites.KIND:
        source, names = paired.find_source(parameter, definitions, support) or (None, ())
        return Filer(code, composites.filer(definitions, support, parameter), source=source, names=names)
    if code == near.CODE:
        return Filer(code, near.rows)
    systems = implied_systems(definitions, type_, parameter) if parameter.kind == "token" else NONE_IMPLIED
    if systems != NONE_IMPLIED:
        return Filer(code, token.rows_of_codes(systems), systems)
    return Filer(code, phonetic.rows if code == phonetic.CODE else KINDS[parameter.kind].file)
