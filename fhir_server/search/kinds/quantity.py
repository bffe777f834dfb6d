"""Quantity parameters: a number with a unit, https://hl7.org/fhir/R4/search.html#quantity.

A quantity is filed under its coded unit, `code␟system`, and under its written unit where that reads differently. One in
UCUM is filed in base units, too, as `param:ucum`: 5 mg/dL is 50 g.m-3, and so is 50 mg/L.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from math import copysign
from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir import ucum
from fhir_server.fhir.shapes import JsonObject
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.kinds.number import HIGHEST, LOWEST, Scale, Span, as_it_is, is_number, point, searched_span
from fhir_server.search.query import AnyOf, Clause, RangeTest
from fhir_server.search.rows import SEPARATOR, RangeRow
from fhir_server.search.values import any_of, modifier_refused, prefixed, split, unescape

MODIFIERS: frozenset[str] = frozenset()
IN_BASE = ":ucum"
_CURRENCIES = "urn:iso:std:iso:4217"


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a quantity: `[prefix]number`, also as `number||`, `number|system|code`, or `number||unit`.

    A UCUM unit is compared in base units; a unit without a system with the code and with the unit as it is written.

    Raises:
        SearchValueInvalid: an alternative has no number, or not exactly these parts.
        SearchParameterUnknown: a modifier; quantities take none but `:missing`.
    """
    if modifier is not None:
        raise modifier_refused(parameter.code, modifier, MODIFIERS)
    return any_of(parameter.code, raw, lambda part: _clause(parameter.code, part))


def _clause(code: str, part: str) -> Clause:
    number, *unit = [unescape(p) for p in split(part, "|")]
    op, text = prefixed(number)
    unit = unit if any(unit) else []  # `5||` is a form whose unit was left empty
    base = base_of(unit[1]) if unit[:1] == [ucum.SYSTEM] and len(unit) == 2 else None
    span = searched_span(op, text, base.scale if base else as_it_is)
    if span is None or len(unit) not in (0, 2) or (unit and not unit[1]):
        raise SearchValueInvalid.of("search.value-quantity", code, name=code, value=part)
    if base is not None:
        return RangeTest(code + IN_BASE, op, span.low, span.high, base.code)
    tests = tuple(RangeTest(code, op, span.low, span.high, wanted) for wanted in _wanted(*unit))
    return tests[0] if len(tests) == 1 else AnyOf(tests)


