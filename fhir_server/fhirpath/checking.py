"""What is wrong with an expression before it runs: elements, types and orders that its input does not have.

http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation. Where a type cannot be told, nothing is held against it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import syntax
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.nodes import QUANTITY_PARTS, properties_called, system_type
from fhir_server.fhirpath.types import is_of, type_names
from fhir_server.fhirpath.urls import named_url

Types: TypeAlias = frozenset[str] | None
"""The types that a value may have; None: not known; empty: there is never a value."""

_BOOLEAN, _INTEGER, _DECIMAL, _STRING, _QUANTITY = (
    frozenset({f"System.{name}"}) for name in ("Boolean", "Integer", "Decimal", "String", "Quantity")
)
_SAME = frozenset(
    ("where", "first", "last", "tail", "skip", "take", "single", "distinct", "trace", "intersect", "exclude", "sort", "checkModifiers", "defineVariable")
)  # fmt: skip
_RESULTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("exists", "empty", "all", "allTrue", "anyTrue", "allFalse", "anyFalse", "not", "subsetOf", "supersetOf", "isDistinct", "startsWith", "endsWith", "contains", "matches", "matchesFull", "hasValue", "hasExtension", "memberOf", "conformsTo", "htmlChecks", "subsumes", "subsumedBy", "comparable"),
        _BOOLEAN,
    ),
    **dict.fromkeys(("count", "length", "indexOf", "lastIndexOf", "toInteger", "precision"), _INTEGER),
    **dict.fromkeys(
        ("substring", "upper", "lower", "replace", "replaceMatches", "trim", "toString", "toChars", "split", "join", "encode", "decode", "escape", "unescape"),
        _STRING,
    ),
    "extension": frozenset({"Extension"}), "today": frozenset({"System.Date"}), "now": frozenset({"System.DateTime"}),
}  # fmt: skip
_ON_ITEMS = frozenset(
    {"where", "select", "all", "exists", "repeat", "repeatAll", "sort", "aggregate", "iif", "trace", "coalesce"}
)
_ORDERED = frozenset({"first", "last", "tail", "skip", "take"})
_UNORDERED = frozenset({"children", "descendants"})
_TRUTH = frozenset({"and", "or", "xor", "implies", "=", "!=", "~", "!~", "<", ">", "<=", ">=", "in", "contains"})
_UNTYPED = frozenset({"", "Resource", "DomainResource", "System.TypeInfo"})


def faults_of(tree: syntax.Node, type_: str, model: TypeModel) -> list[FhirPathError]:
    """Returns what is wrong with an expression on inputs of `type_`, in reading order; all is well with unknown types."""
    this = frozenset({type_}) if type_ in model.properties or type_ in model.primitives else None
    owner = type_.partition(".")[0]
    checker = _Checker(model, this, frozenset({owner}) if owner in model.resources else None)
    checker.types(tree, this)
    return sorted(checker.found, key=lambda error: error.position)


@dataclass(frozen=True, slots=True)
class _Checker:
    """Walks an expression with the types that `$this` may have."""

    model: TypeModel
    context: Types
    resource: Types
    found: list[FhirPathError] = field(default_factory=list)

    def types(self, node: syntax.Node | None, this: Types) -> Types:
        if node is None:
            return this
        check = _CHECKS.get(type(node))
        return None if check is None else check(self, node, this)

    def literal(self, node: syntax.Literal, this: Types) -> Types:
        return frozenset({system_type(node.value)})

    def empty(self, node: syntax.Empty, this: Types) -> Types:
        return frozenset()

    def variable(self, node: syntax.Variable, this: Types) -> Types:
        known = {"context": self.context, "resource": self.resource}
        return known[node.name] if node.name in known else _STRING if named_url(node.name) else None

    def special(self, node: syntax.Special, this: Types) -> Types:
        return {"this": this, "index": _INTEGER}.get(node.name)

    def member(self, node: syntax.Member, this: Types) -> Types:
        if node.source is None and node.name[0].isupper() and node.name in self.model.properties:
            return self._named_type(node, this)
        parents = self.types(node.source, this)
        if parents is None or parents & _UNTYPED:
            return None
        children = [properties_called(t, node.name, self.model) for t in parents if t in self.model.properties]
        if parents == _QUANTITY and node.name in QUANTITY_PARTS:
            return _STRING if node.name == "unit" else _DECIMAL
        own = {"id": "string", "extension": "Extension"}.get(node.name)
        if own is not None and any(t in self.model.primitives for t in parents):
            return None
        if parents and not any(c is None or c for c in children):
            self._fault("element-unknown", node.at, type=_spoken(parents), name=node.name)
        return frozenset(p.type for c in children for _, p in c or ()) if None not in children else None

    def _named_type(self, node: syntax.Member, this: Types) -> Types:
        named = frozenset({node.name})
        if this is None or this & _UNTYPED or not this:
            return named
        if not any(is_of(t, named, self.model, exact=False) for t in this):
            self._fault("type-differs", node.at, name=node.name, found=_spoken(this))
        return this

    def call(self, node: syntax.Call, this: Types) -> Types:
        source = self.types(node.source, this)
        if node.name in _ORDERED:
            self._ordered(node.source, node.at)
        inner = source if node.name in _ON_ITEMS else this
        arguments = [self.types(a, inner) for a in node.arguments]
        if node.name in _SAME:
            return source
        if node.name in ("select", "union", "combine", "coalesce", "iif"):
            return _result(node.name, source, arguments)
        return _RESULTS.get(node.name)

    def item(self, node: syntax.Item, this: Types) -> Types:
        self._ordered(node.source, node.at)
        self.types(node.index, this)
        return self.types(node.source, this)

    def unary(self, node: syntax.Unary, this: Types) -> Types:
        self.types(node.operand, this)
        return None

    def binary(self, node: syntax.Binary, this: Types) -> Types:
        left, right = self.types(node.left, this), self.types(node.right, this)
        if node.operator in _TRUTH:
            return _BOOLEAN
        return left | right if node.operator == "|" and left is not None and right is not None else None

    def type_test(self, node: syntax.TypeTest, this: Types) -> Types:
        self.types(node.operand, this)
        return _BOOLEAN if node.operator == "is" else type_names(node.type, self.model, node.at)

    def _ordered(self, source: syntax.Node | None, at: int) -> None:
        if isinstance(source, syntax.Call) and source.name in _UNORDERED:
            self._fault("order-undefined", at, name=source.name)

    def _fault(self, key: str, at: int, **params: Any) -> None:
        self.found.append(FhirPathError(f"fhirpath.{key}", at, **params))


def _spoken(types: frozenset[str]) -> str:
    """The types as a sentence names them: a choice of any type has some fifty."""
    shown = sorted(types)[:4]
    return " or ".join(shown if len(shown) == len(types) else [*shown, "..."])


def _result(name: str, source: Types, arguments: list[Types]) -> Types:
    """The types of a function that gives what its arguments, and for some its input, give."""
    chosen = {"select": arguments[:1], "iif": arguments[1:], "coalesce": arguments}.get(name, [source, *arguments[:1]])
    together: frozenset[str] = frozenset()
    for one in chosen:
        if one is None:
            return None
        together |= one
    return together


_CHECKS: dict[type, Callable[[_Checker, Any, Types], Types]] = {
    syntax.Literal: _Checker.literal,
    syntax.Empty: _Checker.empty,
    syntax.Variable: _Checker.variable,
    syntax.Special: _Checker.special,
    syntax.Member: _Checker.member,
    syntax.Call: _Checker.call,
    syntax.Item: _Checker.item,
    syntax.Unary: _Checker.unary,
    syntax.Binary: _Checker.binary,
    syntax.TypeTest: _Checker.type_test,
}
