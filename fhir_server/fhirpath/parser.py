"""Text to syntax tree, a Pratt parser over http://hl7.org/fhirpath/N1/#grammar."""

from collections.abc import Callable
from decimal import Decimal

from fhir_server.fhirpath import syntax
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.lexer import Token, tokens, unescaped
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import parse_date, parse_time
from fhir_server.fhirpath.units import CALENDAR

MAX_LENGTH = 16_384
"""Characters in one expression; the longest of R4 has about 900."""
MAX_DEPTH = 100
"""Levels of nesting, brackets and operator chains alike: keeps evaluation far below Python's recursion limit."""

# loosest first, http://hl7.org/fhirpath/N1/#operator-precedence
_LEVELS = (
    ("implies",), ("or", "xor"), ("and",), ("in", "contains"), ("=", "~", "!=", "!~"), ("<", ">", "<=", ">="), ("|",),
    ("is", "as"), ("+", "-", "&"), ("*", "/", "div", "mod"),
)  # fmt: skip
_POWER = {operator: level for level, operators in enumerate(_LEVELS, 1) for operator in operators}
_TYPE_FUNCTIONS = ("is", "as", "ofType")


def parse(text: str) -> syntax.Node:
    """Returns the syntax tree of an expression.

    Raises:
        FhirPathError: not FHIRPath, or longer or deeper than the limits.
    """
    if len(text) > MAX_LENGTH:
        raise FhirPathError("fhirpath.too-large", MAX_LENGTH, limit=MAX_LENGTH, unit="characters")
    parser = _Parser(tokens(text))
    tree = parser.expression(0)
    parser.expect("the end", kind="end")
    if syntax.depth(tree) > MAX_DEPTH:
        raise FhirPathError("fhirpath.too-large", 0, limit=MAX_DEPTH, unit="levels")
    return tree


