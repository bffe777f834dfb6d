"""Dates, date-times and times of any precision, http://hl7.org/fhirpath/N1/#datetime-arithmetic.

A value keeps its parts as written: `2024-05` is (2024, 5), and nothing is filled in.
"""

import calendar
import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest

_DATE = re.compile(
    r"(?P<y>\d{4})(?:-(?P<mo>\d\d)(?:-(?P<d>\d\d))?)?"
    r"(?P<t>T(?:(?P<h>\d\d)(?::(?P<mi>\d\d)(?::(?P<s>\d\d)(?:\.(?P<f>\d+))?)?)?)?)?"
    r"(?P<z>Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_TIME = re.compile(r"T?(?P<h>\d\d)(?::(?P<mi>\d\d)(?::(?P<s>\d\d)(?:\.(?P<f>\d+))?)?)?", re.ASCII)

DATE, DATE_TIME, TIME = "Date", "DateTime", "Time"
_UNITS = {"year": 0, "month": 1, "week": 2, "day": 2, "hour": 3, "minute": 4, "second": 5, "millisecond": 5}
_MICROSECONDS = {
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
_PART_MICROSECONDS = (0, 0, 86_400_000_000, 3_600_000_000, 60_000_000, 1)


@dataclass(frozen=True, slots=True)
class Temporal:
    """A date, date-time or time.

    `parts` are year, month, day, hour, minute, second (a Time starts at hour), as many as were given. `fraction` is the
    text after the point of the seconds; `offset` the zone as written (`Z`, `+08:00`) or empty.
    """

    kind: str
    parts: tuple[int, ...]
    fraction: str = ""
    offset: str = ""

    @property
    def precision(self) -> int:
        """Number of digits given: 4 year, 6 month, 8 day, 10 hour, 12 minute, 14 second, more with a fraction.

        A Time counts from the hour: 2, 4, 6, 9 with milliseconds.
        """
        start = 0 if self.kind == TIME else 2
        return start + 2 * len(self.parts) + len(self.fraction)

    @property
    def text(self) -> str:
        """The FHIR text of the value, precision and offset as given; a Time has no leading T."""
        clock = ":".join(f"{p:02d}" for p in (self.parts if self.kind == TIME else self.parts[3:]))
        if self.fraction:
            clock += "." + self.fraction
        if self.kind == TIME:
            return clock
        day = "-".join([f"{self.parts[0]:04d}", *(f"{p:02d}" for p in self.parts[1:3])])
        return f"{day}T{clock}{self.offset}" if clock else day

    @property
    def offset_minutes(self) -> int | None:
        """Minutes east of UTC, or None when the value has no offset."""
        return _minutes(self.offset)


def _minutes(offset: str) -> int | None:
    if not offset:
        return None
    if offset == "Z":
        return 0
    size = int(offset[1:3]) * 60 + int(offset[4:6])
    return -size if offset[0] == "-" else size


_LONGEST = 64
"""Characters of a date or time; caches keep no longer texts, which may be strangers'."""


def parse_date(text: str) -> Temporal | None:
    """Returns the Date or DateTime that `text` spells, or None; `2024-05T` is a DateTime of month precision."""
    return _date_of(text) if len(text) <= _LONGEST else None


@lru_cache(4096)
def _date_of(text: str) -> Temporal | None:
    found = _DATE.fullmatch(text)
    if found is None or (found["z"] and not found["h"]):
        return None
    parts = tuple(int(found[k]) for k in ("y", "mo", "d", "h", "mi", "s") if found[k] is not None)
    if found["h"] and not found["d"]:
        return None
    value = Temporal(DATE_TIME if found["t"] else DATE, parts, found["f"] or "", found["z"] or "")
    return value if _exists(value) else None


DAY_LENGTH = 10
"""Characters of `YYYY-MM-DD`."""


def day_of(text: str) -> date | None:
    """Returns the day that `YYYY-MM-DD` spells, None for every other way to write a date.

    Raises:
        ValueError: there is no such day.
    """
    # Python takes `2024-W05-1`, too, which has no hyphen there
    return date.fromisoformat(text) if len(text) == DAY_LENGTH and text[7] == "-" else None


def parse_time(text: str) -> Temporal | None:
    """Returns the Time that `text` spells, with or without the leading T, or None."""
    return _time_of(text) if len(text) <= _LONGEST else None


@lru_cache(1024)
def _time_of(text: str) -> Temporal | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    parts = tuple(int(found[k]) for k in ("h", "mi", "s") if found[k] is not None)
    value = Temporal(TIME, parts, found["f"] or "")
    return value if _exists(value) else None


def _exists(value: Temporal) -> bool:
    clock = value.parts if value.kind == TIME else value.parts[3:]
    if any(p > most for p, most in zip(clock, (23, 59, 59), strict=False)):
        return False
    if value.kind == TIME:
        return True
    year, month, day = (*value.parts[:3], 1, 1)[:3]
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def of_datetime(at: datetime) -> Temporal:
    """Returns the DateTime of an aware datetime, to the millisecond, with its offset."""
    offset = at.strftime("%z")
    zone = f"{offset[:3]}:{offset[3:5]}" if offset else ""
    parts = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    return Temporal(DATE_TIME, parts, f"{at.microsecond // 1000:03d}", zone)


def as_kind(value: Temporal, kind: str) -> Temporal | None:
    """Returns `value` as Date (its day), DateTime, or itself; None when there is no such conversion."""
    if value.kind == kind:
        return value
    if value.kind == DATE and kind == DATE_TIME:
        return replace(value, kind=DATE_TIME)
    if value.kind == DATE_TIME and kind == DATE:
        return Temporal(DATE, value.parts[:3])
    return None


def compare(a: Temporal, b: Temporal) -> int | None:
    """Returns -1, 0 or 1, or None where the precisions or offsets leave it open.

    Seconds and their fraction are one precision. Two values with offsets are compared in UTC; a value with a time and
    an offset and one with a time and none are not comparable.

    See http://hl7.org/fhirpath/N1/#comparison.
    """
    if a.kind != b.kind and TIME in (a.kind, b.kind):
        return None
    if a.offset and b.offset:
        a, b = in_utc(a), in_utc(b)
    elif (a.offset or b.offset) and min(len(a.parts), len(b.parts)) > 3:
        return None
    for x, y in zip_longest(_components(a), _components(b)):
        if x is None or y is None:
            return None
        if x != y:
            return -1 if x < y else 1
    return 0


def _components(value: Temporal) -> tuple[Decimal | int, ...]:
    if not value.fraction:
        return value.parts
    return (*value.parts[:-1], Decimal(f"{value.parts[-1]}.{value.fraction}"))


def in_utc(value: Temporal) -> Temporal:
    """Returns the same instant with offset Z; a value without a minute stays as it is."""
    if value.offset == "Z" or len(value.parts) < 5:
        return value
    year, month, day, hour, minute, *seconds = value.parts
    try:
        at = datetime(year, month, day, hour, minute) - timedelta(minutes=value.offset_minutes or 0)  # noqa: DTZ001 - the zone is being taken off
    except OverflowError:
        return value
    return Temporal(DATE_TIME, (at.year, at.month, at.day, at.hour, at.minute, *seconds), value.fraction, "Z")


def key(value: Temporal) -> tuple[object, ...]:
    """Returns a hashable that is equal for equal instants of one precision."""
    utc = in_utc(value) if value.offset else value
    kind = TIME if value.kind == TIME else DATE
    return (kind, bool(value.offset), *_components(utc))


def add(value: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    """Returns `value` moved by `amount` calendar `unit`s (`year` ... `millisecond`); None when it leaves year 1 to 9999.

    A unit finer than the value's precision is turned into that precision and cut; above seconds the fraction of the
    amount is ignored; the last day of a shorter month stands for days that it does not have; a Time wraps at midnight.

    See http://hl7.org/fhirpath/N1/#datetime-arithmetic.
    """
    if value.kind == TIME:
        return _add_to_time(value, amount, unit)
    amount, unit = _coarsened(value, amount, unit)
    if unit in ("year", "month"):
        return _add_months(value, int(amount) * (12 if unit == "year" else 1))
    return _add_span(value, _span(amount, unit))


def _span(amount: Decimal, unit: str) -> int:
    whole = amount if unit in ("second", "millisecond") else Decimal(int(amount))
    return int(whole * _MICROSECONDS[unit])


def _coarsened(value: Temporal, amount: Decimal, unit: str) -> tuple[Decimal, str]:
    last = len(value.parts) - 1
    if _UNITS[unit] <= last:
        return amount, unit
    if unit == "month":
        return Decimal(int(amount / 12)), "year"
    if last >= 2:
        return Decimal(int(_span(amount, unit) / _PART_MICROSECONDS[last])), ("day", "hour", "minute")[last - 2]
    days = _span(amount, unit) / _MICROSECONDS["day"]
    return (Decimal(int(days / 365)), "year") if last == 0 else (Decimal(int(days / 30)), "month")


def _add_months(value: Temporal, months: int) -> Temporal | None:
    year, month = value.parts[0], value.parts[1] if len(value.parts) > 1 else 1
    count = year * 12 + month - 1 + months
    year, month = count // 12, count % 12 + 1
    if not 1 <= year <= 9999:
        return None
    moved = (year, month)[: len(value.parts)]
    if len(value.parts) > 2:
        moved = (*moved, min(value.parts[2], calendar.monthrange(year, month)[1]))
    return replace(value, parts=(*moved, *value.parts[3:]))


def _add_span(value: Temporal, microseconds: int) -> Temporal | None:
    fraction = int((value.fraction + "000000")[:6])
    try:
        at = datetime(*value.parts) + timedelta(microseconds=fraction + microseconds)  # type: ignore[arg-type]  # noqa: DTZ001 - the offset stays as written
    except OverflowError:
        return None
    parts = (at.year, at.month, at.day, at.hour, at.minute, at.second)[: len(value.parts)]
    return replace(value, parts=parts, fraction=_fraction_of(at.microsecond, value))


def _fraction_of(microsecond: int, value: Temporal) -> str:
    if len(value.parts) < 6 or not (value.fraction or microsecond):
        return ""
    digits = max(len(value.fraction), 3)
    return f"{microsecond:06d}"[:digits] if digits <= 6 else f"{microsecond:06d}".ljust(digits, "0")


def _add_to_time(value: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    if unit in ("year", "month", "week", "day"):
        return None
    anchor = Temporal(DATE_TIME, (2000, 1, 1, *value.parts), value.fraction)
    moved = add(anchor, amount, unit)
    return None if moved is None else Temporal(TIME, moved.parts[3:], moved.fraction)


def boundary(value: Temporal, *, high: bool, precision: int | None = None) -> Temporal | None:
    """Returns the least or greatest value that `value` may stand for, to `precision` digits (see `Temporal.precision`).

    Milliseconds by default (days for a Date). A missing offset becomes +14:00 at the low end and -12:00 at the high end.
    None when there is no such precision.
    """
    if value.kind == TIME:
        return _time_boundary(value, high=high, precision=precision)
    digits = precision if precision is not None else (8 if value.kind == DATE else 17)
    if digits not in (4, 6, 8, 10, 12, 14, 17):
        return None
    parts = _filled(value.parts, high=high)
    fraction = (value.fraction + ("999" if high else "000"))[:3]
    if digits <= 8:
        return Temporal(DATE, parts[: digits // 2 - 1])
    zone = value.offset or ("-12:00" if high else "+14:00")
    count = min(digits // 2 - 1, 6)
    return Temporal(DATE_TIME, parts[:count], fraction if digits == 17 else "", zone)


def _time_boundary(value: Temporal, *, high: bool, precision: int | None) -> Temporal | None:
    digits = 9 if precision is None else precision
    if digits not in (2, 4, 6, 9):
        return None
    parts = (*value.parts, *((59, 59) if high else (0, 0)))[:3]
    fraction = (value.fraction + ("999" if high else "000"))[:3] if digits == 9 else ""
    return Temporal(TIME, parts[: min(digits // 2, 3)], fraction)


def _filled(parts: tuple[int, ...], *, high: bool) -> tuple[int, ...]:
    year, month = (*parts, 12 if high else 1)[:2]
    day = calendar.monthrange(year, month)[1] if high else 1
    full = (year, month, day, *((23, 59, 59) if high else (0, 0, 0)))
    return (*parts, *full[len(parts) :])
