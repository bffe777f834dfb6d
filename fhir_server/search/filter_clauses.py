"""What a `_filter` asks of index rows, https://hl7.org/fhir/R4/search_filter.html.

Comparisons become the pairs that ask the same (`name co "x"` is `name:contains=x`). `ne` of anything but dates, numbers and
quantities is true of resources that have values, none of them equal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.search import composites
from fhir_server.search.aliases import renamed
from fhir_server.search.chains import chain_clause, check_paths
from fhir_server.search.context import SearchContext
from fhir_server.search.filter_syntax import Comparison, Filter, Junction, Negation, Step, parse_filter
from fhir_server.search.names import ChainName, NamePart, PlainName
from fhir_server.search.normal import normalise
from fhir_server.search.offered import listed, offered_parameter
from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    KeyEnds,
    KeyIs,
    KeyStarts,
    Not,
    RangeOp,
    RangeTest,
    UpdatedTest,
)

ReadPair = Callable[[str, str, ResourceSupport], Clause]
"""Reads one pair `name[:modifier]`, value of the query string, asked of a type."""

_PREFIXES = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb"})
_PREFIXED = frozenset({"date", "number", "quantity"})
_MODIFIERS: Mapping[tuple[str, str], str] = {
    ("string", "co"): ":contains",
    ("string", "sw"): "",
    ("token", "in"): ":in",
    ("token", "ss"): ":below",
    ("token", "sb"): ":above",
    ("reference", "re"): "",
    **{(kind, "eq"): "" for kind in ("token", "reference", "uri", "composite", "special")},
}
"""Comparisons that a pair of the query string says as well: its modifier."""

_KEYS: Mapping[tuple[str, str], Callable[[str, str], Clause]] = {
    ("string", "eq"): lambda code, text: KeyIs(code, normalise(text)),
    ("string", "ew"): lambda code, text: KeyEnds(code, normalise(text)),
    ("token", "sw"): lambda code, text: KeyStarts(code, text.lower()),
    ("uri", "sw"): KeyStarts,
    ("uri", "ew"): KeyEnds,
}
"""Comparisons that only keys answer."""


def filter_clause(raw: str, support: ResourceSupport, context: SearchContext, read: ReadPair) -> Clause:
    """Returns the clause of a `_filter` on a type; `read` reads the pairs that its comparisons come to.

    Raises:
        SearchParameterUnknown: a parameter that the type does not have.
        SearchValueInvalid: not the grammar, a value that cannot be read, or an operation that the parameter does not take.
    """
    return _Builder(context, read).clause(parse_filter(raw), support)


class _Builder:
    """Turns filters into clauses."""

    def __init__(self, context: SearchContext, read: ReadPair) -> None:
        self._context = context
        self._read = read

    def clause(self, found: Filter, support: ResourceSupport) -> Clause:
        """Returns the clause of a filter on a type."""
        match found:
            case Negation():
                return Not(self.clause(found.inner, support))
            case Junction():
                both = (self.clause(found.left, support), self.clause(found.right, support))
                return AllOf(both) if found.is_and else AnyOf(both)
            case Comparison():
                check_paths(_name_of(found.path), support, self._context)
                return self._along(found.path, found, support)

    def _along(self, path: Sequence[Step], found: Comparison, support: ResourceSupport) -> Clause:
        step, rest = path[0], path[1:]
        if not rest:
            return self._leaf(step.name, found, support)

        def inner(_: NamePart, target: ResourceSupport) -> Clause:
            clause = self._along(rest, found, target)
            return clause if step.where is None else AllOf((self.clause(step.where, target), clause))

        name = _name_of(path)
        assert isinstance(name, ChainName)
        return chain_clause(name, support, self._context, inner)

    def _leaf(self, code: str, found: Comparison, support: ResourceSupport) -> Clause:
        parameter = offered_parameter(code, support)
        if found.operation == "pr":
            return self._present(code, found, support)
        if parameter.kind not in _PREFIXED and found.operation == "ne":
            equal = self._leaf(code, replace(found, operation="eq"), support)
            return AllOf((self._read(f"{code}:missing", "false", support), Not(equal)))
        key = (parameter.kind, found.operation)
        if parameter.kind in _PREFIXED and found.operation in _PREFIXES:
            return self._read(code, found.operation + _escaped(found.value), support)
        if key == ("date", "po"):
            return _overlapping(self._read(code, f"eq{_escaped(found.value)}", support))
        if key in _MODIFIERS:
            raw = found.value if parameter.kind == composites.KIND else _escaped(found.value)
            return self._read(code + _MODIFIERS[key], raw, support)
        if key in _KEYS and code != "_id":
            return renamed(_KEYS[key](code, found.value), parameter, support)
        raise _not_taken(parameter, found.operation)

    def _present(self, code: str, found: Comparison, support: ResourceSupport) -> Clause:
        if found.value not in ("true", "false"):
            raise SearchValueInvalid.of("search.value-missing", code, name=f"{code} pr", value=found.value)
        return self._read(f"{code}:missing", "false" if found.value == "true" else "true", support)


def _name_of(path: Sequence[Step]) -> NamePart:
    first, rest = path[0], path[1:]
    return ChainName(first.name, first.target, _name_of(rest)) if rest else PlainName(first.name)


def _escaped(value: str) -> str:
    """Returns a value of one alternative and one component; its bars keep their meaning."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$")


def _overlapping(clause: Clause) -> Clause:
    return replace(clause, op=RangeOp.AP) if isinstance(clause, RangeTest | UpdatedTest) else clause


def _not_taken(parameter: SearchParameter, operation: str) -> SearchValueInvalid:
    taken = {found for kind, found in (*_MODIFIERS, *_KEYS) if kind == parameter.kind} | {"ne", "pr"}
    if parameter.kind in _PREFIXED:
        taken |= _PREFIXES | ({"po"} if parameter.kind == "date" else set())
    return SearchValueInvalid.of(
        "search.filter-operation",
        parameter.code,
        name=parameter.code,
        kind=parameter.kind,
        found=operation,
        valid=listed(sorted(taken)),
    )
