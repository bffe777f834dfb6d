"""Mathematics: http://hl7.org/fhirpath/N1/#math. What has no real result is empty."""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException

from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.errors import wrong_type
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, literal
from fhir_server.fhirpath.operators import in_bounds
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.singletons import integer_of, number_of, value_of
from fhir_server.fhirpath.syntax import Value


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
    return [] if value is None else [literal(value)]


def _abs(scope: Scope, focus: Collection) -> Collection:
    value = value_of(focus, "abs()")
    if value is None:
        return []
    if isinstance(value, Quantity):
        return [literal(Quantity(abs(value.value), value.unit))]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise wrong_type("abs()", "a number", type(value).__name__)
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
    return _result(lambda: Decimal(value).ln() / Decimal(root).ln())


def _power(scope: Scope, focus: Collection, exponent: Collection) -> Collection:
    value, times = number_of(focus, "power()"), number_of(exponent, "power()")
    if value is None or times is None:
        return []
    whole = isinstance(value, int) and isinstance(times, int) and times >= 0
    return _result(lambda: int(Decimal(value) ** times) if whole else Decimal(value) ** Decimal(times))


FUNCTIONS = {
    "abs": Function(_abs),
    "ceiling": _of_number("ceiling()", lambda v: int(v.to_integral_value(ROUND_CEILING))),
    "floor": _of_number("floor()", lambda v: int(v.to_integral_value(ROUND_FLOOR))),
    "truncate": _of_number("truncate()", int),
    "exp": _of_number("exp()", Decimal.exp),
    "ln": _of_number("ln()", Decimal.ln),
    "sqrt": _of_number("sqrt()", Decimal.sqrt),
    "log": Function(_log, 1, 1),
    "power": Function(_power, 1, 1),
    "round": Function(_round, most=1),
}
