"""Quantities: a decimal and a unit, http://hl7.org/fhirpath/N1/#quantity."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.ucum import convert, to_base
from fhir_server.fhirpath.units import CALENDAR, UCUM, UCUM_OF_CALENDAR, Measure, Units, code_of, power, scale_of, times


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit: a calendar word in the singular (`year`, `day`), a UCUM code, or `1`.

    `calendar_unit` is `year` or `month` for an `a` or `mo` that FHIR data have: there they are calendar units, too,
    https://hl7.org/fhir/R4/fhirpath.html#quantity.
    """

    value: Decimal
    unit: str
    calendar_unit: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        """The literal that spells this value, `4 days` or `4 'mg'`."""
        if self.unit in CALENDAR:
            return f"{self.value} {self.unit}" + ("" if self.value == 1 else "s")
        return f"{self.value} '{self.unit}'"

    def as_json(self) -> JsonObject:
        """Returns the FHIR Quantity; a calendar year or month has a unit and no code, because UCUM has none."""
        code = UCUM_OF_CALENDAR.get(self.unit, self.unit)
        if code in CALENDAR:
            return {"value": self.value, "unit": code}
        return {"value": self.value, "unit": self.unit, "system": UCUM, "code": code}


def of_json(value: JsonObject) -> Quantity | None:
    """Returns the System quantity of a FHIR Quantity, or None when it has no value.

    The code counts when the system is UCUM; otherwise the unit's text does.
    """
    number: Any = value.get("value")
    if not isinstance(number, int | Decimal) or isinstance(number, bool):
        return None
    code = value.get("code") if value.get("system") == UCUM else None
    calendar_unit = _CALENDAR_OF_UCUM.get(code, "") if isinstance(code, str) else ""
    unit = next((u for u in (code, value.get("unit"), value.get("code")) if isinstance(u, str) and u), "1")
    return Quantity(Decimal(number), CALENDAR.get(unit, unit), calendar_unit)


_CALENDAR_OF_UCUM = {"a": "year", "mo": "month"}
_UCUM_OF_LONG = {"year": "a", "month": "mo"}


def _measure(unit: str, units: Units) -> Measure | None:
    if unit in ("year", "month"):
        return Measure(Fraction(1 if unit == "month" else 12), (("calendar month", 1),))
    return units(UCUM_OF_CALENDAR.get(unit, unit)) or scale_of(unit)


def _alike(a: Quantity, b: Quantity) -> tuple[Quantity, Quantity]:
    """Both in calendar units where one is of FHIR data and the other has a calendar year or month."""
    if a.calendar_unit and b.unit in _UCUM_OF_LONG:
        return Quantity(a.value, a.calendar_unit), b
    if b.calendar_unit and a.unit in _UCUM_OF_LONG:
        return a, Quantity(b.value, b.calendar_unit)
    return a, b


def identity(a: Quantity, units: Units) -> Hashable:
    """Returns a hashable that is the same for equal quantities."""
    measure, base = _measure(a.unit, units), _in_base(a, units)
    return (a.unit, a.value) if measure is None or base is None else (measure.dimensions, base)


def is_comparable(a: Quantity, b: Quantity, units: Units) -> bool:
    """Tells whether the two units measure the same thing."""
    a, b = _alike(a, b)
    if a.unit == b.unit:
        return True
    x, y = _measure(a.unit, units), _measure(b.unit, units)
    return x is not None and y is not None and x.dimensions == y.dimensions


def compare(a: Quantity, b: Quantity, units: Units) -> int | None:
    """Returns -1, 0 or 1, or None when the units are unknown, differ in kind, or mix calendar and UCUM years."""
    a, b = _alike(a, b)
    if a.unit == b.unit:
        return (a.value > b.value) - (a.value < b.value)
    if not is_comparable(a, b, units):
        return None
    x, y = _in_base(a, units), _in_base(b, units)
    return None if x is None or y is None else (x > y) - (x < y)


def _in_base(a: Quantity, units: Units) -> Fraction | None:
    measure = _measure(a.unit, units)
    return None if measure is None else to_base(a.value, measure)


