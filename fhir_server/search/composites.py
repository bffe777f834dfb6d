"""Composite parameters, `first$second` of one element, https://hl7.org/fhir/R4/search.html#composite.

One whose components are single elements of the resource itself (`code-value-quantity`) is both of them at once, and costs
no index rows. Of the others the second component is filed as a parameter of its own for each first, which is a token:
`component-code-value-quantity=8480-6␟http://loinc.org␞`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fhir_server import fhirpath
from fhir_server.definitions.registry import Definitions, ResourceSupport, SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir.type_model import TypeModel
from fhir_server.search.aliases import Alias, find_alias, renamed, without_aliases
from fhir_server.search.context import SearchContext
from fhir_server.search.entrance import entrance_keys
from fhir_server.search.filing import Filing
from fhir_server.search.implied import implied_systems
from fhir_server.search.kinds import KINDS, token
from fhir_server.search.query import AllOf, AnyOf, Clause, HasRange, KeyEnds, KeyIs, KeyStarts
from fhir_server.search.rows import LABEL, RangeRow, TextRow
from fhir_server.search.values import any_of, split
from fhir_server.search.wild import PAIR, WILD

KIND = "composite"
File = Callable[[str, Any, str, Filing], None]


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite of one type: its two components, their paths, and whether they are elements of the resource itself."""

    first: SearchParameter
    second: SearchParameter
    paths: tuple[str, str]
    is_rewritten: bool


def find_composite(parameter: SearchParameter, support: ResourceSupport, model: TypeModel) -> Composite | None:
    """Returns the parts of a composite, or None when it does not pair a token with another parameter of the type."""
    parts = [p for url, path in parameter.components if (p := _component(parameter, url, path, support)) is not None]
    if len(parts) != 2 or len(parameter.components) != 2 or parts[0].kind != "token" or parts[1].kind not in KINDS:
        return None
    paths = parameter.components[0][1], parameter.components[1][1]
    rooted = parameter.expression == support.type
    return Composite(parts[0], parts[1], paths, rooted and _are_single(paths, support.type, model))


def _component(parameter: SearchParameter, url: str, path: str, support: ResourceSupport) -> SearchParameter | None:
    """Returns the parameter of the component's very path, or else the one that its definition names.

    R4 names those of DocumentReference's `relationship` the wrong way round.
    """
    named = next((p for p in support.search.values() if p.url == url), None)
    own = f"{parameter.expression}.{path}"
    if named is not None and named.expression == own:
        return named
    return next((p for p in support.search.values() if p.expression == own), named)


def _are_single(paths: Sequence[str], type_: str, model: TypeModel) -> bool:
    """Tells whether no path starts from a repeating element; a choice of types is one element."""
    names = {branch.strip(" (").split(".")[0].split(" ")[0] for path in paths for branch in path.split("|")}
    known = model.properties[type_]
    found = [known[key] for name in names for key in (name, *model.choice_keys(type_, name)) if key in known]
    return bool(found) and not any(each.is_array for each in found)


def files_rows(parameter: SearchParameter, support: ResourceSupport, model: TypeModel) -> bool:
    """Tells whether a composite has index rows of its own."""
    found = None if find_alias(parameter, support) else find_composite(parameter, support, model)
    return found is not None and not found.is_rewritten


def parse(parameter: SearchParameter, raw: str, support: ResourceSupport, context: SearchContext) -> Clause:
    """Returns the clause of `first$second`, alternatives joined by commas.

    Raises:
        SearchValueInvalid: an alternative has not two components, or one that cannot be read.
    """
    return any_of(parameter.code, raw, lambda part: _clause(parameter, part, support, context))


def _clause(parameter: SearchParameter, part: str, support: ResourceSupport, context: SearchContext) -> Clause:
    halves = split(part, "$")
    if len(halves) != 2 or not all(halves):
        raise SearchValueInvalid.of("search.value-composite", parameter.code, name=parameter.code, value=part)
    return _each(parameter, support, context, lambda one, found: _pair(one, found, halves, support, context))


def present(parameter: SearchParameter, support: ResourceSupport, context: SearchContext) -> Clause:
    """Returns the clause that both components are there, in one element."""

    def both(one: SearchParameter, found: Composite) -> Clause:
        if found.is_rewritten:
            return AllOf(tuple(KINDS[p.kind].present(p.code) for p in (found.first, found.second)))
        return AnyOf((KeyStarts(one.code, ""), HasRange(f"{one.code}={WILD}")))

    return _each(parameter, support, context, both)


