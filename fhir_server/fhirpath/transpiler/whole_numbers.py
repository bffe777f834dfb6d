"""Sums of digits and literals as plain Python, so that a check sum costs no call for each of its parts.

Only where no part can leave 32 bits, https://hl7.org/fhirpath/N1/#integer. An empty part makes Python raise TypeError;
then the ordinary code decides.
"""

from dataclasses import dataclass

from fhir_server.fhirpath.transpiler.code import Code, Weights, Whole

LIMIT = 2**31
_MANY = 5
_PLAIN = frozenset({"+", "-", "*"})


@dataclass(frozen=True, slots=True)
class _Span:
    low: int
    high: int


def digit_of(text: str, start: int) -> Whole:
    """Returns the digit at a place of a text, in Python."""
    ordinary = f"whole(cut({text}, {start}, {start + 1}))"
    return Whole(f"DIGITS.get({text}[{start}:{start + 1}])", 0, 9, ordinary, Weights(text, {start: 1}))


def combined(symbol: str, a: Code, b: Code, ordinary: str) -> Whole | None:
    """Returns the result of an operator on two whole numbers whose bounds are known, or None."""
    x, y = _whole(a), _whole(b)
    if x is None or y is None:
        return None
    if symbol == "mod":
        is_plain = x.low >= 0 and 0 < y.low == y.high
        return Whole(f"({x.text} % {y.text})", 0, y.high - 1, ordinary) if is_plain else None
    if symbol not in _PLAIN:
        return None
    span = _span(symbol, x, y)
    if not -LIMIT <= span.low <= span.high < LIMIT:
        return None
    weights = _weights(symbol, x, y)
    text = f"({x.text} {symbol} {y.text})" if weights is None else _sum(weights) or f"({x.text} {symbol} {y.text})"
    return Whole(text, span.low, span.high, ordinary, weights)


def _weights(symbol: str, x: Whole, y: Whole) -> Weights | None:
    """The weight of each digit in a sum of digits of one text, or in one that is multiplied with a number."""
    a, b = x.weights, y.weights
    if symbol == "*" and a is not None and y.low == y.high:
        return Weights(a.text, {place: weight * y.low for place, weight in a.by_place.items()})
    if symbol != "+" or a is None or b is None or a.text != b.text:
        return None
    return Weights(a.text, {p: a.by_place.get(p, 0) + b.by_place.get(p, 0) for p in (*a.by_place, *b.by_place)})


def _sum(weights: Weights) -> str | None:
    """The sum of the first digits in one call, where there are enough of them to make that faster."""
    by_place = weights.by_place
    if len(by_place) < _MANY or by_place.keys() != set(range(len(by_place))):
        return None
    factors = tuple(by_place[place] for place in range(len(by_place)))
    return f"weighted({weights.text}, {factors}, {ord('0') * sum(factors)})"


def _whole(code: Code) -> Whole | None:
    if code.constants is not None and len(code.constants) == 1 and type(code.constants[0]) is int:
        number = code.constants[0]
        return Whole(repr(number), number, number, repr(number))
    return code.whole


def _span(symbol: str, x: Whole, y: Whole) -> _Span:
    if symbol == "+":
        return _Span(x.low + y.low, x.high + y.high)
    if symbol == "-":
        return _Span(x.low - y.high, x.high - y.low)
    products = [one * other for one in (x.low, x.high) for other in (y.low, y.high)]
    return _Span(min(products), max(products))