def equals(a: Quantity, b: Quantity, units: Units) -> bool | None:
    """Returns whether both are the same amount; None for a calendar year or month against a UCUM `a` or `mo`."""
    a, b = _alike(a, b)
    order = compare(a, b, units)
    if order is not None:
        return order == 0
    calendar = {"year", "month"}
    mixed = (a.unit in calendar) != (b.unit in calendar) and {a.unit, b.unit} & {"a", "mo", "d", "wk", "day", "week"}
    return None if mixed else False


def is_equivalent(a: Quantity, b: Quantity, units: Units) -> bool:
    """Tells whether both are the same amount at the precision of the less precise one; a year is equivalent to an `a`."""
    a, b = _as_ucum_year(a), _as_ucum_year(b)
    if not is_comparable(a, b, units):
        return False
    if a.unit != b.unit:
        a, b = _aligned(a, b, units)
    places = min(_places(a.value), _places(b.value))
    return _rounded(a.value, places) == _rounded(b.value, places)


def _rounded(value: Decimal, places: int) -> Decimal:
    with localcontext() as context:
        context.prec = max(value.adjusted() + places + 2, 1)
        return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _as_ucum_year(a: Quantity) -> Quantity:
    return Quantity(a.value, _UCUM_OF_LONG.get(a.unit, a.unit))


def _aligned(a: Quantity, b: Quantity, units: Units) -> tuple[Quantity, Quantity]:
    """Expresses both in the larger of the two units; in the second where one of them is no plain factor."""
    x, y = _measure(a.unit, units), _measure(b.unit, units)
    if x is None or y is None:
        return a, b
    if x.scale is not None or y.scale is not None:
        converted = convert(a.value, a.unit, b.unit)
        return (a if converted is None else Quantity(converted, b.unit)), b
    if x.factor < y.factor:
        return _scaled(a, x.factor / y.factor, b.unit), b
    return a, _scaled(b, y.factor / x.factor, a.unit)


def _scaled(a: Quantity, factor: Fraction, unit: str) -> Quantity:
    return Quantity(a.value * factor.numerator / factor.denominator, unit)


def _places(value: Decimal) -> int:
    """Digits after the point that count: zeroes at the end do not."""
    _, digits, exponent = value.as_tuple()
    places = -exponent if isinstance(exponent, int) else 0
    while places > 0 and not digits[-1]:
        digits, places = digits[:-1] or (0,), places - 1
    return max(places, 0)


def add(a: Quantity, b: Quantity, units: Units, *, sign: int = 1) -> Quantity | None:
    """Returns a plus (or, with sign -1, minus) b in the finer of the two units; None when they are not comparable."""
    a, b = _alike(a, b)
    if a.unit == b.unit:
        return Quantity(a.value + sign * b.value, a.unit)
    x, y = _measure(a.unit, units), _measure(b.unit, units)
    if x is None or y is None or x.dimensions != y.dimensions or x.scale is not None or y.scale is not None:
        return None
    if x.factor <= y.factor:
        return Quantity(a.value + sign * _scaled(b, y.factor / x.factor, a.unit).value, a.unit)
    return Quantity(_scaled(a, x.factor / y.factor, b.unit).value + sign * b.value, b.unit)


def multiply(a: Quantity, b: Quantity, units: Units, *, exponent: int = 1) -> Quantity | None:
    """Returns a times b (with exponent -1: divided by b), in base units unless one of them is a plain number."""
    if b.unit == "1":
        return _by_number(a, b.value, exponent)
    if a.unit == "1" and exponent == 1:
        return Quantity(a.value * b.value, b.unit)
    x, y = _measure(a.unit, units), _measure(b.unit, units)
    if x is None or y is None or (exponent < 0 and b.value == 0) or x.scale is not None or y.scale is not None:
        return None
    unit = times(x, power(y, exponent))
    value = Fraction(a.value) * Fraction(b.value) ** exponent * unit.factor
    with localcontext() as context:
        context.prec = 28
        return Quantity(Decimal(value.numerator) / Decimal(value.denominator), code_of(unit.dimensions))


def _by_number(a: Quantity, number: Decimal, exponent: int) -> Quantity | None:
    if exponent > 0:
        return Quantity(a.value * number, a.unit)
    return None if number == 0 else Quantity(a.value / number, a.unit)
