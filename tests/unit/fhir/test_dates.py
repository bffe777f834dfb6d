from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from fhir_server.fhir.dates import (
    OPEN_HIGH,
    OPEN_LOW,
    DateError,
    Range,
    microseconds,
    period_range,
    range_of,
    timing_range,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")


def us(*parts: int, zone=SHANGHAI) -> int:
    return microseconds(datetime(*parts, tzinfo=zone))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2024", us(2024, 1, 1), us(2025, 1, 1)),
        ("2024-05", us(2024, 5, 1), us(2024, 6, 1)),
        ("2024-12", us(2024, 12, 1), us(2025, 1, 1)),
        ("2024-02-29", us(2024, 2, 29), us(2024, 3, 1)),
        ("2024-05-06T10:11", us(2024, 5, 6, 10, 11), us(2024, 5, 6, 10, 12)),
        ("2024-05-06T10:11:12", us(2024, 5, 6, 10, 11, 12), us(2024, 5, 6, 10, 11, 13)),
        (
            "2024-05-06T10:11:12.5+08:00",
            us(2024, 5, 6, 10, 11, 12, 500_000),
            us(2024, 5, 6, 10, 11, 12, 600_000),
        ),
        (
            "2024-05-06T02:11:12.123456789Z",
            us(2024, 5, 6, 10, 11, 12, 123_456),
            us(2024, 5, 6, 10, 11, 12, 123_457),
        ),
        ("2024-05-06T00:00:00-03:30", us(2024, 5, 6, 11, 30), us(2024, 5, 6, 11, 30, 1)),
        ("2016-12-31T23:59:60Z", us(2017, 1, 1, 8), us(2017, 1, 1, 8, 0, 1)),
    ],
)
def test_a_date_is_the_whole_time_that_its_text_leaves_open(text, low, high):
    assert range_of(text, SHANGHAI) == Range(low, high)


def test_a_date_without_offset_is_read_in_the_zone():
    assert range_of("2024-05-06", UTC).low - range_of("2024-05-06", SHANGHAI).low == 8 * 3600 * 1_000_000


def test_summer_time_of_1990_makes_a_day_of_23_hours():
    day = range_of("1990-04-15", SHANGHAI)
    assert day.high - day.low == 23 * 3600 * 1_000_000


def test_the_last_day_that_exists_has_an_end():
    assert range_of("9999-12-31", UTC).high == us(9999, 12, 31, 23, 59, 59, 999_999, zone=UTC)
    assert range_of("9999", UTC).high == range_of("9999-12", UTC).high == range_of("9999-12-31", UTC).high


@pytest.mark.parametrize(
    "text",
    [
        "",
        "24",
        "2024-13",
        "2024-00",
        "2023-02-29",
        "2024-04-31",
        "0000-01-01",
        "2024-5-6",
        "2024/05/06",
        "2024-05-06T",
        "2024-05-06T10",
        "2024-05-06T24:00:00Z",
        "2024-05-06T10:60:00Z",
        "2024-05-06T10:11:61Z",
        "2024-05-06T10:11:12+15:00",
        "2024-05-06T10:11:12+14:30",
        "2024-05-06T10:11:12+08:60",
        "2024-05-06T10:11:12.Z",
        "2024-05-06 10:11:12",
        " 2024",
        "2024\n",
        "٢٠٢٤",
    ],
)
def test_what_is_no_date_or_does_not_exist_is_refused(text):
    with pytest.raises(DateError):
        range_of(text, SHANGHAI)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"start": "2024-05-06", "end": "2024-05-06"}, Range(us(2024, 5, 6), us(2024, 5, 7))),
        ({"start": "2024", "end": "2025-03"}, Range(us(2024, 1, 1), us(2025, 4, 1))),
        ({"start": "2024"}, Range(us(2024, 1, 1), OPEN_HIGH)),
        ({"end": "2024"}, Range(OPEN_LOW, us(2025, 1, 1))),
        ({}, None),
        ({"extension": []}, None),
    ],
)
def test_a_period_runs_from_the_start_of_its_start_to_the_end_of_its_end(period, expected):
    assert period_range(period, SHANGHAI) == expected


@pytest.mark.parametrize("period", [{"start": "2024-02", "end": "2024-01"}, {"start": "x"}, {"end": 5}])
def test_a_period_that_cannot_be_read_is_refused(period):
    with pytest.raises(DateError):
        period_range(period, SHANGHAI)


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"event": ["2024-05-06", "2023-01-01", "2024-05-08"]}, Range(us(2023, 1, 1), us(2024, 5, 9))),
        ({"repeat": {"boundsPeriod": {"start": "2024", "end": "2024"}}}, Range(us(2024, 1, 1), us(2025, 1, 1))),
        (
            {"event": ["2026-01-01"], "repeat": {"boundsPeriod": {"start": "2024", "end": "2024"}}},
            Range(us(2024, 1, 1), us(2026, 1, 2)),
        ),
        ({"repeat": {"frequency": 1}}, None),
        ({}, None),
    ],
)
def test_a_timing_has_the_outer_limits_of_its_events_and_bounds(timing, expected):
    assert timing_range(timing, SHANGHAI) == expected


def test_microseconds_count_from_1970_and_are_exact():
    assert microseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    assert microseconds(datetime(1970, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))) == 0


def test_a_datetime_without_offset_is_no_instant():
    with pytest.raises(ValueError, match="no offset"):
        microseconds(datetime(2024, 1, 1))  # noqa: DTZ001 -- the point of the test
