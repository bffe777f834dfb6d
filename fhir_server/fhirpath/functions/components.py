"""Parts of dates and times, and what lies between two of them.

http://hl7.org/fhirpath/#extract-datedatetimetime-components and #date-and-time-interval-functions (3.0).
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from fhir_server.fhirpath import temporal
from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.errors import wrong_type
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, literal, type_name
from fhir_server.fhirpath.singletons import text_of, value_of
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import DATE, DATE_TIME, TIME, Temporal
from fhir_server.fhirpath.units import CALENDAR

_PARTS = ("year", "month", "day", "hour", "minute", "second", "millisecond")
_SECONDS = {"hour": 3600, "minute": 60, "second": 1}


def _moment(collection: Collection, name: str) -> Temporal | None:
    value = value_of(collection, name)
    if value is None or isinstance(value, Temporal):
        return value
    raise wrong_type(name, "a date or time", type_name(value))


def _of_moment(name: str, compute: Callable[[Temporal], Value | None]) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        value = _moment(focus, name)
        result = None if value is None else compute(value)
        return [] if result is None else [literal(result)]

    return Function(call)


def part_of(value: Temporal, part: str) -> int | None:
    """Returns a component (`year` ... `millisecond`), or None where the value has no such precision."""
    if part == "millisecond":
        return int((value.fraction + "000")[:3]) if value.fraction else None
    place = _PARTS.index(part) - (3 if value.kind == TIME else 0)
    return value.parts[place] if 0 <= place < len(value.parts) else None


def _offset(value: Temporal) -> Decimal | None:
    minutes = value.offset_minutes
    return None if minutes is None else Decimal(minutes) / 60


def _time(value: Temporal) -> Temporal | None:
    if value.kind != DATE_TIME or len(value.parts) < 4:
        return None
    return Temporal(TIME, value.parts[3:], value.fraction)


def _between(name: str, count: Callable[[Temporal, Temporal, str], int | None]) -> Function:
    def call(scope: Scope, focus: Collection, other: Collection, unit: Collection) -> Collection:
        a, b, word = _moment(focus, name), _moment(other, name), text_of(unit, name)
        if a is None or b is None or word is None:
            return []
        if word not in CALENDAR:
            raise wrong_type(name, "a calendar unit such as 'day'", repr(word))
        found = count(a, b, CALENDAR[word]) if (a.kind == TIME) == (b.kind == TIME) else None
        return [] if found is None else [literal(found)]

    return Function(call, 2, 2)


def whole_units(a: Temporal, b: Temporal, unit: str) -> int | None:
    """Returns the whole calendar units from `a` to `b`, negative when `b` is earlier; None when precision leaves it open."""
    order = temporal.compare(a, b)
    if order is None:
        return None
    if order > 0:
        back = whole_units(b, a, unit)
        return None if back is None else -back
    crossed = crossed_units(a, b, "day" if unit == "week" else unit)
    if crossed is None:
        return None
    count = crossed // 7 if unit == "week" else crossed
    reached = temporal.add(a, Decimal(count), unit)
    late = None if reached is None else temporal.compare(reached, b)
    return None if late is None else count - (late > 0)


def crossed_units(a: Temporal, b: Temporal, unit: str) -> int | None:
    """Returns how many boundaries of a calendar unit lie between `a` and `b`; weeks begin on Sunday."""
    x, y = (_number(temporal.in_utc(v) if a.offset and b.offset else v, unit) for v in (a, b))
    return None if x is None or y is None else y - x


def _number(value: Temporal, unit: str) -> int | None:
    """Counts a unit from the beginning of time, as far as the value's precision goes."""
    parts = [part_of(value, p) for p in _PARTS[: _PARTS.index("day" if unit == "week" else unit) + 1]]
    if value.kind == TIME:
        parts[:3] = [1, 1, 1]
    if unit == "millisecond" and parts[-1] is None and parts[-2] is not None:
        parts[-1] = 0
    if None in parts:
        return None
    return _counted([p for p in parts if p is not None], unit)


def _counted(parts: list[int], unit: str) -> int:
    if len(parts) < 3:
        return parts[0] if unit == "year" else parts[0] * 12 + parts[1]
    days = date(parts[0], parts[1], parts[2]).toordinal()
    if unit in ("day", "week"):
        return days if unit == "day" else days // 7
    hour, minute, second, millisecond = (*parts[3:], 0, 0, 0)[:4]
    seconds = days * 86400 + hour * 3600 + minute * 60 + second
    return seconds * 1000 + millisecond if unit == "millisecond" else seconds // _SECONDS[unit]


FUNCTIONS = {
    **{f"{part}Of": _of_moment(f"{part}Of()", lambda v, part=part: part_of(v, part)) for part in _PARTS},  # type: ignore[misc]
    "timezoneOffsetOf": _of_moment("timezoneOffsetOf()", _offset),
    "dateOf": _of_moment("dateOf()", lambda v: temporal.as_kind(v, DATE)),
    "timeOf": _of_moment("timeOf()", _time),
    "duration": _between("duration()", whole_units),
    "difference": _between("difference()", crossed_units),
}
