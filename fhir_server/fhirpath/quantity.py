"""Quantities: a decimal and a unit, http://hl7.org/fhirpath/N1/#quantity."""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.ucum import to_base
from fhir_server.fhirpath.units import CALENDAR, UCUM, UCUM_OF_CALENDAR, Measure, Units, code_of, power, times


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit: a calendar word in the singular (`year`, `day`), a UCUM code, or `1`."""

    value: Decimal
    unit: str

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
    return Quantity(Decimal(number), code or value.get("unit") or value.get("code") or "1")


def _measure(unit: str, units: Units) -> Measure | None:
    if unit in ("year", "month"):
        return Measure(Fraction(1 if unit == "month" else 12), (("calendar month", 1),))
    return units(UCUM_OF_CALENDAR.get(unit, unit))


def is_comparable(a: Quantity, b: Quantity, units: Units) -> bool:
    """Tells whether the two units measure the same thing."""
    if a.unit == b.unit:
        return True
    x, y = _measure(a.unit, units), _measure(b.unit, units)
    return x is not None and y is not None and x.dimensions == y.dimensions


def compare(a: Quantity, b: Quantity, units: Units) -> int | None:
    """Returns -1, 0 or 1, or None when the units are unknown, differ in kind, or mix calendar and UCUM years."""
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
    return round(a.value, places) == round(b.value, places)


def _as_ucum_year(a: Quantity) -> Quantity:
    return Quantity(a.value, {"year": "a", "month": "mo"}.get(a.unit, a.unit))


def _aligned(a: Quantity, b: Quantity, units: Units) -> tuple[Quantity, Quantity]:
    """Expresses both in the larger of the two units."""
    x, y = _measure(a.unit, units), _measure(b.unit, units)
    if x is None or y is None:
        return a, b
    if x.factor < y.factor:
        return _scaled(a, x.factor / y.factor, b.unit), b
    return a, _scaled(b, y.factor / x.factor, a.unit)


def _scaled(a: Quantity, factor: Fraction, unit: str) -> Quantity:
    return Quantity(a.value * factor.numerator / factor.denominator, unit)


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def add(a: Quantity, b: Quantity, units: Units, *, sign: int = 1) -> Quantity | None:
    """Returns a plus (or, with sign -1, minus) b in the finer of the two units; None when they are not comparable."""
    if a.unit == b.unit:
        return Quantity(a.value + sign * b.value, a.unit)
    x, y = _measure(a.unit, units), _measure(b.unit, units)
    if x is None or y is None or x.dimensions != y.dimensions:
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
    if x is None or y is None or (exponent < 0 and b.value == 0):
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
