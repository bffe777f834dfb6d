"""Quantity parameters: a number with a unit, https://hl7.org/fhir/R4/search.html#quantity.

A quantity is filed under its coded unit, `code␟system`, and under its written unit where that reads differently.
"""

from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir.shapes import JsonObject
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.kinds.number import HIGHEST, LOWEST, Span, is_number, point, searched_span
from fhir_server.search.query import AnyOf, Clause, RangeTest
from fhir_server.search.rows import SEPARATOR, RangeRow
from fhir_server.search.values import any_of, modifier_refused, prefixed, split, unescape

MODIFIERS: frozenset[str] = frozenset()
_CURRENCIES = "urn:iso:std:iso:4217"


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a quantity: `[prefix]number`, `number|system|code`, or `number||unit`.

    A unit without a system is compared with the code and with the unit as it is written.

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
    span = searched_span(op, text)
    if span is None or len(unit) not in (0, 2) or (unit and not unit[1]):
        raise SearchValueInvalid.of("search.value-quantity", code, name=code, value=part)
    tests = tuple(RangeTest(code, op, span.low, span.high, wanted) for wanted in _wanted(*unit))
    return tests[0] if len(tests) == 1 else AnyOf(tests)


def _wanted(system: str = "", code: str = "") -> tuple[str | None, ...]:
    """Returns what `RangeTest.unit` may be; a text that ends in SEPARATOR is a prefix there."""
    if not code:
        return (None,)
    return (code + SEPARATOR + system,) if system else (code + SEPARATOR, code)


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files a Quantity (and Age, Duration, Distance, Count), Money or Range; `comparator` opens the range."""
    if isinstance(value, dict):
        _FILERS.get(type_name, file_quantity)(code, value, filing)


def file_quantity(code: str, value: JsonObject, filing: Filing) -> None:
    """Files a Quantity under its coded and its written unit; one without a number not at all."""
    span = _span(value)
    if span is not None:
        _file(code, canonical(span, _coded(value)), _written(value), filing)


def _money(code: str, value: JsonObject, filing: Filing) -> None:
    file_quantity(code, {"value": value.get("value"), "system": _CURRENCIES, "code": value.get("currency")}, filing)


def _range(code: str, value: JsonObject, filing: Filing) -> None:
    low, high = _object(value.get("low")), _object(value.get("high"))
    spans = _span(low), _span(high)
    if spans == (None, None):
        return
    span = Span(spans[0].low if spans[0] else LOWEST, spans[1].high if spans[1] else HIGHEST)
    if span.low < span.high:
        _file(code, canonical(span, _coded(low or high)), _written(low or high), filing)


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


_FILERS = {"Money": _money, "Range": _range}


def canonical(span: Span, unit: str) -> tuple[Span, str]:
    """Returns a range and its unit, `code␟system` or empty, in the form that is filed: as they stand.

    This is the one place where units are brought to a common one.
    """
    return span, unit


def _file(code: str, coded: tuple[Span, str], written: str, filing: Filing) -> None:
    span, unit = coded
    filing.ranges[RangeRow(code, span.low, span.high, unit or written)] = None
    if unit and written and not unit.startswith(written + SEPARATOR):
        filing.ranges[RangeRow(code, span.low, span.high, written)] = None


def _coded(value: JsonObject) -> str:
    code = value.get("code")
    return f"{code}{SEPARATOR}{value.get('system') or ''}" if code else ""


def _written(value: JsonObject) -> str:
    return str(value.get("unit") or "")


def _span(value: JsonObject) -> Span | None:
    number = value.get("value")
    if not is_number(number):
        return None
    exact, comparator = point(number), value.get("comparator")
    return exact if comparator is None else _compared(exact, comparator)


def _compared(exact: Span, comparator: Any) -> Span:
    if comparator in ("<", "<="):
        return Span(LOWEST, exact.low if comparator == "<" else exact.high)
    if comparator in (">", ">="):
        return Span(exact.high if comparator == ">" else exact.low, HIGHEST)
    return exact
