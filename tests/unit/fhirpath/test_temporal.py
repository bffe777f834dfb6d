"""fhirpath.temporal: partial dates and times."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from fhir_server.fhirpath.temporal import add, boundary, compare, key, of_datetime, parse_date, parse_time


@pytest.mark.parametrize(
    "text",
    ["2024", "2024-02", "2024-02-29", "2024-02-29T10:30:00+08:00", "2024-02-29T10:30:00.120Z", "2024-02-29T10:30"],
)
def test_date_keeps_its_text(text):
    assert parse_date(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "24",
        "2024-13",
        "2023-02-29",
        "2024-02-30",
        "2024-2-1",
        "2024-02-29T24:00",
        "2024-02-29T10:60",
        "2024Z",
        "0000",
        "10:30",
    ],
)
def test_text_that_is_no_date_is_none(text):
    assert parse_date(text) is None


@pytest.mark.parametrize("text", ["25:00", "10:60", "10:30:60", "1030", "10:30+08:00"])
def test_text_that_is_no_time_is_none(text):
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("2024-02-29", "2024-03-01", -1),
        ("2024", "2023-12-31", 1),
        ("2024", "2024-01", None),
        ("2024-02-29", "2024-02-29", 0),
        ("2024-02-29", "2024-02-29T10:00:00Z", None),
        ("2024-02-28", "2024-02-29T10:00:00Z", -1),
        ("2024-02-29T10:00:00+08:00", "2024-02-29T02:00:00Z", 0),
        ("2024-03-01T00:30:00+08:00", "2024-02-29T16:31:00Z", -1),
        ("2024-02-29T10:00:00+08:00", "2024-02-29T10:00:00", None),
        ("2024-02-29T10:00:00Z", "2024-02-29T10:00:00.000Z", 0),
        ("2024-02-29T10:00:00.5Z", "2024-02-29T10:00:00.49Z", 1),
        ("2024-02-29T10:00Z", "2024-02-29T10:00:00Z", None),
    ],
)
def test_dates_compare_up_to_their_common_precision(a, b, wanted):
    assert compare(parse_date(a), parse_date(b)) == wanted
    assert compare(parse_date(b), parse_date(a)) == (None if wanted is None else -wanted)


def test_same_instant_in_two_zones_has_one_key():
    assert key(parse_date("2024-02-29T10:00:00+08:00")) == key(parse_date("2024-02-29T02:00:00.0Z"))
    assert key(parse_date("2024-02-29")) != key(parse_date("2024-02"))


@pytest.mark.parametrize(
    ("text", "amount", "unit", "wanted"),
    [
        ("2024-01-31", 1, "month", "2024-02-29"),
        ("2024-02-29", 1, "year", "2025-02-28"),
        ("2024-02-29", -4, "year", "2020-02-29"),
        ("2024-12", 1, "month", "2025-01"),
        ("2024", 24, "month", "2026"),
        ("2024", 23, "month", "2025"),
        ("2024", 366, "day", "2025"),
        ("2024-03", 61, "day", "2024-05"),
        ("2024-02-28", 2, "week", "2024-03-13"),
        ("2024-02-28", 36, "hour", "2024-02-29"),
        ("2024-02-28", "1.9", "day", "2024-02-29"),
        ("2024-02-28T23:59:59Z", 1, "second", "2024-02-29T00:00:00Z"),
        ("2024-02-28T10:00:00+08:00", "0.5", "second", "2024-02-28T10:00:00.500+08:00"),
        ("2024-02-28T10:00:00.0Z", 10, "millisecond", "2024-02-28T10:00:00.010Z"),
        ("2024-02-28T10:00Z", 90, "second", "2024-02-28T10:01Z"),
        ("2024-03-31T10:00:00Z", -1, "month", "2024-02-29T10:00:00Z"),
    ],
)
def test_duration_moves_a_date_within_its_precision(text, amount, unit, wanted):
    assert add(parse_date(text), Decimal(amount), unit).text == wanted


@pytest.mark.parametrize(
    ("text", "amount", "unit"), [("9999-12-31", 1, "day"), ("0001", -1, "year"), ("9999-12", 1, "month")]
)
def test_date_outside_the_calendar_is_none(text, amount, unit):
    assert add(parse_date(text), Decimal(amount), unit) is None


def test_time_wraps_at_midnight_and_takes_no_days():
    assert add(parse_time("23:30"), Decimal(45), "minute").text == "00:15"
    assert add(parse_time("23:30"), Decimal(1), "day") is None


@pytest.mark.parametrize(
    ("text", "precision", "low", "high"),
    [
        ("2024", None, "2024-01-01", "2024-12-31"),
        ("2024-02", 8, "2024-02-01", "2024-02-29"),
        ("2024-02", 17, "2024-02-01T00:00:00.000+14:00", "2024-02-29T23:59:59.999-12:00"),
        ("2024-02-29T10:30:00+08:00", None, "2024-02-29T10:30:00.000+08:00", "2024-02-29T10:30:00.999+08:00"),
    ],
)
def test_boundaries_are_the_ends_of_what_a_date_may_mean(text, precision, low, high):
    value = parse_date(text)
    assert boundary(value, high=False, precision=precision).text == low
    assert boundary(value, high=True, precision=precision).text == high


def test_boundary_of_a_precision_that_does_not_exist_is_none():
    assert boundary(parse_date("2024"), high=True, precision=5) is None
    assert boundary(parse_time("10:30"), high=True, precision=17) is None


def test_moment_of_the_clock_keeps_its_offset():
    at = datetime(2026, 3, 1, 9, 30, 1, 250_000, timezone(timedelta(hours=8)))
    assert of_datetime(at).text == "2026-03-01T09:30:01.250+08:00"
