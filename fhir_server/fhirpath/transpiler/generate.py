"""Syntax tree to Python functions, typed by the definitions: the fast engine for invariants and search expressions."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import syntax
from fhir_server.fhirpath.environment import Resolve
from fhir_server.fhirpath.nodes import system_type
from fhir_server.fhirpath.operators import ARITHMETIC
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import Temporal
from fhir_server.fhirpath.transpiler import (
    calls,
    compare,
    days,
    elements,
    logic,
    navigate,
    statements,
    values,
    whole_numbers,
)
from fhir_server.fhirpath.transpiler.code import (
    ABSTRACT,
    NOTHING,
    NUMBER,
    TEXT,
    UNKNOWN,
    Code,
    Day,
    Unsupported,
    boolean,
    family_of,
)  # fmt: skip
from fhir_server.fhirpath.transpiler.days import move_of
from fhir_server.fhirpath.types import is_of
from fhir_server.fhirpath.urls import named_url

MAX_SOURCE = 65_536
"""Characters of generated Python: an expression that needs more is evaluated instead."""

Test = Callable[..., bool]
Extract = Callable[[JsonObject, Resolve | None], list[tuple[Any, str]]]
List = Callable[[JsonObject, Resolve | None], Sequence[Any]]

_RUNTIME: dict[str, Any] = {
    name: item
    for room in (elements, values, days)
    for name, item in vars(room).items()
    if callable(item) and not name.startswith("_")
} | {"DIGITS": values.DIGITS}


def predicate(tree: syntax.Node, type_: str, model: TypeModel) -> Test:
    """Returns `test(focus, resource, root, now, resolve=None)` for an invariant on `type_`: True only when it is true.

    It raises one of `elements.MALFORMED` on JSON that only the evaluator can judge.

    Raises:
        Unsupported: the evaluator has to do it.
    """
    constants = navigate.Constants()
    yes, _ = logic.truth(_on_element(type_, model, constants).code(tree))
    head = "def run(n, r, root, now, resolve=None, member_of=None, conforms_to=None):\n"
    test: Test = _written(head, statements.body_of, yes, constants)
    return test


def extractor(tree: syntax.Node, type_: str, model: TypeModel) -> Extract:
    """Returns `extract(resource, resolve)` for a search expression on a resource type: typed results.

    It raises one of `elements.MALFORMED` on JSON that only the evaluator can judge.

    Raises:
        Unsupported: the evaluator has to do it.
    """
    transpiler = _on_resource(type_, model)
    extract: Extract = _defined_search(_pairs(transpiler, tree), transpiler.constants)
    return extract


def lister(tree: syntax.Node, type_: str, model: TypeModel) -> tuple[List, str]:
    """Returns `list(resource, resolve)` for a search expression all of whose results have one FHIR type, and that type.

    It raises one of `elements.MALFORMED` on JSON that only the evaluator can judge.

    Raises:
        Unsupported: results of several types, or for the evaluator.
    """
    transpiler = _on_resource(type_, model)
    code = transpiler.code(tree)
    if len(code.types) != 1 or code.types[0].startswith("System.") or code.types[0] in (*ABSTRACT, ""):
        raise Unsupported("results that tell their own type")
    found: List = _defined_search(navigate.as_list(code), transpiler.constants)
    return found, code.types[0]


def unknown_elements(tree: syntax.Node, type_: str, model: TypeModel) -> list[tuple[str, str, int]]:
    """Returns the (type, name, offset) of elements that the expression names and the types do not have.

    An expression that is for the evaluator is checked as far as its types are known.
    """
    constants = navigate.Constants()
    with suppress(Unsupported):
        _on_element(type_, model, constants).code(tree)
    return constants.unknown


def _input(type_: str, model: TypeModel) -> Code:
    if type_ not in model.properties and type_ not in model.primitives:
        raise Unsupported(f"the type {type_}")
    return Code("n", (type_,), sure=True)


def _on_element(type_: str, model: TypeModel, constants: navigate.Constants) -> "_Transpiler":
    """The transpiler of an invariant: `%resource` has the type that a backbone path starts with, if it is one."""
    focus, owner = _input(type_, model), type_.partition(".")[0]
    resource = Code("r", (owner if owner in model.resources else "DomainResource",), sure=True)
    root = Code("root", ("DomainResource",), sure=True)
    return _Transpiler(model, constants, focus, {"context": focus, "resource": resource, "rootResource": root})


def _on_resource(type_: str, model: TypeModel) -> "_Transpiler":
    """The transpiler of a search expression: every variable is the resource itself."""
    focus = _input(type_, model)
    variables = dict.fromkeys(("context", "resource", "rootResource"), focus)
    return _Transpiler(model, navigate.Constants(), focus, variables)


def _defined_search(text: str, constants: navigate.Constants) -> Any:
    return _defined(f"def run(n, resolve, now=None):\n    root = n\n    return {text}\n", constants)


def _written(head: str, body: Callable[[str], str], text: str, constants: navigate.Constants) -> Any:
    """The function of an expression as statements, or as it is where Python has no room for so many blocks."""
    if len(text) > MAX_SOURCE:
        raise Unsupported("an expression of this size")
    try:
        return _defined(head + body(text), constants)
    except (SyntaxError, RecursionError, MemoryError, Unsupported):
        return _defined(f"{head} return True if {text} else False\n", constants)


def _defined(source: str, constants: navigate.Constants) -> Any:
    if len(source) > MAX_SOURCE:
        raise Unsupported("an expression of this size")
    namespace: dict[str, Any] = {**_RUNTIME, **constants.by_name}
    try:
        exec(compile(source, "<fhirpath>", "exec"), namespace)  # noqa: S102 - every name and text in it went through repr()
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise Unsupported("an expression nested this deep") from error
    return namespace["run"]


class _Transpiler:
    """Turns each kind of syntax node into its code, for one `$this`."""

    def __init__(
        self,
        model: TypeModel,
        constants: navigate.Constants,
        this: Code,
        variables: dict[str, Code],
        total: Code | None = None,
    ) -> None:
        self.model = model
        self.constants = constants
        self.this = this
        self.variables = variables
        self.total = total

    def code(self, node: syntax.Node) -> Code:
        return _BUILDERS[type(node)](self, node)

    def inside(self, node: syntax.Node, this: Code, total: Code | None = None) -> Code:
        return _Transpiler(self.model, self.constants, this, self.variables, total or self.total).code(node)

    def literal(self, node: syntax.Literal) -> Code:
        value = node.value
        if isinstance(value, Temporal | Quantity):
            return Code(self.constants.name(value), (system_type(value),), sure=True)
        text = repr(value) if isinstance(value, bool | int | str) else self.constants.name(value)
        return Code(text, (system_type(value),), sure=True, constants=(value,))

    def empty(self, node: syntax.Empty) -> Code:
        return NOTHING

    def variable(self, node: syntax.Variable) -> Code:
        url = named_url(node.name)
        if url is not None:
            return Code(repr(url), ("System.String",), sure=True, constants=(url,))
        if node.name not in self.variables:
            raise Unsupported(f"%{node.name}")
        return self.variables[node.name]

    def special(self, node: syntax.Special) -> Code:
        if node.name == "this":
            return self.this
        if node.name == "total" and self.total is not None:
            return self.total
        raise Unsupported(f"${node.name}")

    def member(self, node: syntax.Member) -> Code:
        if node.source is not None:
            return self._child(self.code(node.source), node)
        if not node.name[0].isupper() or node.name not in self.model.properties:
            return self._child(self.this, node)
        if any(t in ABSTRACT or not t for t in self.this.types):
            raise Unsupported("a type test by name of any resource")
        matching = [t for t in self.this.types if is_of(t, frozenset((node.name,)), self.model, exact=False)]
        return navigate.narrowed(self.this, matching, self.constants) if matching else NOTHING

    def _child(self, parent: Code, node: syntax.Member) -> Code:
        found = navigate.member(parent, node.name, self.model, self.constants)
        if not found.types and parent.types:
            self.constants.unknown.append((" or ".join(parent.types), node.name, node.at))
        return found

    def call(self, node: syntax.Call) -> Code:
        source = node.source
        if (
            node.name in ("exists", "empty")
            and not node.arguments
            and isinstance(source, syntax.Binary)
            and source.operator == "|"
        ):
            sides = [
                logic.truth(self.call(syntax.Call(side, "exists", (), node.at)))[0]
                for side in (source.left, source.right)
            ]
            found = boolean(f"({sides[0]} or {sides[1]})")
            return found if node.name == "exists" else logic.negated(found)
        return calls.call(self, node, self.this if node.source is None else self.code(node.source))

    def item(self, node: syntax.Item) -> Code:
        source, index = self.code(node.source), node.index
        if not isinstance(index, syntax.Literal) or type(index.value) is not int:
            raise Unsupported("a computed index")
        if source.many:
            return Code(f"at({source.text}, {index.value})", source.types)
        return source if index.value == 0 else NOTHING

    def unary(self, node: syntax.Unary) -> Code:
        operand = self.code(node.operand)
        if family_of(operand.types) != NUMBER or operand.constants is None:
            raise Unsupported("the sign of a computed value")
        value = -operand.constants[0] if node.operator == "-" else operand.constants[0]
        return self.literal(syntax.Literal(value, node.at))

    def binary(self, node: syntax.Binary) -> Code:
        build = _OPERATORS.get(node.operator)
        if build is None:
            raise Unsupported(node.operator)
        return build(self, node.operator, self.code(node.left), self.code(node.right))

    def type_test(self, node: syntax.TypeTest) -> Code:
        operand = self.this if node.operand is None else self.code(node.operand)
        if not operand.types:
            return NOTHING
        if node.operator != "is":
            return navigate.cast(operand, node.type, self.model, self.constants, exact=True)
        operand = navigate.single(operand)
        kept = navigate.cast(operand, node.type, self.model, self.constants, exact=False)
        yes, present = (logic.truth(navigate.exists(c, self.constants))[0] for c in (kept, operand))
        return boolean(yes, f"({present} and not {yes})")


def _logic(self: _Transpiler, symbol: str, a: Code, b: Code) -> Code:
    return logic.combined(symbol, a, b)


def _equality(self: _Transpiler, symbol: str, a: Code, b: Code) -> Code:
    return compare.equal(a, b, self.constants) if symbol == "=" else compare.unequal(a, b, self.constants)


def _order(self: _Transpiler, symbol: str, a: Code, b: Code) -> Code:
    return compare.ordered(symbol, a, b, self.constants)


def _membership(self: _Transpiler, symbol: str, a: Code, b: Code) -> Code:
    return compare.contained(a, b, self.constants) if symbol == "in" else compare.contained(b, a, self.constants)


def _union(self: _Transpiler, symbol: str, a: Code, b: Code) -> Code:
    return compare.union(a, b, self.constants)


def _joined(self: _Transpiler, symbol: str, a: Code, b: Code) -> Code:
    if any(c.types and family_of(c.types) != TEXT for c in (a, b)):
        raise Unsupported("& of other than texts")
    return Code(f"joined({navigate.single(a).text}, {navigate.single(b).text})", ("System.String",), sure=True)


def _computed(self: _Transpiler, symbol: str, a: Code, b: Code) -> Code:
    if not a.types or not b.types:
        return NOTHING
    type_ = _result_type(symbol, a, b)
    simple = _SIMPLE.get(symbol) if type_ in ("System.Integer", "System.Decimal") else None
    if simple is not None:
        text = f"{simple}({_ordinary(a)}, {_ordinary(b)})"
    elif type_ == "System.String" and symbol == "+":
        return Code(f"added({navigate.single(a).text}, {navigate.single(b).text})", (type_,))
    else:
        text = f"arithmetic({self.constants.name(ARITHMETIC[symbol])}, {calls.value(a)}, {calls.value(b)})"
    whole = whole_numbers.combined(symbol, a, b, text) if type_ == "System.Integer" else None
    if whole is None:
        return Code(text, (type_,), day=_day(self, symbol, a, b))
    return Code(f"whole_or(lambda: {whole.text}, lambda: {text})", (type_,), whole=whole)


def _day(self: _Transpiler, symbol: str, a: Code, b: Code) -> Day | None:
    """What is known of a date or today() less or plus a literal duration."""
    by = self.constants.by_name.get(b.text)
    move = move_of(symbol, ARITHMETIC[symbol], by) if isinstance(by, Quantity) else None
    day = a.day or (Day(navigate.single(a).text, a.types[0]) if a.types in (("date",), ("dateTime",)) else None)
    return None if move is None or day is None else day._replace(steps=(*day.steps, move))


def _ordinary(code: Code) -> str:
    return code.whole.ordinary if code.whole is not None else calls.value(code)


_SIMPLE = {"+": "plus", "-": "minus", "*": "times"}
_WHOLE = frozenset({"integer", "positiveInt", "unsignedInt", "System.Integer"})


def _result_type(symbol: str, a: Code, b: Code) -> str:
    match family_of(a.types), family_of(b.types):
        case "moment", "quantity":
            return "System.Date" if a.types[0] in ("date", "System.Date") else "System.DateTime"
        case "text", "text":
            return "System.String"
        case ("quantity", "number" | "quantity") | ("number", "quantity"):
            return "System.Quantity"
        case "number", "number":
            whole = symbol == "div" or (symbol != "/" and {*a.types, *b.types} <= _WHOLE)
            return "System.Integer" if whole else "System.Decimal"
    raise Unsupported(f"{symbol} of these types")


_OPERATORS: dict[str, Callable[[_Transpiler, str, Code, Code], Code]] = {
    **dict.fromkeys(("and", "or", "xor", "implies"), _logic),
    **dict.fromkeys(("=", "!="), _equality),
    **dict.fromkeys(("<", ">", "<=", ">="), _order),
    **dict.fromkeys(("in", "contains"), _membership),
    **dict.fromkeys(ARITHMETIC, _computed),
    "|": _union,
    "&": _joined,
}
_BUILDERS: dict[type, Callable[[_Transpiler, Any], Code]] = {
    syntax.Literal: _Transpiler.literal,
    syntax.Empty: _Transpiler.empty,
    syntax.Variable: _Transpiler.variable,
    syntax.Special: _Transpiler.special,
    syntax.Member: _Transpiler.member,
    syntax.Call: _Transpiler.call,
    syntax.Item: _Transpiler.item,
    syntax.Unary: _Transpiler.unary,
    syntax.Binary: _Transpiler.binary,
    syntax.TypeTest: _Transpiler.type_test,
}


def _pairs(transpiler: _Transpiler, node: syntax.Node) -> str:
    """Returns Python for the list of (value, FHIR type) of an expression."""
    if isinstance(node, syntax.Binary) and node.operator == "|":
        return f"joined_pairs({_pairs(transpiler, node.left)}, {_pairs(transpiler, node.right)})"
    code = transpiler.code(node)
    if not code.types:
        return "[]"
    if any(t in ABSTRACT for t in code.types):
        return f"resource_pairs({navigate.as_list(code)})"
    if len(code.types) == 1:
        return _typed_pairs(code)
    if code.origin is None:
        raise Unsupported("results of several types")
    table = transpiler.constants.name({k: p.type for k, p in code.origin.keys})
    return f"choice_pairs({navigate.as_list(code.origin.parent)}, {table})"


def _typed_pairs(code: Code) -> str:
    if code.types[0].startswith("System.") or family_of(code.types) == UNKNOWN:
        if family_of(code.types) == UNKNOWN:
            raise Unsupported("computed results")
        return f"system_pairs({navigate.as_list(code)})"
    return f"[(v, {code.types[0]!r}) for v in {navigate.as_list(code)} if v is not None]"
