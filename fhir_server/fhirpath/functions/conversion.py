"""Conversion: http://hl7.org/fhirpath/N1/#conversion. What cannot be converted is empty."""

import re
from collections.abc import Callable
from decimal import Decimal

from fhir_server.fhir import ucum
from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, atom, literal
from fhir_server.fhirpath.operators import boolean, in_bounds
from fhir_server.fhirpath.quantity import Quantity, is_comparable, multiply
from fhir_server.fhirpath.singletons import one, text_of
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import DATE, DATE_TIME, Temporal, as_kind, parse_date, parse_time
from fhir_server.fhirpath.units import CALENDAR, Units

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_QUANTITY = re.compile(r"(?P<value>[+-]?\d+(?:\.\d+)?)\s*(?:'(?P<unit>[^']+)'|(?P<time>[a-zA-Z]+))?", re.ASCII)
_TRUE = ("true", "t", "yes", "y", "1", "1.0")
_FALSE = ("false", "f", "no", "n", "0", "0.0")


def to_boolean(value: Value) -> bool | None:
    """Returns the Boolean of 1, 0, `true`, `yes`, `t`, `y` and their opposites, or None."""
    if isinstance(value, int | Decimal):
        return {1: True, 0: False}.get(int(value)) if value == int(value) else None
    if isinstance(value, str):
        folded = value.lower()
        return True if folded in _TRUE else False if folded in _FALSE else None
    return None


def to_integer(value: Value) -> int | None:
    """Returns the Integer of an integer, a boolean or a text of digits, or None."""
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value) and len(value) <= 11:
        bounded = in_bounds(int(value))
        return bounded if isinstance(bounded, int) else None
    return None


def to_decimal(value: Value) -> Decimal | None:
    """Returns the Decimal of a number, a boolean or a text that spells one, or None."""
    if isinstance(value, int | Decimal):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def to_text(value: Value) -> str | None:
    """Returns the String of any System value."""
    match value:
        case bool():
            return "true" if value else "false"
        case Temporal() | Quantity():
            return value.text
        case Decimal():
            return format(value, "f")
    return str(value)


def to_quantity(value: Value) -> Quantity | None:
    """Returns the Quantity of a number (unit `1`), a boolean or a text such as `4 days` or `4 'mg'`, or None."""
    match value:
        case Quantity():
            return value
        case int() | Decimal():
            return Quantity(Decimal(value), "1")
        case str():
            return _quantity_of_text(value)
    return None


def _quantity_of_text(text: str) -> Quantity | None:
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or (found["time"] and found["time"] not in CALENDAR):
        return None
    unit = found["unit"] or found["time"] or "1"
    return Quantity(Decimal(found["value"]), CALENDAR.get(unit, unit))


def to_date(value: Value) -> Temporal | None:
    """Returns the Date of a date, a date-time or a text, or None."""
    parsed = parse_date(value) if isinstance(value, str) else value
    return as_kind(parsed, DATE) if isinstance(parsed, Temporal) else None


def to_date_time(value: Value) -> Temporal | None:
    """Returns the DateTime of a date, a date-time or a text, or None."""
    parsed = parse_date(value) if isinstance(value, str) else value
    return as_kind(parsed, DATE_TIME) if isinstance(parsed, Temporal) else None


def to_time(value: Value) -> Temporal | None:
    """Returns the Time of a time or a text, or None."""
    parsed = parse_time(value) if isinstance(value, str) else value
    return as_kind(parsed, "Time") if isinstance(parsed, Temporal) else None


_CONVERSIONS: dict[str, Callable[[Value], Value | None]] = {
    "Boolean": to_boolean,
    "Integer": to_integer,
    "Decimal": to_decimal,
    "String": to_text,
    "Date": to_date,
    "DateTime": to_date_time,
    "Time": to_time,
}


def _value(focus: Collection, name: str) -> Value | None:
    """The System value of the only item; None for a complex one as well, which converts to nothing."""
    node = one(focus, name)
    return None if node is None or node.value is None else atom(node)


def _answer(focus: Collection, converted: Value | None) -> Collection:
    """Whether there is a conversion; empty without a value to convert."""
    return boolean(converted is not None) if focus and focus[0].value is not None else []


def _to(type_: str, convert: Callable[[Value], Value | None]) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        value = _value(focus, f"to{type_}()")
        result = None if value is None else convert(value)
        return [] if result is None else [literal(result)]

    return Function(call)


def _converts(type_: str, convert: Callable[[Value], Value | None]) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        value = _value(focus, f"convertsTo{type_}()")
        return _answer(focus, None if value is None else convert(value))

    return Function(call)


def _quantity_in(scope: Scope, focus: Collection, unit: Collection | None) -> Quantity | None:
    value = _value(focus, "toQuantity()")
    result = None if value is None else to_quantity(value)
    wanted = None if unit is None else text_of(unit, "toQuantity()")
    if result is None or wanted is None:
        return result
    return in_unit(result, CALENDAR.get(wanted, wanted), scope.environment.units)


def in_unit(value: Quantity, unit: str, units: Units) -> Quantity | None:
    """Returns the same amount in another unit, `5 'mg'` in `g` as `0.005 'g'`; None when they are not comparable."""
    single = Quantity(Decimal(1), unit)
    if value.unit == unit or not is_comparable(value, single, units):
        return value if value.unit == unit else None
    ratio = multiply(value, single, units, exponent=-1)
    found = ucum.convert(value.value, value.unit, unit) if ratio is None else ratio.value
    return None if found is None else Quantity(found, unit)


def _to_quantity(scope: Scope, focus: Collection, unit: Collection | None = None) -> Collection:
    result = _quantity_in(scope, focus, unit)
    return [] if result is None else [literal(result)]


def _converts_to_quantity(scope: Scope, focus: Collection, unit: Collection | None = None) -> Collection:
    return _answer(focus, _quantity_in(scope, focus, unit))


FUNCTIONS = {
    **{f"to{type_}": _to(type_, convert) for type_, convert in _CONVERSIONS.items()},
    **{f"convertsTo{type_}": _converts(type_, convert) for type_, convert in _CONVERSIONS.items()},
    "toQuantity": Function(_to_quantity, most=1),
    "convertsToQuantity": Function(_converts_to_quantity, most=1),
}
