"""Number parameters, https://hl7.org/fhir/R4/search.html#number.

`eq` and `ne` compare with the interval of the digits that were given (`100` is [99.5, 100.5)); the other prefixes with
the exact value; `ap` with a tenth of the value on both sides, both ends with it. An indexed number is the point `[v, next float)`.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias, TypeGuard

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.query import Clause, RangeOp, RangeTest
from fhir_server.search.rows import RangeRow
from fhir_server.search.values import any_of, modifier_refused, prefixed

MODIFIERS: frozenset[str] = frozenset()

LOWEST = -1e308
HIGHEST = 1e308
"""Ends of a number range that is open; larger numbers are filed at the ends."""

_NUMBERS = (int, Decimal, float)
_NUMBER = re.compile(r"-?\d{1,40}(?P<fraction>\.\d{1,40})?(?P<exponent>[eE][+-]?\d{1,3})?", re.ASCII)


Scale: TypeAlias = Callable[[Decimal | float], Decimal | float]
"""Turns numbers into those that are compared; greater ones into greater ones."""


class Span(NamedTuple):
    """`[low, high)` of numbers."""

    low: float
    high: float


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a number value, `[prefix]number`.

    Raises:
        SearchValueInvalid: an alternative is no number.
        SearchParameterUnknown: a modifier; numbers take none but `:missing`.
    """
    if modifier is not None:
        raise modifier_refused(parameter.code, modifier, MODIFIERS)
    return any_of(parameter.code, raw, lambda part: _clause(parameter.code, part))


def _clause(code: str, part: str) -> Clause:
    op, text = prefixed(part)
    span = searched_span(op, text)
    if span is None:
        raise SearchValueInvalid.of("search.value-number", code, name=code, value=part)
    return RangeTest(code, op, span.low, span.high)


def as_it_is(value: Decimal | float) -> Decimal | float:
    """Returns the number itself: the scale of plain numbers."""
    return value


def searched_span(op: RangeOp, text: str, scale: Scale = as_it_is) -> Span | None:
    """Returns what `op` compares with for a number as it was written, on a scale, or None when it is no number."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    value = Decimal(text)
    if op in (RangeOp.EQ, RangeOp.NE):
        width = _half_digit(value, whole_power=bool(found["exponent"] and not found["fraction"]))
        return _between(scale(value - width), scale(value + width))
    if op is RangeOp.AP:
        width = abs(value) / 10
        return Span(point(scale(value - width)).low, point(scale(value + width)).high)
    return point(scale(value))


def number_of(text: str) -> Decimal | None:
    """Returns the number that a text is, or None."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _half_digit(value: Decimal, *, whole_power: bool) -> Decimal:
    """Returns half a unit of the last digit given; R4's own example makes `1e2` [95, 105), as if it were `1.0e2`."""
    exponent = int(value.as_tuple().exponent)
    return Decimal(5).scaleb(exponent - (2 if whole_power else 1))


def _between(start: Decimal | float, end: Decimal | float) -> Span:
    low, high = _bounded(start), _bounded(end)
    return Span(low, high if high > low else math.nextafter(low, math.inf))


def point(value: Decimal | float) -> Span:
    """Returns the range of one number: from itself to the next float."""
    low = _bounded(value)
    return Span(low, math.nextafter(low, math.inf))


def _bounded(value: Decimal | float) -> float:
    number = float(value)
    return number if LOWEST < number < HIGHEST else max(LOWEST, min(number, HIGHEST))


def is_number(value: Any) -> TypeGuard[Decimal | float]:
    """Tells whether a JSON value is a number; true and false are not."""
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files an integer or decimal as a point."""
    if is_number(value):
        low, high = point(value)
        filing.ranges[RangeRow(code, low, high)] = None
