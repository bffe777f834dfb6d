"""The general engine: syntax tree to closures over typed nodes, all of http://hl7.org/fhirpath/N1.

It is the oracle of the transpiler, which knows less and is faster.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import syntax
from fhir_server.fhirpath.environment import Closure, Scope
from fhir_server.fhirpath.errors import EvaluationError, FhirPathError, wrong_type
from fhir_server.fhirpath.functions import FUNCTIONS
from fhir_server.fhirpath.functions.filtering import sort
from fhir_server.fhirpath.functions.regular import pattern
from fhir_server.fhirpath.nodes import Collection, Node, literal, members, properties_called, type_name
from fhir_server.fhirpath.operators import OPERATORS, boolean
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.singletons import integer_of, one, truth_of, value_of
from fhir_server.fhirpath.types import as_system, type_names, type_test
from fhir_server.fhirpath.urls import named_url


def build(node: syntax.Node, model: TypeModel) -> Closure:
    """Returns the closure that evaluates a syntax tree.

    Raises:
        FhirPathError: an unknown function or type, or a wrong number of arguments.
    """
    return _Builder(model).build(node)


class _Builder:
    """Turns each kind of syntax node into its closure."""

    def __init__(self, model: TypeModel) -> None:
        self.model = model

    def build(self, node: syntax.Node) -> Closure:
        """An expression of its own: an operand, an argument, the whole. Its chain keeps its variables to itself."""
        closure = self.link(node)
        return (lambda scope: closure(scope.forked())) if _defines(node) else closure

    def link(self, node: syntax.Node | None) -> Closure:
        """A link of a chain: what the next invocation starts from, in the same scope."""
        return _this if node is None else _watched(_BUILDERS[type(node)](self, node), node)

    def literal(self, node: syntax.Literal) -> Closure:
        found = [literal(node.value)]
        return lambda _scope: found

    def empty(self, node: syntax.Empty) -> Closure:
        return lambda _scope: []

    def variable(self, node: syntax.Variable) -> Closure:
        url = named_url(node.name)
        if url is not None:
            found = [literal(url)]
            return lambda _scope: found
        return lambda scope: _variable(scope, node.name)

    def special(self, node: syntax.Special) -> Closure:
        return _SPECIALS[node.name]

    def member(self, node: syntax.Member) -> Closure:
        name, at, model = node.name, node.at, self.model

        def step(scope: Scope, focus: Collection) -> Collection:
            if scope.environment.strict:
                _check(focus, name, model, at)
            found = [child for item in focus for child in members(item, name, model)]
            if not found and focus and not scope.environment.assume_types:
                _refuse_json_name(focus, name, model, at)
            return found

        if node.source is None:
            return self._root(name, step)
        source = self.link(node.source)
        return lambda scope: step(scope, source(scope))

    def _root(self, name: str, step: Callable[[Scope, Collection], Collection]) -> Closure:
        """A name alone: the type of `$this`, which keeps it, or an element of it."""
        model = self.model
        if not name[0].isupper() or name not in model.properties:
            return lambda scope: step(scope, scope.this)
        return lambda scope: _of_named_type(scope, name, model)

    def call(self, node: syntax.Call) -> Closure:
        if node.name == "sort":
            return self._sort(node)
        function = FUNCTIONS.get(node.name)
        if function is None:
            key = "fhirpath.function-not-offered" if node.name in _NOT_OFFERED else "fhirpath.function-unknown"
            raise FhirPathError(key, node.at, name=node.name)
        if not function.least <= len(node.arguments) <= function.most:
            expected = f"{function.least} to {function.most}" if function.least < function.most else str(function.least)
            raise FhirPathError(
                "fhirpath.arguments", node.at, name=node.name, expected=expected, found=len(node.arguments)
            )
        if node.name in _WITH_PATTERN:
            _check_pattern(node.arguments[0])
        source, call = self.link(node.source), function.call
        arguments = [self.build(a) for a in node.arguments]
        if function.lazy:
            return lambda scope: call(scope, source(scope), *arguments)
        return lambda scope: call(scope, source(scope), *[a(scope) for a in arguments])

    def _sort(self, node: syntax.Call) -> Closure:
        source = self.link(node.source)
        keys = [self._sort_key(a) for a in node.arguments]
        return lambda scope: sort(scope, source(scope), keys or [(_this, False)])

    def _sort_key(self, node: syntax.Node) -> tuple[Closure, bool]:
        """A key and whether it descends, which a minus sign says."""
        if isinstance(node, syntax.Unary) and node.operator == "-":
            return self.build(node.operand), True
        return self.build(node), False

    def item(self, node: syntax.Item) -> Closure:
        source, index = self.link(node.source), self.build(node.index)

        def at(scope: Scope) -> Collection:
            found, place = source(scope), integer_of(index(scope), "[]")
            return [] if place is None or not 0 <= place < len(found) else [found[place]]

        return at

    def unary(self, node: syntax.Unary) -> Closure:
        operand = self.build(node.operand)
        sign = -1 if node.operator == "-" else 1
        return lambda scope: _signed(operand(scope), sign)

    def binary(self, node: syntax.Binary) -> Closure:
        left, right = self.build(node.left), self.build(node.right)
        logic = _LOGIC.get(node.operator)
        if logic is not None:
            return lambda scope: boolean(logic(left, right, scope))
        operate = OPERATORS[node.operator]
        return lambda scope: operate(left(scope), right(scope), scope.environment.units)

    def type_test(self, node: syntax.TypeTest) -> Closure:
        operand = self.link(node.operand)
        test = type_test(node.type, self.model, exact=node.operator != "is", at=node.at)
        if node.operator == "is":
            return lambda scope: _is(operand(scope), test)
        names = type_names(node.type, self.model, node.at)
        if node.operator == "as":
            return lambda scope: _of_type(_cast(operand(scope), scope), test, names)
        return lambda scope: _of_type(operand(scope), test, names)


def _check_pattern(node: syntax.Node) -> None:
    """A regular expression that is written out is wrong at compile time, not on the first resource."""
    if isinstance(node, syntax.Literal) and isinstance(node.value, str):
        try:
            pattern(node.value)
        except EvaluationError as error:
            raise FhirPathError(error.key, node.at, **error.params) from None


def _this(scope: Scope) -> Collection:
    return scope.this


def _index(scope: Scope) -> Collection:
    return [] if scope.index is None else [literal(scope.index)]


def _total(scope: Scope) -> Collection:
    return scope.total or []


def _defines(node: syntax.Node) -> bool:
    """Tells whether the chain that ends in `node` defines a variable."""
    link: syntax.Node | None = node
    while link is not None:
        if isinstance(link, syntax.Call) and link.name == "defineVariable":
            return True
        link = syntax.source(link)
    return False


def _watched(closure: Closure, node: syntax.Node) -> Closure:
    """Says where an error arose, and counts what a stranger's expression costs."""
    if isinstance(node, syntax.Literal | syntax.Empty | syntax.Special):
        return closure

    def run(scope: Scope) -> Collection:
        try:
            found = closure(scope)
            if scope.environment.budget is not None:
                scope.environment.budget.check(len(found))
        except EvaluationError as error:
            if error.position is None:
                error.position = node.at
            raise
        return found

    return run


