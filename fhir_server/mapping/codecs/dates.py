"""Dates and times of source cells -> FHIR date and dateTime. https://hl7.org/fhir/R4/datatypes.html#dateTime."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache

from fhir_server.mapping.codecs.text import BadText, folded

_DAY = re.compile(
    r"(?P<y>\d{4})(?:"
    r"(?P<m1>\d{2})(?P<d1>\d{2})(?:(?P<t1>\d{6}))?"
    r"|(?P<sep>[-/.])(?P<m2>\d{1,2})(?:(?P=sep)(?P<d2>\d{1,2}))?"
    r"|年(?:(?P<m3>\d{1,2})月(?:(?P<d3>\d{1,2})日?)?)?"
    r")?"
    r"(?:[T ]?\s*(?P<half>上午|下午|AM|PM)?\s*(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?P<f>\.\d{1,9})?)?\s*(?P<z>Z|[+-]\d{2}:?\d{2})?)?"
)
_DAY_NUMBER = re.compile(r"([1-6]\d{4})(\.\d+)?")
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - day 1 of a spreadsheet is 1899-12-31, as it holds 1900 for a leap year
_EPOCH_MS = re.compile(r"-?\d{12,13}")


@lru_cache(maxsize=4096)
def parse_date(text: str, zone: tzinfo) -> str:
    """Returns `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` where the source has no more; a time of day is left out.

    Reads yyyyMMdd, yyyy-M-d, yyyy/M/d, yyyy.M.d, yyyy年M月d日, each with a time, epoch milliseconds, and the day numbers
    of spreadsheets from 10000 (1927-05-18) on; what carries an offset is the day in `zone`.

    Raises:
        BadText: another shape, or a day that does not exist.
    """
    moment, precision = _read(folded(text), zone)
    return moment.strftime("%Y-%m-%d").zfill(10)[:precision]


@lru_cache(maxsize=4096)
def parse_datetime(text: str, zone: tzinfo) -> str:
    """Returns a FHIR dateTime: with seconds and offset when the source has a time (in `zone` if it names none), else a date.

    Raises:
        BadText: as `parse_date`.
    """
    moment, precision = _read(folded(text), zone)
    if precision <= 10:
        return moment.strftime("%Y-%m-%d").zfill(10)[:precision]
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return aware.isoformat(timespec="milliseconds" if aware.microsecond else "seconds").replace("+00:00", "Z")


def is_day_number(text: str) -> bool:
    """Tells whether a text is a spreadsheet's day number (45234 is 2023-11-04 where days count from 1900)."""
    return _DAY_NUMBER.fullmatch(folded(text)) is not None


def _read(text: str, zone: tzinfo) -> tuple[datetime, int]:
    """The moment and how many characters of its ISO text the source knew: 4, 7, 10, or 19 with a time."""
    if _EPOCH_MS.fullmatch(text):
        return datetime.fromtimestamp(int(text) / 1000, UTC).astimezone(zone), 19
    if number := _DAY_NUMBER.fullmatch(text):
        moment = _DAY_ZERO + timedelta(days=int(number[1]), seconds=round(Decimal(number[2] or 0) * 86400))
        return moment, 19 if number[2] else 10
    match = _DAY.fullmatch(text)
    if match is None:
        raise BadText("mapping.not-date")
    try:
        return _moment(match, zone)
    except ValueError:
        raise BadText("mapping.no-such-day") from None


def _moment(match: re.Match[str], zone: tzinfo) -> tuple[datetime, int]:
    month = match["m1"] or match["m2"] or match["m3"]
    day = match["d1"] or match["d2"] or match["d3"]
    moment = datetime(int(match["y"]), int(month or 1), int(day or 1))  # noqa: DTZ001 - the source names no offset
    clock = _clock(match)
    if clock is None or day is None:
        return moment, 10 if day else 7 if month else 4
    moment = moment.replace(hour=clock[0], minute=clock[1], second=clock[2], microsecond=clock[3])
    offset = (match["z"] or "").replace(":", "")
    if offset:
        moment = datetime.strptime(f"{moment.isoformat()} {offset}", f"{_ISO[moment.microsecond > 0]} %z").astimezone(
            zone
        )
    return moment, 19


_ISO = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")


def _clock(match: re.Match[str]) -> tuple[int, int, int, int] | None:
    if match["t1"]:
        packed = match["t1"]
        return int(packed[:2]), int(packed[2:4]), int(packed[4:]), 0
    if not match["H"]:
        return None
    micro = int(((match["f"] or ".0")[1:] + "000000")[:6])
    hour = int(match["H"])
    if match["half"] and hour <= 12:
        hour = hour % 12 + 12 * (match["half"] in {"下午", "PM"})
    return hour, int(match["M"]), int(match["S"] or 0), micro
