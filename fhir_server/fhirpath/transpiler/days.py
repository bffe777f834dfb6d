"""Whole days: what invariants compare most, without the general engine's dates. https://hl7.org/fhirpath/N1/#datetime-arithmetic.

Only `YYYY-MM-DD` is taken here; every other text goes the general way.
"""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from fhir_server.fhirpath.environment import clock_day
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import day_of
from fhir_server.fhirpath.transpiler.values import arithmetic, dated

_MONTHS = {"year": 12, "month": 1}
_DAYS = {"week": 7, "day": 1}
_SHORTEST = 28
"""Days that every month has."""


@dataclass(frozen=True, slots=True)
class Move:
    """The addition of a calendar duration as calendar months or days, and as the general engine does it."""

    months: int
    days: timedelta
    compute: Callable[..., Value | None]
    by: Quantity


@dataclass(frozen=True, slots=True)
class Moves:
    """What is added to dates of one FHIR type, one after the other."""

    type: str
    steps: tuple[Move, ...]


def move_of(symbol: str, compute: Callable[..., Value | None], by: Quantity) -> Move | None:
    """Returns the move by whole years, months, weeks or days, or None for other units."""
    count = int(by.value) * {"+": 1, "-": -1}.get(symbol, 0)
    if not count:
        return None
    months, days = count * _MONTHS.get(by.unit, 0), count * _DAYS.get(by.unit, 0)
    return Move(months, timedelta(days), compute, by) if months or days else None


def today_in(now: datetime | None) -> date:
    """Returns the day of `now`, or of the clock."""
    return clock_day() if now is None else now.date()


def moved(value: Any, moves: Moves) -> Any:
    """Returns a date after all moves: a day for a whole day, a Temporal for others, None where there is none.

    Raises:
        Malformed: not a date.
        ValueError: a day that does not exist.
    """
    day = day_of(value) if type(value) is str else value
    if type(day) is not date:
        return _moved_generally(value, moves)
    try:
        for step in moves.steps:
            day = _months_later(day, step.months) if step.months else day + step.days
    except (OverflowError, ValueError):  # no such year
        return None
    return day


def _moved_generally(value: Any, moves: Moves) -> Any:
    moment = dated(value, moves.type)
    for step in moves.steps:
        moment = arithmetic(step.compute, moment, step.by)
    return moment


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if day.day <= _SHORTEST:
        return date(year, month + 1, day.day)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
