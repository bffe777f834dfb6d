"""FHIR dates as half-open ranges of time, https://hl7.org/fhir/R4/search.html#date.

All instants are integers: microseconds since 1970-01-01T00:00:00Z.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from fhir_server.fhir.shapes import JsonObject

OPEN_LOW = -(2**62)
OPEN_HIGH = 2**62
"""Ends of a period that has no start or end, in microseconds since 1970-01-01T00:00:00Z."""

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)
_EPOCH_ORDINAL = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 -- wall clock arithmetic, the offset is subtracted later
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 86_400 * _SECOND


class DateError(ValueError):
    """The text is no FHIR date, dateTime or instant, or names a day or time that does not exist."""


@dataclass(frozen=True, slots=True)
class Range:
    """`[low, high)` in microseconds since 1970-01-01T00:00:00Z."""

    low: int
    high: int


def microseconds(instant: datetime) -> int:
    """Returns an aware datetime as microseconds since 1970-01-01T00:00:00Z.

    Raises:
        ValueError: the datetime has no offset.
    """
    offset = instant.utcoffset()
    if offset is None:
        msg = f"{instant} has no offset"
        raise ValueError(msg)
    return _wall(instant) - _of_delta(offset)


@lru_cache(maxsize=8192)
def range_of(text: str, zone: tzinfo) -> Range:
    """Returns the half-open range that a FHIR date, dateTime or instant stands for.

    `2024-05` is [2024-05-01T00:00, 2024-06-01T00:00) in `zone`; a value with an offset ignores `zone`. Seconds may be
    absent, as in searches; `:60` is the next second. Fractions count to the microsecond.

    Raises:
        DateError: not a FHIR date, or a day or time that does not exist.

    See https://hl7.org/fhir/R4/search.html#date.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise DateError(text)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        if hour is None:
            return _days(int(year), month, day, zone)
        start = datetime(int(year), int(month), int(day), int(hour), int(minute))  # noqa: DTZ001 -- wall clock, see _wall
        within, width = _seconds(second, fraction)
        low = _wall(start) + within - _offset(start, offset, zone)
    except ValueError:
        raise DateError(text) from None
    return Range(low, low + width)


def _days(year: int, month: str | None, day: str | None, zone: tzinfo) -> Range:
    start = datetime(year, int(month or 1), int(day or 1))  # noqa: DTZ001 -- wall clock, see _wall
    return Range(_midnight(start, zone), _midnight(_next(start, month, day), zone))


def _next(start: datetime, month: str | None, day: str | None) -> datetime:
    """Returns the midnight after the given day, month or year; year 9999 ends one microsecond early."""
    try:
        if day:
            return start + timedelta(days=1)
        if month and start.month < 12:
            return start.replace(month=start.month + 1)
        return start.replace(year=start.year + 1, month=1)
    except (ValueError, OverflowError):
        return datetime.max  # noqa: DTZ901 -- wall clock


@lru_cache(maxsize=8192)
def _midnight(start: datetime, zone: tzinfo) -> int:
    return _wall(start) - _offset(start, None, zone)


def _wall(start: datetime) -> int:
    days = start.toordinal() - _EPOCH_ORDINAL
    return days * _DAY + (start.hour * 60 + start.minute) * _MINUTE + start.second * _SECOND + start.microsecond


def _of_delta(delta: timedelta) -> int:
    return delta.days * _DAY + delta.seconds * _SECOND + delta.microseconds


def _offset(start: datetime, offset: str | None, zone: tzinfo) -> int:
    if offset is None:
        return _of_delta(start.replace(tzinfo=zone).utcoffset() or timedelta())
    if offset == "Z":
        return 0
    hours, minutes = int(offset[1:3]), int(offset[4:])
    if hours > 14 or minutes > 59 or (hours == 14 and minutes):
        raise DateError(offset)
    size = (hours * 60 + minutes) * _MINUTE
    return -size if offset[0] == "-" else size


def _seconds(second: str | None, fraction: str | None) -> tuple[int, int]:
    """Returns the microseconds after the full minute, and how long the value lasts."""
    if second is None:
        return 0, _MINUTE
    if int(second) > 60:
        raise DateError(second)
    if fraction is None:
        return int(second) * _SECOND, _SECOND
    digits = fraction[:6]
    return int(second) * _SECOND + int(digits.ljust(6, "0")), int(10 ** (6 - len(digits)))


def period_range(period: JsonObject, zone: tzinfo) -> Range | None:
    """Returns the range of a Period, from the start of `start` to the end of `end`, open where either is absent.

    None when it has neither.

    Raises:
        DateError: `start` or `end` cannot be read, or the end lies before the start.
    """
    start, end = period.get("start"), period.get("end")
    if start is None and end is None:
        return None
    low = range_of(_text(start), zone).low if start is not None else OPEN_LOW
    high = range_of(_text(end), zone).high if end is not None else OPEN_HIGH
    if high <= low:
        raise DateError(f"{start}/{end}")
    return Range(low, high)


def timing_range(timing: JsonObject, zone: tzinfo) -> Range | None:
    """Returns the outer limits of a Timing: its events and `repeat.boundsPeriod`; None when it has neither.

    Raises:
        DateError: one of them cannot be read.
    """
    events, repeat = timing.get("event"), timing.get("repeat")
    listed = events if isinstance(events, list) else []
    ranges = [range_of(_text(event), zone) for event in listed if event is not None]
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    of_bounds = period_range(bounds, zone) if isinstance(bounds, dict) else None
    if of_bounds:
        ranges.append(of_bounds)
    if not ranges:
        return None
    return Range(min(r.low for r in ranges), max(r.high for r in ranges))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise DateError(str(value))
    return value
