"""Boundaries and precision: http://hl7.org/fhirpath/2024Sep/#lowboundaryprecision-integer-decimal--date--datetime--time, and comparable()."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, DecimalException

from fhir_server.fhirpath import temporal
from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.errors import wrong_type
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, literal, type_name
from fhir_server.fhirpath.operators import boolean
from fhir_server.fhirpath.quantity import Quantity, is_comparable
from fhir_server.fhirpath.singletons import integer_of, value_of
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import Temporal

_MOST_DIGITS = 28
"""Digits of a decimal, http://hl7.org/fhirpath/N1/#decimal."""


def _boundary(*, high: bool) -> Function:
    name = "highBoundary()" if high else "lowBoundary()"

    def call(scope: Scope, focus: Collection, precision: Collection | None = None) -> Collection:
        value = value_of(focus, name)
        digits = None if precision is None else integer_of(precision, name)
        result = None if value is None else _boundary_of(value, digits, high=high)
        return [] if result is None else [literal(result)]

    return Function(call, most=1)


def _boundary_of(value: Value, digits: int | None, *, high: bool) -> Value | None:
    match value:
        case Temporal():
            return temporal.boundary(value, high=high, precision=digits)
        case Quantity():
            edge = _number_boundary(value.value, digits, high=high)
            return None if edge is None else Quantity(edge, value.unit)
        case int() | Decimal() if not isinstance(value, bool):
            return _number_boundary(Decimal(value), digits, high=high)
    raise wrong_type("a boundary", "a number, date, time or quantity", type_name(value))


def _number_boundary(value: Decimal, digits: int | None, *, high: bool) -> Decimal | None:
    places = 8 if digits is None else digits
    if not 0 <= places <= _MOST_DIGITS:
        return None
    half = Decimal(5).scaleb(int(value.as_tuple().exponent) - 1)
    edge = value + half if high else value - half
    try:
        return edge.quantize(Decimal(1).scaleb(-places), ROUND_CEILING if high else ROUND_FLOOR)
    except DecimalException:
        return None


def _precision(scope: Scope, focus: Collection) -> Collection:
    value = value_of(focus, "precision()")
    match value:
        case None:
            return []
        case Temporal():
            return [literal(value.precision)]
        case int() | Decimal() if not isinstance(value, bool):
            return [literal(max(-int(Decimal(value).as_tuple().exponent), 0))]
    raise wrong_type("precision()", "a decimal, date or time", type_name(value))


def _comparable(scope: Scope, focus: Collection, other: Collection) -> Collection:
    a, b = value_of(focus, "comparable()"), value_of(other, "comparable()")
    if not isinstance(a, Quantity) or not isinstance(b, Quantity):
        return []
    return boolean(is_comparable(a, b, scope.environment.units))


FUNCTIONS = {
    "lowBoundary": _boundary(high=False),
    "highBoundary": _boundary(high=True),
    "precision": Function(_precision),
    "comparable": Function(_comparable, 1, 1),
}
