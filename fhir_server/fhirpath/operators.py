"""The binary operators, http://hl7.org/fhirpath/N1/#operations."""

from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from types import MappingProxyType

from fhir_server.fhirpath import quantity, temporal
from fhir_server.fhirpath.equality import as_quantity, distinct, equals, is_equivalent, key
from fhir_server.fhirpath.errors import EvaluationError, too_costly, wrong_type
from fhir_server.fhirpath.nodes import Collection, literal, type_name
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.singletons import one, value_of
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import Temporal
from fhir_server.fhirpath.units import CALENDAR, Units

MAX_TEXT = 1_048_576
"""Characters of a text that an expression may build: FHIR's own limit of a string."""
_INTEGERS = range(-(2**31), 2**31)

TRUE, FALSE = literal(value=True), literal(value=False)


def boolean(value: bool | None) -> Collection:
    """Returns the collection of a three-valued truth: None is empty."""
    if value is None:
        return []
    return [TRUE if value else FALSE]


def _equal(a: Collection, b: Collection, units: Units) -> Collection:
    return boolean(equals(a, b, units))


def _unequal(a: Collection, b: Collection, units: Units) -> Collection:
    same = equals(a, b, units)
    return [] if same is None else boolean(not same)


def _equivalent(a: Collection, b: Collection, units: Units) -> Collection:
    return boolean(is_equivalent(a, b, units))


def _not_equivalent(a: Collection, b: Collection, units: Units) -> Collection:
    return boolean(not is_equivalent(a, b, units))


def union(a: Collection, b: Collection, units: Units) -> Collection:
    """Returns the items of both without duplicates, in order."""
    return distinct([*a, *b], units)


def _contains(a: Collection, b: Collection, units: Units) -> Collection:
    return _member(b, a, units, "contains")


def _in(a: Collection, b: Collection, units: Units) -> Collection:
    return _member(a, b, units, "in")


def _member(a: Collection, b: Collection, units: Units, operator: str) -> Collection:
    item = one(a, operator)
    return [] if item is None or item.value is None else boolean(key(item, units) in {key(n, units) for n in b})


def _ordering(operator: str, holds: Callable[[int], bool]) -> "Operator":
    def operation(a: Collection, b: Collection, units: Units) -> Collection:
        x, y = value_of(a, operator), value_of(b, operator)
        if x is None or y is None:
            return []
        order = ordered(x, y, operator, units)
        return [] if order is None else boolean(holds(order))

    return operation


def ordered(x: Value, y: Value, operator: str, units: Units) -> int | None:
    """Returns -1, 0 or 1, or None where precision or units leave the order open.

    Raises:
        EvaluationError: values of types that have no order between them.
    """
    if isinstance(x, str) and isinstance(y, str):
        return (x > y) - (x < y)
    if isinstance(x, Temporal) and isinstance(y, Temporal):
        if (x.kind == temporal.TIME) != (y.kind == temporal.TIME):
            raise wrong_type(operator, "two values of one type", f"{x.kind} and {y.kind}")
        return temporal.compare(x, y)
    p, q = as_quantity(x), as_quantity(y)
    if p is None or q is None:
        raise wrong_type(operator, "two values of one type", f"{type_name(x)} and {type_name(y)}")
    return quantity.compare(p, q, units)


def _arithmetic(operator: str, compute: Callable[[Value, Value, Units], Value | None]) -> "Operator":
    def operation(a: Collection, b: Collection, units: Units) -> Collection:
        x, y = value_of(a, operator), value_of(b, operator)
        if x is None or y is None:
            return []
        result = computed(compute, x, y, units)
        return [] if result is None else [literal(result)]

    return operation


def computed(compute: Callable[[Value, Value, Units], Value | None], x: Value, y: Value, units: Units) -> Value | None:
    """Returns the result of an arithmetic operator on two values, or None when there is none or it overflows.

    Raises:
        EvaluationError: the operator does not take these types.
    """
    try:
        result = compute(x, y, units)
    except DecimalException:
        return None
    return None if result is None else in_bounds(result)


def in_bounds(value: Value) -> Value | None:
    """Returns the value, or None for an integer beyond 32 bits: overflow is empty.

    Raises:
        EvaluationError: a text longer than `MAX_TEXT`.
    """
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise too_costly("a text", MAX_TEXT, "characters")
    return None if type(value) is int and value not in _INTEGERS else value


def _numbers(x: Value, y: Value, operator: str) -> tuple[int | Decimal, int | Decimal]:
    if isinstance(x, bool | str | Temporal | Quantity) or isinstance(y, bool | str | Temporal | Quantity):
        raise wrong_type(operator, "two numbers", f"{type_name(x)} and {type_name(y)}")
    return x, y