def _wanted(system: str = "", code: str = "") -> tuple[str | None, ...]:
    """Returns what `RangeTest.unit` may be: a prefix ends in SEPARATOR there, a suffix begins with it."""
    if not code:
        return (None,)
    coded = code + SEPARATOR + system
    return (coded, coded + SEPARATOR) if system else (code, code + SEPARATOR, SEPARATOR + code)


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files a Quantity (and Age, Duration, Distance, Count), Money or Range; `comparator` opens the range."""
    if isinstance(value, dict):
        _FILERS.get(type_name, file_quantity)(code, value, filing)


def file_quantity(code: str, value: JsonObject, filing: Filing) -> None:
    """Files a Quantity under its coded and its written unit and in base units; one without a number not at all."""
    if is_number(value.get("value")):
        _file(code, value, partial(_span, value), filing)


def _money(code: str, value: JsonObject, filing: Filing) -> None:
    file_quantity(code, {"value": value.get("value"), "system": _CURRENCIES, "code": value.get("currency")}, filing)


def _range(code: str, value: JsonObject, filing: Filing) -> None:
    low, high = _object(value.get("low")), _object(value.get("high"))
    _file(code, low or high, lambda scale: _joined(_span(low, scale), _span(high, scale)), filing)


def _joined(low: Span | None, high: Span | None) -> Span | None:
    joined = Span(low.low if low else LOWEST, high.high if high else HIGHEST)
    return joined if (low or high) and joined.low < joined.high else None


def file_known(code: str, value: JsonObject, filing: Filing) -> None:
    """Files what `file_quantity` does, remembering what became of equal quantities.

    Raises:
        TypeError: its parts are no texts and numbers.
    """
    get = value.get
    number = get("value")
    if type(number) is Decimal or type(number) is int:
        for row in _known_rows(number, get("comparator"), get("unit"), get("system"), get("code")):
            filing.ranges[RangeRow(code + row.param, row.low, row.high, row.unit)] = None
    elif number is not None:
        file_quantity(code, value, filing)


@lru_cache(65_536, typed=True)
def _known_rows(number: Decimal | int, comparator: Any, unit: Any, system: Any, code: Any) -> tuple[RangeRow, ...]:
    value = {"value": number, "comparator": comparator, "unit": unit, "system": system, "code": code}
    return tuple(_rows(value, partial(_span, value)))


def _file(code: str, unit: JsonObject, span_on: Callable[[Scale], Span | None], filing: Filing) -> None:
    for row in _rows(unit, span_on):
        filing.ranges[row._replace(param=code + row.param)] = None


def _rows(unit: JsonObject, span_on: Callable[[Scale], Span | None]) -> Iterator[RangeRow]:
    """Yields a range as it stands, under the name of nothing, and in base units; `unit` tells the unit of both its ends."""
    span = span_on(as_it_is)
    if span is None:
        return
    coded, written = _coded(unit), _written(unit)
    if coded and written and not coded.startswith(written + SEPARATOR):
        coded += SEPARATOR + written
    yield RangeRow("", span.low, span.high, coded or written)
    base = base_of(unit["code"]) if unit.get("system") == ucum.SYSTEM and isinstance(unit.get("code"), str) else None
    in_base = span_on(base.scale) if base else None
    if base and in_base:
        yield RangeRow(IN_BASE, in_base.low, in_base.high, base.code)


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


_FILERS = {"Money": _money, "Range": _range}


@dataclass(frozen=True, slots=True)
class Base:
    """The base units that a unit is converted to: their code, and how its numbers become theirs."""

    code: str
    scale: Scale


@lru_cache(4096)
def base_of(code: str) -> Base | None:
    """Returns what a UCUM unit is compared in; None for no UCUM code and for scales on which more is less (pH).

    The latter are compared as they stand: their prefixes would turn round.
    """
    unit = ucum.parse(code)
    if unit is None:
        return None
    one, two = (ucum.to_base(Decimal(number), unit) for number in (1, 2))
    if one is None or two is None or one >= two:
        return None
    return Base(ucum.code_of(unit.dimensions), partial(_in_base, code))


@lru_cache(65_536)
def _in_base(code: str, value: Decimal | float) -> float:
    """Returns a number in base units; one that is too far from nought for that is at the end of all numbers.

    Remembered, because readings repeat and exact arithmetic takes 20 us.
    """
    exact, unit = Decimal(value), ucum.parse(code)
    base = None if unit is None else ucum.to_base(exact, unit)
    if base is None:
        return 0.0 if exact.adjusted() < 0 else copysign(HIGHEST, exact)
    return float(max(Fraction(LOWEST), min(base, Fraction(HIGHEST))))


def _coded(value: JsonObject) -> str:
    code = value.get("code")
    return f"{code}{SEPARATOR}{value.get('system') or ''}" if code else ""


def _written(value: JsonObject) -> str:
    return str(value.get("unit") or "")


def _span(value: JsonObject, scale: Scale) -> Span | None:
    number = value.get("value")
    if not is_number(number):
        return None
    exact, comparator = point(scale(number)), value.get("comparator")
    return exact if comparator is None else _compared(exact, comparator)


def _compared(exact: Span, comparator: Any) -> Span:
    if comparator in ("<", "<="):
        return Span(LOWEST, exact.low if comparator == "<" else exact.high)
    if comparator in (">", ">="):
        return Span(exact.high if comparator == ">" else exact.low, HIGHEST)
    return exact