def _each(
    parameter: SearchParameter,
    support: ResourceSupport,
    context: SearchContext,
    build: Callable[[SearchParameter, Composite], Clause],
) -> Clause:
    """Returns the clause of a composite, or of those that an alias stands for."""
    alias = find_alias(parameter, support)
    members = [support.search[code] for code in alias.codes] if alias else [parameter]
    pairs = [(one, find_composite(one, support, context.definitions.model)) for one in members]
    clauses = tuple(build(one, found) for one, found in pairs if found is not None)
    return clauses[0] if len(clauses) == 1 else AnyOf(clauses)


def _pair(
    parameter: SearchParameter,
    composite: Composite,
    halves: Sequence[str],
    support: ResourceSupport,
    context: SearchContext,
) -> Clause:
    first = token.clause_of(composite.first.code, halves[0])
    second = KINDS[composite.second.kind].parse(composite.second, halves[1], None, context)
    if composite.is_rewritten:
        return AllOf((renamed(first, composite.first, support), renamed(second, composite.second, support)))
    name = f"{parameter.code}={_pattern(first)}{PAIR}"
    return without_aliases(second, composite.second.code, Alias((name,)))


def _pattern(first: Clause) -> str:
    """Returns what the filed key of the first component looks like."""
    match first:
        case KeyIs():
            return first.value
        case KeyStarts():
            return first.prefix + WILD
        case KeyEnds():
            return WILD + first.suffix
    msg = f"a token is none of its tests: {first}"
    raise TypeError(msg)


def filer(definitions: Definitions, support: ResourceSupport, parameter: SearchParameter) -> File:
    """Returns what files the elements that a composite is about."""
    found = find_composite(parameter, support, definitions.model)
    if found is None:
        msg = f"{parameter.url} pairs no token with another parameter of {support.type}"
        raise ValueError(msg)
    systems = implied_systems(definitions, support.type, found.first)
    first_of, second_of = found.paths
    file_second = KINDS[found.second.kind].file

    def file(code: str, value: Any, type_name: str, filing: Filing) -> None:
        found = Filing(filing.zone, filing.base_url)
        for item, item_type in _nodes(second_of, type_name, value):
            file_second("", item, item_type, found)
        if found.keys or found.ranges:
            keys = _token_keys(_nodes(first_of, type_name, value), systems.of)
            _refile(found, [f"{code}={key}{PAIR}" for key in keys], filing)

    return file


def _refile(found: Filing, names: Sequence[str], filing: Filing) -> None:
    """Files what was found under the name of nothing under each of these names; labels of codes are left out."""
    for name in names:
        filing.keys.update(name + key for key in found.keys if not key.startswith(LABEL))
        filing.ranges.update({RangeRow(name + param, low, high, unit): None for param, low, high, unit in found.ranges})
        filing.texts.update({TextRow(name + row.param, row.normal, row.exact): None for row in found.texts})


def _token_keys(nodes: Sequence[tuple[Any, str]], system_of: Callable[[str], str]) -> list[str]:
    pairs = [
        (code, system or (system_of(code) if type_name == "code" else ""))
        for value, type_name in nodes
        for code, system in token.tokens(value, type_name)
    ]
    return [token.key(code, system) for code, system in pairs]


def _nodes(path: str, type_name: str, value: Any) -> Sequence[tuple[Any, str]]:
    expression, find, entrance = _compiled(path, type_name)
    if entrance is not None and type(value) is dict and entrance.isdisjoint(value):
        return ()
    try:
        return [pair for pair in find(value, None) if pair is not None]
    except fhirpath.MALFORMED:
        return expression.nodes(value)


@lru_cache(256)
def _compiled(path: str, type_name: str) -> tuple[fhirpath.Expression, Callable[..., Any], frozenset[str] | None]:
    """Returns a component's expression, its quick form, and the keys of which an element must have one."""
    expression = fhirpath.compile(path, type_name)
    is_known = type_name in expression.model.properties
    return expression, expression.extractor(), entrance_keys(expression, type_name) if is_known else None