def _of_named_type(scope: Scope, name: str, model: TypeModel) -> Collection:
    found = [n for n in scope.this if model.is_a(n.type, name)]
    if scope.environment.strict and scope.this and not found:
        raise EvaluationError("fhirpath.type-differs", name=name, found=scope.this[0].type)
    return found


def _variable(scope: Scope, name: str) -> Collection:
    if scope.defined is not None and name in scope.defined:
        return scope.defined[name]
    found = scope.environment.variables.get(name)
    if found is None:
        raise EvaluationError("fhirpath.variable-unknown", name=name)
    return found


def _check(focus: Collection, name: str, model: TypeModel, at: int) -> None:
    for node in focus:
        if properties_called(node.type, name, model) == [] or (
            node.type in model.primitives and name not in ("id", "extension")
        ):
            raise EvaluationError("fhirpath.element-unknown", type=node.type, name=name, at=at + 1)


def _refuse_json_name(focus: Collection, name: str, model: TypeModel, at: int) -> None:
    """Says how a choice element is called, where its name in JSON would silently find nothing."""
    for node in focus:
        found = model.properties.get(node.type, {}).get(name)
        if found is not None and found.choice is not None:
            path = {"choice": found.choice, "of": found.type}
            raise EvaluationError("fhirpath.choice-name", type=node.type, name=name, at=at + 1, **path)


def _cast(found: Collection, scope: Scope) -> Collection:
    """The operand of `as`, a single item; R4's own search parameters and dom-3 cast lists, which is how they were meant."""
    if not scope.environment.assume_types:
        one(found, "as")
    return found


def _of_type(found: Collection, test: Callable[[Node], bool], names: frozenset[str]) -> Collection:
    kept = (node if test(node) else as_system(node, names) for node in found)
    return [node for node in kept if node is not None]


def _is(found: Collection, test: Callable[[Node], bool]) -> Collection:
    node = one(found, "is")
    return [] if node is None else boolean(test(node))


def _signed(found: Collection, sign: int) -> Collection:
    value = value_of(found, "-")
    if value is None:
        return []
    if isinstance(value, Quantity):
        return [literal(Quantity(sign * value.value, value.unit))]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise wrong_type("-", "a number", type_name(value))
    return [literal(sign * value)]


def _and(left: Closure, right: Closure, scope: Scope) -> bool | None:
    a = truth_of(left(scope), "and")
    if a is False:
        return False
    b = truth_of(right(scope), "and")
    return b if a or b is False else None


def _or(left: Closure, right: Closure, scope: Scope) -> bool | None:
    a = truth_of(left(scope), "or")
    if a is True:
        return True
    b = truth_of(right(scope), "or")
    return b if a is False or b is True else None


def _xor(left: Closure, right: Closure, scope: Scope) -> bool | None:
    a, b = truth_of(left(scope), "xor"), truth_of(right(scope), "xor")
    return None if a is None or b is None else a is not b


def _implies(left: Closure, right: Closure, scope: Scope) -> bool | None:
    a = truth_of(left(scope), "implies")
    if a is False:
        return True
    b = truth_of(right(scope), "implies")
    return b if a or b is True else None


_NOT_OFFERED = frozenset({"elementDefinition", "slice"})
"""Functions of R4 that ask for the definition behind an item; items here are data with their type."""
_WITH_PATTERN = ("matches", "matchesFull", "replaceMatches")
_LOGIC = {"and": _and, "or": _or, "xor": _xor, "implies": _implies}
_SPECIALS: dict[str, Closure] = {"this": _this, "index": _index, "total": _total}
_BUILDERS: dict[type, Callable[[_Builder, Any], Closure]] = {
    syntax.Literal: _Builder.literal,
    syntax.Empty: _Builder.empty,
    syntax.Variable: _Builder.variable,
    syntax.Special: _Builder.special,
    syntax.Member: _Builder.member,
    syntax.Call: _Builder.call,
    syntax.Item: _Builder.item,
    syntax.Unary: _Builder.unary,
    syntax.Binary: _Builder.binary,
    syntax.TypeTest: _Builder.type_test,
}