class _Parser:
    """One pass over the tokens."""

    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.next = 0
        self.nesting = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self) -> Token:
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    def takes(self, symbol: str) -> bool:
        if self.token.kind == "symbol" and self.token.text == symbol:
            self.next += 1
            return True
        return False

    def expect(self, wanted: str, kind: str = "symbol") -> Token:
        token = self.token
        if token.kind != kind or (kind == "symbol" and token.text != wanted):
            raise FhirPathError("fhirpath.syntax", token.at, expected=wanted, found=token.text)
        return self.take()

    def expression(self, floor: int) -> syntax.Node:
        self.nesting += 1
        if self.nesting > MAX_DEPTH:
            raise FhirPathError("fhirpath.too-large", self.token.at, limit=MAX_DEPTH, unit="levels")
        left = self.unary()
        while self.token.kind in ("symbol", "name") and _POWER.get(self.token.text, 0) > floor:
            left = self.operation(left)
        self.nesting -= 1
        return left

    def operation(self, left: syntax.Node) -> syntax.Node:
        operator = self.take()
        if operator.text in ("is", "as"):
            return syntax.TypeTest(operator.text, left, self.type_name(), operator.at)
        return syntax.Binary(operator.text, left, self.expression(_POWER[operator.text]), operator.at)

    def type_name(self) -> str:
        name = self.identifier()
        while name in ("FHIR", "System") and self.takes("."):
            name += "." + self.identifier()
        return name

    def identifier(self) -> str:
        token = self.take()
        if token.kind == "name":
            return token.text
        if token.kind == "quoted":
            return unescaped(token, token.text[1:-1])
        raise FhirPathError("fhirpath.syntax", token.at, expected="a name", found=token.text)

    def unary(self) -> syntax.Node:
        token = self.token
        if token.kind == "symbol" and token.text in "+-":
            self.take()
            self.nesting += 1
            if self.nesting > MAX_DEPTH:
                raise FhirPathError("fhirpath.too-large", token.at, limit=MAX_DEPTH, unit="levels")
            operand = self.unary()
            self.nesting -= 1
            return syntax.Unary(token.text, operand, token.at)
        return self.postfix(self.term())

    def postfix(self, left: syntax.Node) -> syntax.Node:
        while True:
            at = self.token.at
            if self.takes("."):
                left = self.invocation(left)
            elif self.takes("["):
                left = syntax.Item(left, self.expression(0), at)
                self.expect("]")
            else:
                return left

    def invocation(self, source: syntax.Node | None) -> syntax.Node:
        token = self.token
        if token.kind == "special":
            return self.special()
        name = self.identifier()
        if not self.takes("("):
            return syntax.Member(source, name, token.at)
        if name in _TYPE_FUNCTIONS:
            return self.type_call(source, name, token.at)
        return syntax.Call(source, name, self.arguments(self.sort_key if name == "sort" else None), token.at)

    def type_call(self, source: syntax.Node | None, name: str, at: int) -> syntax.Node:
        type_ = self.type_name()
        self.expect(")")
        return syntax.TypeTest(name, source, type_, at)

    def arguments(self, read: Callable[[], syntax.Node] | None = None) -> tuple[syntax.Node, ...]:
        if self.takes(")"):
            return ()
        found = [read() if read else self.expression(0)]
        while self.takes(","):
            found.append(read() if read else self.expression(0))
        self.expect(")")
        return tuple(found)

    def sort_key(self) -> syntax.Node:
        """A key of sort(), http://hl7.org/fhirpath/#sort: descending as `key desc`, which the drafts wrote `-key`."""
        key, direction = self.expression(0), self.token
        if direction.kind != "name" or direction.text not in ("asc", "desc"):
            return key
        self.take()
        return key if direction.text == "asc" else syntax.Unary("-", key, direction.at)

    def term(self) -> syntax.Node:
        reader = _TERMS.get(self.token.kind)
        if reader is not None:
            return reader(self)
        if self.takes("("):
            inner = self.expression(0)
            self.expect(")")
            return inner
        at = self.token.at
        if self.takes("{"):
            self.expect("}")
            return syntax.Empty(at)
        return self.invocation(None)

    def name(self) -> syntax.Node:
        token = self.token
        follows_call = self.tokens[self.next + 1].text == "("
        if token.text in ("true", "false") and not follows_call:
            return syntax.Literal(self.take().text == "true", token.at)
        return self.invocation(None)

    def string(self) -> syntax.Node:
        token = self.take()
        return syntax.Literal(unescaped(token, token.text[1:-1]), token.at)

    def number(self) -> syntax.Node:
        token = self.take()
        unit = self.unit()
        if unit is not None:
            return syntax.Literal(Quantity(Decimal(token.text), unit), token.at)
        value = Decimal(token.text) if "." in token.text else int(token.text)
        return syntax.Literal(value, token.at)

    def unit(self) -> str | None:
        token = self.token
        if token.kind == "string":
            self.take()
            unit = unescaped(token, token.text[1:-1])
            return CALENDAR.get(unit, unit)
        if token.kind == "name" and token.text in CALENDAR:
            return CALENDAR[self.take().text]
        return None

    def date(self) -> syntax.Node:
        token = self.take()
        value = parse_time(token.text[1:]) if token.kind == "time" else parse_date(token.text[1:])
        if value is None:
            raise FhirPathError("fhirpath.literal", token.at, expected="date or time", found=token.text)
        return syntax.Literal(value, token.at)

    def variable(self) -> syntax.Node:
        token = self.take()
        name = token.text[1:]
        return syntax.Variable(unescaped(token, name[1:-1]) if name[0] in "`'\"" else name, token.at)

    def special(self) -> syntax.Node:
        token = self.take()
        return syntax.Special(token.text[1:], token.at)


_TERMS: dict[str, Callable[[_Parser], syntax.Node]] = {
    "name": _Parser.name,
    "string": _Parser.string,
    "number": _Parser.number,
    "date": _Parser.date,
    "time": _Parser.date,
    "variable": _Parser.variable,
    "special": _Parser.special,
}