def _plus(x: Value, y: Value, units: Units) -> Value | None:
    match x, y:
        case str(), str():
            return x + y
        case Temporal(), _:
            return _moved(x, y, 1)
        case (Quantity(), _) | (_, Quantity()):
            return _summed(x, y, units, 1)
    a, b = _numbers(x, y, "+")
    return a + b


def _minus(x: Value, y: Value, units: Units) -> Value | None:
    match x, y:
        case Temporal(), _:
            return _moved(x, y, -1)
        case (Quantity(), _) | (_, Quantity()):
            return _summed(x, y, units, -1)
    a, b = _numbers(x, y, "-")
    return a - b


def _as_written(result: Decimal, x: Value, y: Value) -> Value:
    return int(result) if isinstance(x, int) and isinstance(y, int) else result


def _summed(x: Value, y: Value, units: Units, sign: int) -> Value | None:
    p, q = as_quantity(x), as_quantity(y)
    if p is None or q is None:
        raise wrong_type("+" if sign > 0 else "-", "two quantities", f"{type_name(x)} and {type_name(y)}")
    return quantity.add(p, q, units, sign=sign)


# UCUM units whose length is exact; a year or month of UCUM is not a calendar year or month
_DEFINITE = {"wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}


def _moved(x: Temporal, y: Value, sign: int) -> Value | None:
    if not isinstance(y, Quantity):
        raise wrong_type("date arithmetic", "a calendar duration", type_name(y))
    unit = y.unit if y.unit in CALENDAR else y.calendar_unit or _DEFINITE.get(y.unit)
    if x.kind == temporal.TIME and unit in ("year", "month", "week", "day"):
        raise wrong_type("time arithmetic", "hours, minutes, seconds or milliseconds", f"{unit}s")
    if unit is None:
        raise EvaluationError(
            "fhirpath.wrong-type", what="date arithmetic", expected="a calendar duration", found=repr(y.unit)
        )
    return temporal.add(x, y.value * sign, unit)


def _times(x: Value, y: Value, units: Units) -> Value | None:
    if isinstance(x, Quantity) or isinstance(y, Quantity):
        p, q = as_quantity(x), as_quantity(y)
        if p is None or q is None:
            raise wrong_type("*", "two quantities", f"{type_name(x)} and {type_name(y)}")
        return quantity.multiply(p, q, units)
    a, b = _numbers(x, y, "*")
    return a * b


def _divided(x: Value, y: Value, units: Units) -> Value | None:
    if isinstance(x, Quantity) or isinstance(y, Quantity):
        p, q = as_quantity(x), as_quantity(y)
        if p is None or q is None:
            raise wrong_type("/", "two quantities", f"{type_name(x)} and {type_name(y)}")
        return quantity.multiply(p, q, units, exponent=-1)
    a, b = _numbers(x, y, "/")
    return None if b == 0 else Decimal(a) / b


def _div(x: Value, y: Value, units: Units) -> Value | None:
    a, b = _numbers(x, y, "div")
    return None if b == 0 else int(Decimal(a) // b)


def _mod(x: Value, y: Value, units: Units) -> Value | None:
    a, b = _numbers(x, y, "mod")
    return None if b == 0 else _as_written(Decimal(a) % b, x, y)


def _joined(a: Collection, b: Collection, units: Units) -> Collection:
    x, y = value_of(a, "&"), value_of(b, "&")
    for value in (x, y):
        if value is not None and not isinstance(value, str):
            raise wrong_type("&", "two strings", type_name(value))
    text = in_bounds(f"{x or ''}{y or ''}")
    return [literal(text)] if text is not None else []


ARITHMETIC: Mapping[str, Callable[[Value, Value, Units], Value | None]] = MappingProxyType(
    {"+": _plus, "-": _minus, "*": _times, "/": _divided, "div": _div, "mod": _mod}
)
"""Operators on two System values; None is empty. A result still has to pass `in_bounds`."""

Operator = Callable[[Collection, Collection, Units], Collection]
OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "=": _equal, "!=": _unequal, "~": _equivalent, "!~": _not_equivalent, "|": union, "in": _in, "contains": _contains,
        "<": _ordering("<", lambda o: o < 0), ">": _ordering(">", lambda o: o > 0),
        "<=": _ordering("<=", lambda o: o <= 0), ">=": _ordering(">=", lambda o: o >= 0),
        **{operator: _arithmetic(operator, compute) for operator, compute in ARITHMETIC.items()}, "&": _joined,
    }
)  # fmt: skip
"""Operators that evaluate both sides; and, or, xor, implies are in the evaluator, because they may leave the right one out."""
