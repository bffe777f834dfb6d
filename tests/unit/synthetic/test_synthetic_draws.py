from collections import Counter
from datetime import date

import pytest

from fhir_server.synthetic.draws import age_on, day_between, near, shares, stream, years_after


def test_one_seed_and_purpose_give_the_same_numbers():
    assert stream(7, "teams").random() == stream(7, "teams").random()


def test_another_purpose_gives_other_numbers():
    assert stream(7, "teams").random() != stream(7, "names").random()


def test_shares_keep_the_weights_to_within_one():
    assert Counter(shares(stream(1, "x"), 300, {"a": 88, "b": 4, "c": 3, "d": 4, "e": 1})) == {
        "a": 264,
        "b": 12,
        "c": 9,
        "d": 12,
        "e": 3,
    }


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_shares_give_as_many_as_asked(count):
    assert len(shares(stream(1, "x"), count, {"a": 1.0, "b": 1.0, "c": 1.0})) == count


def test_near_stays_inside_its_limits():
    rng = stream(1, "x")
    drawn = [near(rng, 120, deviation=40, low=110, high=130) for _ in range(200)]
    assert (min(drawn), max(drawn)) == (110, 130)


def test_a_leap_day_becomes_the_twenty_eighth():
    assert years_after(date(2024, 2, 29), -1) == date(2023, 2, 28)


@pytest.mark.parametrize(("day", "age"), [(date(2025, 6, 29), 64), (date(2025, 6, 30), 65), (date(2025, 7, 1), 65)])
def test_age_counts_full_years(day, age):
    assert age_on(date(1960, 6, 30), day) == age


def test_an_empty_range_of_days_is_its_first_day():
    assert day_between(stream(1, "x"), date(2025, 2, 1), date(2025, 1, 1)) == date(2025, 2, 1)
