"""fhirpath.transpiler.days: whole days move and compare as the general engine's dates do."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.fhirpath import compile, environment  # noqa: A004 - the room's own name
from fhir_server.fhirpath.operators import ARITHMETIC
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import Temporal, compare, day_of, parse_date
from fhir_server.fhirpath.transpiler.days import Moves, move_of, moved, today_in
from fhir_server.fhirpath.transpiler.values import arithmetic, dated, moment, moment_order

UNITS = ("year", "month", "week", "day")
DATES = st.dates().map(date.isoformat) | st.sampled_from(
    ["2024", "2024-02", "2024-02-29T10:00:00+08:00", "2024-02-29T23:30:00Z", "0001-01-31", "9999-12-31", "2024-02-29", "2023-01-31"]
)  # fmt: skip
STEPS = st.tuples(st.sampled_from("+-"), st.integers(1, 400) | st.just(Decimal("1.9")), st.sampled_from(UNITS))


def moves_of(type_, steps):
    found = [move_of(symbol, ARITHMETIC[symbol], Quantity(Decimal(count), unit)) for symbol, count, unit in steps]
    return Moves(type_, tuple(found))


def general(text, type_, steps):
    value = dated(text, type_)
    for symbol, count, unit in steps:
        value = arithmetic(ARITHMETIC[symbol], value, Quantity(Decimal(count), unit))
    return value


def parts(value):
    """What can be seen of a date: its numbers, fraction and offset."""
    value = moment(value)
    return None if value is None else (value.parts, value.fraction, value.offset)


@given(text=DATES, type_=st.sampled_from(["date", "dateTime"]), steps=st.lists(STEPS, min_size=1, max_size=3))
def test_dates_move_as_in_the_general_engine(text, type_, steps):
    assert parts(moved(text, moves_of(type_, steps))) == parts(general(text, type_, steps))


@pytest.mark.parametrize(
    ("text", "steps", "wanted"),
    [
        ("2024-02-29", [("+", 1, "year")], date(2025, 2, 28)),
        ("2024-02-29", [("-", 4, "year")], date(2020, 2, 29)),
        ("2024-01-31", [("+", 1, "month")], date(2024, 2, 29)),
        ("2024-12-31", [("+", 1, "day")], date(2025, 1, 1)),
        ("2024-01-01", [("+", 1, "year"), ("-", 1, "day")], date(2024, 12, 31)),
        ("9999-12-31", [("-", 1, "month")], date(9999, 11, 30)),
        ("9999-12-31", [("+", 1, "day")], None),
        ("9999-12-31", [("+", 1, "year")], None),
        ("0001-01-01", [("-", 1, "week")], None),
        (None, [("+", 1, "day")], None),
    ],
)
def test_a_whole_day_moves_to_a_whole_day(text, steps, wanted):
    assert moved(text, moves_of("date", steps)) == wanted


@pytest.mark.parametrize(("count", "unit"), [(1, "hour"), (1, "a"), (1, "d"), (0, "day"), (Decimal("0.9"), "year")])
def test_other_durations_are_for_the_general_engine(count, unit):
    assert move_of("+", ARITHMETIC["+"], Quantity(Decimal(count), unit)) is None
    assert move_of("*", ARITHMETIC["*"], Quantity(Decimal(2), "day")) is None


@given(a=DATES, b=DATES)
def test_dates_have_the_order_of_the_general_engine(a, b):
    assert moment_order(a, b) == compare(parse_date(a), parse_date(b))


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("2024-05-06", date(2024, 5, 6), 0),
        (date(2024, 5, 6), "2024-05-07", -1),
        (date(2024, 5, 6), "2024", None),
        ("2024-05-06T08:00:00Z", date(2024, 5, 5), 1),
        (date(2024, 5, 6), None, None),
        (Temporal("Date", (2024, 5, 6)), "2024-05-06", 0),
    ],
)
def test_days_texts_and_dates_are_compared_with_each_other(a, b, wanted):
    assert moment_order(a, b) == wanted


@pytest.mark.parametrize("text", ["2024-02-30", "2024-13-01", "abcd-ef-gh", "２０２４-01-01"])
def test_a_day_that_does_not_exist_is_refused(text):
    with pytest.raises(ValueError, match=r"isoformat|day|month"):
        day_of(text)


@pytest.mark.parametrize("text", ["2024-W05-1", "2024", "2024-05", "20240506", "2024-05-06T10:00", ""])
def test_only_year_month_and_day_with_hyphens_are_a_whole_day(text):
    assert day_of(text) is None


def test_today_is_the_day_of_now_in_its_own_zone():
    late = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=8)))
    assert today_in(late) == date(2026, 3, 1)
    assert today_in(late.astimezone(UTC)) == date(2026, 3, 1)
    assert today_in(late.astimezone(timezone(timedelta(hours=9)))) == date(2026, 3, 2)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "UTC"])
def test_the_clock_has_one_day_in_a_quarter_of_an_hour(zone, monkeypatch):
    monkeypatch.setattr(environment, "_DEFAULT_ZONE", ZoneInfo(zone))
    days = []
    for second in range(1_772_236_800, 1_772_236_800 + 26 * 3600, 450):
        monkeypatch.setattr(environment, "time", lambda: second + 0.5)  # noqa: B023 - called at once
        environment._day_in.cache_clear()
        days.append((environment.clock_day(), datetime.fromtimestamp(second, ZoneInfo(zone)).date()))
    environment._day_in.cache_clear()
    assert [d for d in days if d[0] != d[1]] == []
    assert len({d[0] for d in days}) in (2, 3)


@pytest.mark.parametrize(
    ("text", "birth_date", "wanted"),
    [
        ("birthDate <= today() - 65 years", "1961-03-01", True),
        ("birthDate <= today() - 65 years", "1961-03-02", False),
        ("birthDate <= today() - 65 years", "1961", False),
        ("birthDate <= today() - 65 years", "1960", True),
        ("birthDate <= today() - 65 years", None, False),
        ("(birthDate > today() - 7 years).not()", "1961-03-02", True),
        ("birthDate = today()", "2026-03-01", True),
        ("birthDate != today() - 1 day", "2026-03-01", True),
        ("birthDate + 1 year - 1 day = @2025-02-28", "2024-03-01", True),
        ("birthDate + 1 year - 1 day = @2025-02-27", "2024-03", False),
        ("today() - 65 years + 1 day <= birthDate + 2 weeks", "1961-02-16", True),
        ("(today() - 1 year).toString() = '2025-03-01'", "2000", True),
    ],
)
def test_rules_about_days_answer_as_the_evaluator_does(text, birth_date, wanted):
    now = datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=8)))
    patient = {"resourceType": "Patient", **({"birthDate": birth_date} if birth_date else {})}
    compiled = compile(text, "Patient")
    got = compiled.test(patient, patient, patient, now=now), compiled._evaluated_test(patient, patient, patient, now)
    assert got == (wanted, wanted)
