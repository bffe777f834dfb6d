"""Answers compared with each other and with limits, https://hl7.org/fhir/R4/valueset-questionnaire-enable-operator.html.

None means that it cannot be told: other types, other units, dates of which one lies within the other.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

from fhir_server.fhir.dates import DateError, range_of
from fhir_server.fhirpath import quantity
from fhir_server.fhirpath.units import UCUM, measure_of
from fhir_server.validation.rules.questionnaire_form import Value

NUMBERS = frozenset({"decimal", "integer"})
MOMENTS = frozenset({"date", "dateTime"})
TEXTS = frozenset({"string", "time", "uri"})
_NUMERIC: frozenset[type] = frozenset({int, Decimal})
_TEXTUAL: frozenset[type] = frozenset({str})
_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Returns True when one answer is, None when one may be, else False."""
    known = list(answers)
    if True in known:
        return True
    return None if None in known else False


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Returns False when one answer is, None when one may be, else True."""
    known = list(answers)
    if False in known:
        return False
    return None if None in known else True


def holds(comparison: str, given: Value, expected: Value) -> bool | None:
    """Tells whether an answer stands in the relation (`=`, `!=`, `>`, `<`, `>=`, `<=`) to the expected one."""
    if comparison in ("=", "!="):
        same = is_same(given, expected)
        return None if same is None else same == (comparison == "=")
    order, test = compare(given, expected), _ORDERS.get(comparison)
    return None if order is None or test is None else test(order, 0)


def is_same(given: Value, expected: Value) -> bool | None:
    """Tells whether two answers are the same; a Coding expected without a system matches any."""
    if given.type == expected.type == "boolean":
        return bool(given.value == expected.value)
    if given.type == expected.type and given.type in ("Coding", "Reference"):
        return _is_same_object(given, expected)
    order = compare(given, expected)
    return None if order is None else order == 0


def _is_same_object(given: Value, expected: Value) -> bool | None:
    if type(given.value) is not dict or type(expected.value) is not dict:
        return None
    names = ("reference",) if given.type == "Reference" else ("system", "code")
    return all(given.value.get(n) == expected.value.get(n) for n in names if n in expected.value or n != "system")


def compare(a: Value, b: Value) -> int | None:
    """Returns -1, 0 or 1 as `a` is less than, equal to or more than `b`, or None when it cannot be told."""
    types = {a.type, b.type}
    if types <= NUMBERS:
        return _sign(a.value, b.value, _NUMERIC)
    if types <= MOMENTS:
        return compare_moments(a.value, b.value)
    if types == {"Quantity"}:
        return compare_quantities(a.value, b.value)
    return _sign(a.value, b.value, _TEXTUAL) if types <= TEXTS and len(types) == 1 else None


def _sign(a: Any, b: Any, kinds: frozenset[type]) -> int | None:
    return (a > b) - (a < b) if {type(a), type(b)} <= kinds else None


def compare_moments(a: Any, b: Any) -> int | None:
    """Returns the order of two dates or dateTimes; None when one lies within the other, or is no date."""
    if type(a) is not str or type(b) is not str:
        return None
    try:
        x, y = range_of(a, UTC), range_of(b, UTC)
    except DateError:
        return None
    if x == y:
        return 0
    if x.high <= y.low:
        return -1
    return 1 if x.low >= y.high else None


def compare_quantities(a: Any, b: Any) -> int | None:
    """Returns the order of two Quantities with formal units, UCUM converted; None when it cannot be told."""
    if not has_formal_unit(a) or not has_formal_unit(b) or a["system"] != b["system"]:
        return None
    if a["code"] == b["code"]:
        return _sign(a.get("value"), b.get("value"), _NUMERIC)
    x, y = quantity.of_json(a), quantity.of_json(b)
    if a["system"] != UCUM or x is None or y is None:
        return None
    return quantity.compare(x, y, measure_of)


def has_formal_unit(value: Any) -> bool:
    """Tells whether a Quantity names the system and the code of its unit."""
    return type(value) is dict and type(value.get("system")) is str and type(value.get("code")) is str
