"""Mathematics: http://hl7.org/fhirpath/N1/#math. What has no real result is empty."""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException, localcontext

from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.errors import wrong_type
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, Node, literal, type_name
from fhir_server.fhirpath.operators import ARITHMETIC, OPERATORS, computed, in_bounds, ordered
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.singletons import integer_of, number_of, value_of
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.units import Units

_DIGITS = 28
"""Digits of a Decimal, http://hl7.org/fhirpath/N1/#decimal; a logarithm is computed with more and rounded to these."""


def _of_number(name: str, compute: Callable[[Decimal], Decimal | int]) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        value = number_of(focus, name)
        return [] if value is None else _result(lambda: compute(Decimal(value)))

    return Function(call)


def _result(compute: Callable[[], Value]) -> Collection:
    try:
        value: Value | None = in_bounds(compute())
    except DecimalException:
        return []
    if value is None or (isinstance(value, Decimal) and not value.is_finite()):
        return []
    return [literal(value)]


def _precisely(compute: Callable[[], Decimal]) -> Decimal:
    """Computes with spare digits: log(125, 5) is 3 and not 2.999...9."""
    with localcontext() as context:
        context.prec = _DIGITS + 12
        value = compute()
    return _plain(+value)


def _plain(value: Decimal) -> Decimal:
    short = value.normalize()
    return short.quantize(Decimal(1)) if short.is_finite() and 0 < int(short.as_tuple().exponent) < _DIGITS else short


def _abs(scope: Scope, focus: Collection) -> Collection:
    value = value_of(focus, "abs()")
    if value is None:
        return []
    if isinstance(value, Quantity):
        return [literal(Quantity(abs(value.value), value.unit))]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise wrong_type("abs()", "a number", type_name(value))
    return [literal(-value if value < 0 else value)]


def _round(scope: Scope, focus: Collection, precision: Collection | None = None) -> Collection:
    value = number_of(focus, "round()")
    places = 0 if precision is None else integer_of(precision, "round()")
    if value is None or places is None:
        return []
    if places < 0:
        raise wrong_type("round()", "a precision of at least 0", str(places))
    return _result(lambda: Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _log(scope: Scope, focus: Collection, base: Collection) -> Collection:
    value, root = number_of(focus, "log()"), number_of(base, "log()")
    if value is None or root is None or value <= 0 or root <= 0 or root == 1:
        return []
    return _result(lambda: _precisely(lambda: Decimal(value).ln() / Decimal(root).ln()))


def _power(scope: Scope, focus: Collection, exponent: Collection) -> Collection:
    value, times = number_of(focus, "power()"), number_of(exponent, "power()")
    if value is None or times is None:
        return []
    if times == 0:  # decimal refuses 0 to the power of 0
        return [literal(1 if isinstance(value, int) and isinstance(times, int) else Decimal(1))]
    if not isinstance(value, int) or not isinstance(times, int):
        return _result(lambda: _precisely(lambda: Decimal(value) ** Decimal(times)))
    # FHIRPath 3.0 says it: the result of two integers would be an integer, and has none below
    return [] if times < 0 else _result(lambda: _whole(Decimal(value) ** times))


def _whole(value: Decimal) -> int | Decimal:
    """The integer; one beyond all bounds stays a decimal, which is not written out."""
    return int(value) if value.adjusted() < _DIGITS else Decimal("NaN")


def _extreme(name: str, wanted: int) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        units, best = scope.environment.units, focus[:1]
        for node in focus[1:]:
            order = _order(node, best[0], name, units)
            if order is None:
                return []
            best = [node] if order == wanted else best
        return best

    return Function(call)


def _order(a: Node, b: Node, name: str, units: Units) -> int | None:
    x, y = value_of([a], name), value_of([b], name)
    return None if x is None or y is None else ordered(x, y, name, units)


def _total(scope: Scope, focus: Collection) -> Collection:
    values = [value_of([node], "sum()") for node in focus]
    total = values[0] if values else None
    for value in values[1:]:
        total = (
            None if total is None or value is None else computed(ARITHMETIC["+"], total, value, scope.environment.units)
        )
    total = None if total is None else in_bounds(total)
    return [] if total is None else [literal(total)]


def _average(scope: Scope, focus: Collection) -> Collection:
    total = _total(scope, focus)
    if not total:
        return []
    return OPERATORS["/"](total, [literal(len(focus))], scope.environment.units)


FUNCTIONS = {
    "abs": Function(_abs),
    "ceiling": _of_number("ceiling()", lambda v: int(v.to_integral_value(ROUND_CEILING))),
    "floor": _of_number("floor()", lambda v: int(v.to_integral_value(ROUND_FLOOR))),
    "truncate": _of_number("truncate()", int),
    "exp": _of_number("exp()", lambda v: _precisely(v.exp)),
    "ln": _of_number("ln()", lambda v: _precisely(v.ln)),
    "sqrt": _of_number("sqrt()", Decimal.sqrt),
    "log": Function(_log, 1, 1),
    "power": Function(_power, 1, 1),
    "round": Function(_round, most=1),
    "sum": Function(_total),
    "min": _extreme("min()", -1),
    "max": _extreme("max()", 1),
    "avg": Function(_average),
}
